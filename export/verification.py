"""Compares an artifact, run in its own runtime, with the Keras model it was made from."""

import dataclasses
import math
import pathlib

import numpy as np

from keras_ghostnet import files
from keras_ghostnet.export import formats
from keras_ghostnet.training.data.label_maps import IGNORED
from keras_ghostnet.training.heads import alternatives
from keras_ghostnet.training.logits import TINY

# A class that changes is counted if the Keras model's margin exceeds this many typical errors that
# the format is allowed: three standard deviations of the difference of two outputs' errors.
MARGIN = 3 * math.sqrt(2)
# Changes are refused that an artifact with the allowed rate shows with less than this probability.
SIGNIFICANCE = 0.05


class VerificationError(ValueError):
    """An artifact does not compute what its Keras model computes.

    Attributes:
        result: The `Verification` that failed; None if the outputs cannot be compared.
    """

    def __init__(self, message: str, result: "Verification | None" = None) -> None:
        super().__init__(message)
        self.result = result


@dataclasses.dataclass(frozen=True)
class Verification:
    """How an artifact compares with its Keras model on some images.

    Attributes:
        max_error: The largest difference of outputs, in standard deviations of the Keras
            model's outputs.
        typical_error: In the same unit, the median over the images of the root mean square of an
            image's differences: one image that int8 serves badly does not change it.
            Of a model that classifies every pixel, the figures below are of pixels, not of images.
        cosine: Cosine of the angle between all outputs of both, in [-1, 1].
        agreement: The fraction of the images for which both choose the same class, or the same
            labels, in [0, 1].
        accuracy: The artifact's own accuracy on held-out images, in [0, 1]; None without labels.
        mean_iou: Of a model of pixels, the mean over the classes of the intersection of predicted
            and true pixels over their union, in [0, 1], where there are any; else None.
        flips: The number of images whose class changes though the Keras model prefers its own by
            more than the format's margin, `MARGIN` times its `max_typical_error`.
        close_flips: The number of images whose class changes within that margin, as rounding does.
        p_value: The probability of so many `flips`, or more, of an artifact that changes the
            fraction of the classes that the format allows, `1 - min_agreement`.
        arithmetic: What a TFLite file of half precision was computed in on this machine,
            `"float16"` or `"float32"`; None of other files, whose format says it.
    """

    max_error: float
    typical_error: float
    cosine: float
    agreement: float
    accuracy: float | None
    flips: int
    close_flips: int
    p_value: float
    arithmetic: str | None = None
    mean_iou: float | None = None


def verify(path, fmt, images, labels, reference, runner=None, activation="linear"):
    """Runs an artifact and compares its outputs with the Keras model's.

    Args:
        path: The artifact. It is removed if it fails.
        fmt: Its `keras_ghostnet.export.formats.Format`.
        images: `(n, height, width, 3)`, preprocessed, not used for calibration; raw pixels,
            uint8, for an artifact that preprocesses.
        labels: The true classes' indices `(n,)`, or None.
        reference: The Keras model's outputs `(n, classes)` for the images.
        runner: What `formats.load` returned for the artifact, if it is loaded already.
        activation: As `compare`.

    Returns:
        A `Verification`.

    Raises:
        VerificationError: If the differences exceed what the format allows.
    """
    path = pathlib.Path(path)
    runner = runner or formats.load(path, fmt)
    try:
        return verify_outputs(runner(images), reference, labels, fmt, activation=activation)
    except VerificationError as error:
        files.remove(path)
        raise VerificationError(f"{error} {path.name} was removed.", error.result) from None


def verify_outputs(outputs, reference, labels, fmt, sample=None, activation="linear"):
    """Compares outputs, and refuses those that differ by more than the format allows.

    Errors are compared with the format's limits. Classes that change are a statistical test: the
    fewer images there are, the larger the fraction that proves a fault.

    Args:
        outputs, reference, labels, fmt, activation: As `compare`.
        sample: What the images are, such as "20 held-out and 80 training images".

    Returns:
        A `Verification`.

    Raises:
        VerificationError: If the differences exceed what the format allows.
    """
    result = compare(outputs, reference, labels, fmt, activation)
    # Written so that a NaN fails.
    is_close = result.typical_error <= fmt.max_typical_error
    # Few errors suffice for a small cosine, if they are large.
    is_bounded = result.max_error <= fmt.max_error and result.cosine >= fmt.min_cosine
    if is_close and is_bounded and result.p_value >= SIGNIFICANCE:
        return result
    margin = MARGIN * fmt.max_typical_error
    pixels = " pixels" if np.ndim(reference) > 2 else ""
    raise VerificationError(
        f"The {fmt.name} artifact does not compute what the Keras model computes. On "
        f"{sample or f'{len(reference)} images'}: largest error {result.max_error:.2g} standard "
        f"deviations of the outputs (at most {fmt.max_error:g}), typical error "
        f"{result.typical_error:.2g} (at most {fmt.max_typical_error:g}), cosine "
        f"{result.cosine:.6f} (at least {fmt.min_cosine:g}), another class for "
        f"{result.flips}{pixels} whose margin exceeds {margin:.2g} (p = {result.p_value:.2g}, at "
        f"least {SIGNIFICANCE:g}) and for {result.close_flips} within it. "
        f"{_advice(fmt, is_close, is_bounded)}",
        result,
    )


