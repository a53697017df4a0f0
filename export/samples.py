"""What a model's exports are verified and calibrated with: samples of real images."""

import dataclasses

import numpy as np

from keras_ghostnet.export.images import (
    from_arrays,
    from_files,
    from_source,
    split_in_halves,
)

LEAST = 32  # images that ranges can be taken from
CALIBRATION, HELD_OUT = 200, 400  # how many are taken at most
ENOUGH = 100  # images to verify on; where fewer are held out, training images are added


def draw(data, size, *, crop, seed, is_calibrated):
    """What a model's exports are verified and calibrated with, from a labeled source.

    Args:
        data, size, crop, seed: As `from_source`.
        is_calibrated: Whether images for calibration are wanted, too.

    Returns:
        `Images` to verify on: held out, and where those are few, some of the training split; and
        `Images` to calibrate with, others of the training split, or None.

    Raises:
        FileNotFoundError, ValueError: As `from_source`.
    """
    settings = dict(crop=crop, seed=seed)
    held_out = from_source(data, "val", size, count=HELD_OUT, **settings)
    count = reserve(data, held_out, seed=seed, is_calibrated=is_calibrated)
    sample = with_training(held_out, data, size, count=count, **settings)
    if not is_calibrated:
        return sample, None
    return sample, from_source(data, "train", size, count=CALIBRATION, reserved=count, **settings)


def reserve(data, held_out, *, seed, is_calibrated):
    """How many training images a verification takes where few images are held out.

    Calibration, if it takes training images, keeps half of them, and as many as it needs.

    Args:
        data: As `keras_ghostnet.training.data.open_source`.
        held_out: `Images`.
        seed: Of the split, for a source without splits.
        is_calibrated: Whether calibration takes images of the training split.

    Returns:
        The number; 0 if there is no training split.
    """
    from keras_ghostnet.training.data import open_source

    wanted = ENOUGH - len(held_out.pixels)
    if wanted <= 0:
        return 0
    try:
        total = open_source(data, "train", seed=seed).examples
    except (FileNotFoundError, ValueError):
        return 0
    return max(0, min(wanted, *((total // 2, total - LEAST) if is_calibrated else (total,))))


def with_training(held_out, data, size, *, count, **settings):
    """Held-out images, and behind them some of the training split.

    Args:
        held_out: `Images`.
        data, size, **settings: As `from_source`.
        count: How many to add, `reserve`; 0 adds none.
    """
    if not count:
        return held_out
    added = from_source(data, "train", size, count=count, **settings)
    return dataclasses.replace(
        held_out,
        pixels=np.concatenate([held_out.pixels, added.pixels]),
        origin={**held_out.origin, "training": count},
        training=len(added.pixels),
    )


def reopen(origin, size, *, crop, data=None, map_size=()):
    """The images that an artifact was verified on.

    Args:
        origin: `Images.origin`.
        size: `(height, width)` in pixels.
        crop: The fraction of the resized image's shorter side that is kept, in (0, 1].
        data: Another source to take them from, or arrays of pixels and labels; None takes the
            same.
        map_size: As `from_arrays`.

    Returns:
        `Images`.

    Raises:
        FileNotFoundError, ValueError: If the source is not there any more.
    """
    try:
        if "unlabeled" in origin and data is None:
            images = from_files(origin["unlabeled"], size, crop=origin["crop"])
            return split_in_halves(images)[1]
        if isinstance(data, tuple):
            return from_arrays(*data, size, map_size)
        if not origin and data is None:
            raise FileNotFoundError("They were arrays in memory.")
        settings = {"split": "val", "seed": 0, "count": HELD_OUT, "crop": crop, **origin}
        settings.pop("unlabeled", None)
        text, split = settings.pop("data", None), settings.pop("split")
        training, source = settings.pop("training", 0), text if data is None else data
        held_out = from_source(source, split, size, **settings)
        if data is not None:  # which may have fewer training images, or none
            there = reserve(source, held_out, seed=settings["seed"], is_calibrated=False)
            training = min(training, there)
        return with_training(held_out, source, size, **{**settings, "count": training})
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"The images that the artifacts were verified on are not there any more. {error} "
            "Name others with --data."
        ) from error


def require_enough(images):
    """Refuses too few images to take ranges from.

    Raises:
        ValueError: If there are less than 32.
    """
    if len(images.pixels) < LEAST:
        raise ValueError(
            f"Calibration needs at least {LEAST} images, better some hundred. {images.name} gives "
            f"{len(images.pixels)}."
        )


def require_trained(model, images, kind):
    """Refuses an untrained network: its int8 form cannot be distinguished from a wrong one.

    Args:
        model: The Keras model.
        images: `Images`.
        kind: What it takes, of `keras_ghostnet.model_input.INPUTS`.

    Raises:
        ValueError: If it recognizes labeled images no better than by chance, or sees the same
            class in all.
    """
    from keras_ghostnet.training import predictions
    from keras_ghostnet.training.heads import (
        count_classes,
        is_multi_label,
        is_of_pixels,
        output_activation,
        to_probabilities,
    )

    outputs = predictions.run(model, images.prepared(kind))
    probabilities = np.asarray(to_probabilities(outputs, output_activation(model)))
    chosen = probabilities.argmax(axis=-1)
    advice = (
        "Its int8 form would be meaningless. Train it first, check that the images are what it was "
        "trained on, or insist with --allow-untrained."
    )
    if images.labels is not None and not is_of_pixels(model):
        classes, count = count_classes(model), len(chosen)
        right, chance = int((chosen == images.labels).sum()), count / classes
        if right <= chance + 3 * np.sqrt(chance * (1 - 1 / classes)):  # three deviations of guesses
            raise ValueError(
                f"{model.name} seems to be untrained: it recognizes {right} of {count} images of "
                f"{images.name}, which guessing does as well. {advice}"
            )
    elif is_multi_label(model):
        if (probabilities == probabilities[0]).all():
            raise ValueError(
                f"{model.name} seems to be untrained: it sees the same in all of {len(chosen)} "
                f"images of {images.name}. {advice}"
            )
    elif (chosen == chosen.flat[0]).all():
        raise ValueError(
            f"{model.name} seems to be untrained: it sees class {chosen.flat[0]} in all of "
            f"{len(chosen)} images of {images.name}. {advice}"
        )