def _advice(fmt, is_close, is_bounded):
    """What to do about a failure, by its kind."""
    if not is_close:
        advice = (
            "The errors are everywhere: check that the images are preprocessed as in training, and "
            "padding and channel order of the export."
        )
        if fmt.dtype == "int8":
            advice += " If float formats pass, it is the rounding: choose one of them."
        return advice
    where = "Most images are right" + ("" if is_bounded else ", some are far off")
    if fmt.is_calibrated:
        return (
            f"{where}: the calibration images may be too few, or not like those in use; give "
            "more with --calibration. If that does not help, try tflite_int8_qat, which trains "
            "with rounding, or a float format."
        )
    if fmt.dtype == "int8":
        return f"{where}: train longer with rounding (`ghostnet quantize`), or try a float format."
    return f"{where}: look for an operation that treats large or small values differently."


def compare(outputs, reference, labels, fmt, activation="linear"):
    """The figures of a `Verification`.

    Args:
        outputs: The artifact's outputs `(n, classes)`, or maps `(n, height, width, classes)`.
        reference: The Keras model's, of the same shape.
        labels: The true classes' indices `(m,)` of the first m images, which are held out, or maps
            of them `(m, height, width)`, of which 255 is no class; None if not known.
        fmt: The artifact's `Format`.
        activation: What the model ends in, `keras_ghostnet.training.heads.output_activation`: one
            unit is two classes, several sigmoids are independent labels, all of which have to
            agree.

    Raises:
        VerificationError: If the shapes differ.
    """
    outputs, reference = np.asarray(outputs, "float64"), np.asarray(reference, "float64")
    if outputs.shape != reference.shape:
        raise VerificationError(
            f"{fmt.name} outputs {outputs.shape}, the Keras model {reference.shape}."
        )
    choices = alternatives(reference, activation)
    expected = choices.argmax(axis=-1)
    found = alternatives(outputs, activation).argmax(axis=-1)
    accuracy, mean_iou = None, None
    if labels is not None:
        labels = np.ravel(labels)
        units = outputs.shape[-1]
        classes = outputs.reshape(-1, units).argmax(axis=-1) if units > 1 else found[:, 0]
        classes = classes[: len(labels)]
        if outputs.ndim > 2:
            classes, labels = classes[labels != IGNORED], labels[labels != IGNORED]
            mean_iou = _mean_iou(classes, labels)
        accuracy = float(np.mean(classes == labels))
    if fmt.dtype != "int8" and activation != "linear":
        # Saturated probabilities hide errors: their logarithms are logits but for a constant.
        # Not so for int8, in which the smallest steps of a probability are 1/256.
        outputs, reference, choices = (
            np.log(np.maximum(x, TINY)) for x in (outputs, reference, choices)
        )
    sigma = reference.std()
    errors = (outputs - reference) / sigma
    squares = np.square(errors).reshape(len(errors), -1)
    best, chosen = (
        np.take_along_axis(choices, indices[..., None], axis=-1) for indices in (expected, found)
    )
    margins = (best - chosen).max(axis=(1, 2)) / sigma  # of an image's clearest decision
    flips = int(np.sum(margins > MARGIN * fmt.max_typical_error))
    differing = int(np.sum((found != expected).any(axis=-1)))
    return Verification(
        max_error=float(np.abs(errors).max()),
        typical_error=float(np.median(np.sqrt(squares.mean(axis=-1)))),
        cosine=float(
            np.vdot(outputs, reference) / (np.linalg.norm(outputs) * np.linalg.norm(reference))
        ),
        agreement=1 - differing / len(expected),
        accuracy=accuracy,
        flips=flips,
        close_flips=differing - flips,
        p_value=_probability_of_at_least(flips, len(expected), 1 - fmt.min_agreement),
        mean_iou=mean_iou,
    )


def _mean_iou(predicted, labels):
    """The mean intersection over union of the classes that are predicted or true anywhere."""
    classes = np.union1d(predicted, labels)
    unions = [np.sum((predicted == one) | (labels == one)) for one in classes]
    both = [np.sum((predicted == one) & (labels == one)) for one in classes]
    return float(np.mean(np.divide(both, unions)))


def _probability_of_at_least(count, trials, rate):
    """Of a binomial distribution, its tail from `count` on."""
    fewer = (
        math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        + k * math.log(rate) + (trials - k) * math.log1p(-rate)
        for k in range(count)
    )  # fmt: skip
    return max(0.0, 1 - math.fsum(map(math.exp, fewer)))
