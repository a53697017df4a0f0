"""The operations on images, against Pillow and NumPy, eagerly and within tf.data."""

import inspect

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageFilter
import PIL.ImageOps
import pytest
import tensorflow as tf

from keras_ghostnet import preprocess_input
from keras_ghostnet.training.data import Augmentation, decoding, images, mixing, transforms
from keras_ghostnet.training.data import rand_augment as randaugment
from tests.training.photographs import encode, picture

PICTURE = picture(120, 160)
PIL_PICTURE = PIL.Image.fromarray(PICTURE)
FLOAT = tf.constant(PICTURE, tf.float32)
SIZE = (40, 56)

# Geometry.


def test_fused_crop_is_the_crop_of_the_decoded():
    encoded = encode(PICTURE)
    for key in range(20):
        fused = images.decode_random_crop(encoded, (key, 0)).numpy().astype(float)
        plain = images.random_crop(decoding.decode_plain(encoded), (key, 0)).numpy()
        # At the window's edge a JPEG's colors are interpolated from less.
        np.testing.assert_allclose(fused[2:-2, 2:-2], plain[2:-2, 2:-2], atol=3)
        assert np.abs(fused - plain).mean() < 0.1


def test_windows_keep_to_area_and_ratio():
    windows = np.array(
        [images.random_window(PICTURE.shape, (i, 1), (0.2, 0.5), (0.5, 2.0)) for i in range(300)]
    )
    y, x, height, width = windows.T
    assert (windows >= 0).all()
    assert (y + height <= 120).all()
    assert (x + width <= 160).all()
    area, ratio = height * width / PICTURE[..., 0].size, width / height
    assert 0.19 < area.min() < 0.23
    assert 0.47 < area.max() < 0.51
    assert 0.48 < ratio.min() < 0.7
    assert 1.5 < ratio.max() < 2.05
    impossible = images.random_window((10, 1000, 3), (0, 0), (0.9, 1.0), (1.0, 1.0))
    assert impossible.numpy().tolist() == [0, 0, 10, 1000]


@pytest.mark.parametrize(("side", "crop"), [(32, 0.875), (64, 1.0), (224, 0.875)])
def test_center_is_that_of_pillow(side, crop):
    shorter = round(side / crop)
    size = (round(160 * shorter / 120), shorter)
    resized = np.asarray(PIL_PICTURE.resize(size, PIL.Image.BICUBIC), float)
    top, left = (shorter - side) // 2, (size[0] - side) // 2
    expected = resized[top : top + side, left : left + side]
    ours = images.center_crop(PICTURE, (side, side), crop)
    np.testing.assert_allclose(ours, expected, atol=1.6)  # Pillow rounds twice to whole levels
    assert np.abs(ours - expected).mean() < 0.4


@pytest.mark.parametrize("interpolation", images.INTERPOLATIONS)
def test_resizing_by_a_lot_averages_over_areas(interpolation):
    rows, columns = (shares_of_pixels(*sides) for sides in ((120, 25), (160, 33)))
    expected = np.einsum("yi,xj,ijc->yxc", rows, columns, PICTURE)
    for image in (PICTURE, FLOAT):
        ours = images.resize(image, (25, 33), interpolation)
        np.testing.assert_allclose(ours, expected, atol=1e-3)
    quarters = PIL_PICTURE.reduce(4)
    ours = images.resize(PICTURE, (30, 40), interpolation)
    np.testing.assert_allclose(ours, quarters, atol=0.51)  # Pillow rounds to whole levels


def shares_of_pixels(source, target):
    """What every pixel of `source` contributes to each of `target`, by the length they share."""
    ends = np.arange(target + 1) * source / target
    starts = np.arange(source)
    shared = np.minimum(ends[1:, None], starts + 1) - np.maximum(ends[:-1, None], starts)
    return np.maximum(shared, 0) * target / source


def test_bilinear_enlarging_is_that_of_pillow():
    expected = np.asarray(PIL_PICTURE.resize((230, 170), PIL.Image.BILINEAR), float)
    ours = images.resize(PICTURE, (170, 230), "bilinear")
    np.testing.assert_allclose(ours, expected, atol=1.1)  # Pillow rounds twice to whole levels
    settings = Augmentation(area=None, interpolation="bilinear", flip=False)
    taken = transforms.random_view(tf.constant(PICTURE), (0, 0), (170, 230), settings)
    np.testing.assert_array_equal(taken, ours)


def test_pad_crop_takes_every_part_of_the_padded_image():
    image = FLOAT[:20, :24] + 1  # nowhere black
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
    parts = {padded[y : y + 20, x : x + 24].tobytes(): (y, x) for y in range(5) for x in range(5)}
    found = [parts[images.pad_crop(image, (i, 0), 2).numpy().tobytes()] for i in range(400)]
    assert set(found) == set(parts.values())  # all 25 offsets
    assert max(map(found.count, parts.values())) < 40  # 16 times each, about


def test_pad_crop_comes_after_the_resizing():
    settings = Augmentation(area=None, pad_crop=4, flip=False)
    for key in range(5):
        taken = transforms.random_view(tf.constant(PICTURE), (key, 0), SIZE, settings)
        expected = images.pad_crop(images.resize(PICTURE, SIZE), (key, 0), 4)
        np.testing.assert_array_equal(taken, expected)


def test_warp_shifts_and_turns():
    moved = images.warp(FLOAT, [1, 0, 5, 0, 1, -3], value=-1.0)
    np.testing.assert_allclose(moved[3:, :-5], FLOAT[:-3, 5:], atol=1e-3)
    assert (moved.numpy()[:3] == -1).all()
    square = FLOAT[:100, :100]
    rotated = images.warp(square, [0, -1, 0, 1, 0, 0])
    np.testing.assert_allclose(rotated, np.rot90(square), atol=0.05)


def test_shift_rotate_zoom_of_nothing_changes_nothing():
    np.testing.assert_allclose(
        images.shift_rotate_zoom(FLOAT, (0, 0), (0.0, 0.0, 0.0)), FLOAT, atol=1e-3
    )


# Colors.


@pytest.mark.parametrize("size", [(170, 230), (90, 110), (25, 33)])
@pytest.mark.parametrize("interpolation", images.INTERPOLATIONS)
def test_half_of_the_images_are_mirrored(size, interpolation):
    settings = Augmentation(area=None, interpolation=interpolation)
    as_it_is, mirrored = (
        images.resize(image, size, interpolation) for image in (PICTURE, PICTURE[:, ::-1])
    )
    count = 0
    for key in range(100):
        taken = transforms.random_view(tf.constant(PICTURE), (key, 0), size, settings)
        flipped = np.abs(taken - as_it_is).max() > 1
        np.testing.assert_allclose(taken, mirrored if flipped else as_it_is, atol=1e-3)
        count += flipped
    assert 35 < count < 65


def test_jitter_stays_within_its_strength():
    gray = tf.fill((8, 8, 3), 100.0)  # contrast and saturation leave it alone
    values = np.array([images.color_jitter(gray, (i, 0), 0.4)[0, 0] for i in range(100)])
    assert np.ptp(values, axis=1).max() < 1e-3
    assert 60 <= values.min() < 66
    assert 134 < values.max() <= 140.01
    np.testing.assert_allclose(images.color_jitter(FLOAT, (0, 0), 1e-6), FLOAT, atol=0.01)


def test_jitter_is_that_of_pillow():
    """On an image with values at both ends, where what is out of range is cut at every step."""
    picture = np.concatenate([PICTURE[:8], 255 - PICTURE[:8] // 4, PICTURE[:8] // 5])
    for key in range(20):
        factors = tf.random.stateless_uniform([3], (key, 0), 0.2, 1.8).numpy().tolist()
        found = images.color_jitter(tf.constant(picture, tf.float32), (key, 0), 0.8).numpy()
        exact, pillow = picture.astype("float64"), PIL.Image.fromarray(picture)
        weights = [0.299, 0.587, 0.114]
        for factor, enhance, other in zip(factors, ENHANCE, OTHERS, strict=True):
            exact = np.clip(factor * exact + (1 - factor) * other(exact @ weights), 0, 255)
            pillow = enhance(pillow).enhance(factor)
        np.testing.assert_allclose(found, exact, atol=2e-4)
        # Pillow rounds after every step, and the mean gray; the next step multiplies that.
        assert np.abs(found - np.array(pillow, "float32")).max() < 5


def test_jitter_cuts_off_what_bicubic_interpolation_overshoots():
    noise = tf.constant(np.random.default_rng(0).choice([0, 255], (30, 40, 3)).astype("uint8"))

    def view(**settings):
        settings = Augmentation(**settings)
        return transforms.random_view(noise, (0, 0), SIZE, settings).numpy(), settings

    overshot, settings = view()
    assert overshot.min() < -1
    assert overshot.max() > 256
    found, expected = (
        transforms.augment(tf.constant(image), (0, 0), settings)
        for image in (overshot, overshot.clip(0, 255))
    )
    np.testing.assert_array_equal(found, expected)
    for others in (
        dict(color_jitter=0.0),
        dict(rand_augment=(1, 9)),
        dict(interpolation="bilinear"),
    ):
        image, _ = view(**others)
        assert image.min() >= 0
        assert image.max() <= 255


# What an image is mixed with: black, its mean gray, its grays.
OTHERS = (lambda gray: 0, lambda gray: gray.mean(), lambda gray: gray[..., None])
ENHANCE = (PIL.ImageEnhance.Brightness, PIL.ImageEnhance.Contrast, PIL.ImageEnhance.Color)


def test_normalize_is_preprocess_input():
    np.testing.assert_allclose(
        images.normalize(FLOAT), preprocess_input(PICTURE.astype("float32")), atol=2e-6
    )


def test_erasing():
    ones, erased = tf.ones((64, 64, 3)), []
    for key in range(200):
        image = images.erase(ones, (key, 0), 0.5).numpy()
        zero = image[..., 0] == 0
        assert (image == np.where(zero, 0, 1)[..., None]).all()
        assert zero.sum() == zero.any(0).sum() * zero.any(1).sum()  # a rectangle
        erased.append(zero.mean())
    erased = np.array(erased)
    assert 70 < (erased > 0).sum() < 130
    assert erased[erased > 0].min() > 0.015
    assert erased.max() < 0.34


PILLOW = {
    "identity": lambda image: image,
    "autocontrast": PIL.ImageOps.autocontrast,
    "equalize": PIL.ImageOps.equalize,
    "posterize": lambda image: PIL.ImageOps.posterize(image, 6),
    "solarize": lambda image: PIL.ImageOps.solarize(image, 128),
    "color": lambda image: PIL.ImageEnhance.Color(image).enhance(1.45),
    "contrast": lambda image: PIL.ImageEnhance.Contrast(image).enhance(1.45),
    "brightness": lambda image: PIL.ImageEnhance.Brightness(image).enhance(1.45),
    "sharpness": lambda image: PIL.ImageEnhance.Sharpness(image).enhance(1.45),
}


@pytest.mark.parametrize("name", PILLOW)
def test_rand_augment_is_pillow_at_half_strength(name):
    import PIL.ImageEnhance  # noqa: F401 - the table above takes it from PIL

    which = list(randaugment.OPERATIONS).index(name)
    dull = PIL_PICTURE.point(lambda value: 30 + value // 2)
    image = tf.constant(np.asarray(dull), tf.float32)
    ours = randaugment.apply(image, tf.constant(which), 0.5, 1.0)
    # Pillow rounds to whole levels within its operations.
    np.testing.assert_allclose(ours, np.asarray(PILLOW[name](dull), float), atol=1.5)


def test_rand_augment_draws_magnitudes_and_leaves_some_out():
    """Solarizing inverts what is at least 256 (1 - strength): it shows the magnitude."""
    levels = tf.reshape(tf.range(256, dtype=tf.float32), (16, 16, 1)) * tf.ones((1, 1, 3))
    chosen = {"identity": lambda image, *_: image, "solarize": randaugment.OPERATIONS["solarize"]}
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(randaugment, "OPERATIONS", chosen)
        for seed in range(300):
            image = randaugment.rand_augment(levels, (seed, 0), 1, 6, 0.5, 0.5)
            found.append(float(tf.reduce_sum(tf.cast(image != levels, tf.int32))) / 3 / 256)
    drawn = 10 * np.array([share for share in found if share])
    assert len(drawn) / 300 == pytest.approx(0.25, abs=0.07)  # a half of a half
    assert drawn.mean() == pytest.approx(6, abs=0.3)
    assert drawn.std() == pytest.approx(0.5, abs=0.15)


def test_rand_augment_geometry():
    names = list(randaugment.OPERATIONS)
    shifted = randaugment.apply(FLOAT, tf.constant(names.index("translate_x")), 0.5, 1.0)
    np.testing.assert_allclose(shifted[:, :-36], FLOAT[:, 36:], atol=1e-3)  # 0.225 of 160
    assert (shifted.numpy()[:, -30:] == randaugment.GRAY).all()
    for name in ("rotate", "shear_x", "shear_y", "translate_y"):
        moved = randaugment.apply(FLOAT, tf.constant(names.index(name)), 0.5, 1.0)
        assert np.abs(moved - FLOAT).mean() > 5
        still = randaugment.apply(FLOAT, tf.constant(names.index(name)), 0.0, 1.0)
        np.testing.assert_allclose(still, FLOAT, atol=0.01)


# Mixing.


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.2, 0.0), (0.0, 1.0), (0.2, 1.0)])
def test_mixing(mixup, cutmix):
    count, size = 40, (20, 30)
    masks = tf.stack([mixing.mixing_mask((i, 0), size, mixup, cutmix) for i in range(count)])
    pictures = tf.random.stateless_uniform((count, *size, 3), (0, 0))
    labels = tf.one_hot(tf.range(count), count)
    weights = np.ones(count, "float32")
    weights[5] = 0
    mixed, mixed_labels = (x.numpy() for x in mixing.mix(pictures, labels, masks, weights))
    for i in range(count):
        neighbor = i + 1 if i % 2 == 0 else i - 1
        mask = masks[i].numpy() if weights[neighbor] else np.ones((*size, 1))
        expected = pictures[i] * mask + pictures[neighbor] * (1 - mask)
        np.testing.assert_allclose(mixed[i], expected, atol=1e-6)
        assert mixed_labels[i, i] == pytest.approx(mask.mean(), abs=1e-5)
        assert mixed_labels[i].sum() == pytest.approx(1, abs=1e-5)
        assert np.flatnonzero(mixed_labels[i] > 1e-6).tolist() in (
            [i],
            [neighbor],
            sorted([i, neighbor]),
        )
    whole = np.array([np.ptp(mask) == 0 for mask in masks.numpy()])
    assert whole.all() if not cutmix else not whole.all()
    assert set(np.unique(masks.numpy()[~whole])) <= {0.0, 1.0}


def test_shares_follow_the_beta_distribution():
    shares = np.array([mixing.mixing_mask((i, 0), (1, 1), 1.0, 0.0)[0, 0, 0] for i in range(400)])
    assert abs(shares.mean() - 0.5) < 0.05  # Beta(1, 1) is uniform
    assert abs(shares.std() - 12**-0.5) < 0.03


# All of them.

ENCODED = encode(PICTURE)
EVERYTHING = Augmentation(
    rand_augment=(2, 9), erasing=0.5, cutmix=1.0, mixup=0.2, shift_rotate_zoom=(0.1, 0.1, 0.1)
)
OPERATIONS = {
    "decode_random_crop": lambda seed: images.decode_random_crop(ENCODED, seed),
    "random_crop": lambda seed: images.random_crop(tf.constant(PICTURE), seed),
    "resize": lambda seed: images.resize(FLOAT, SIZE, "bilinear", mirrored=seed[0] % 2 == 0),
    "pad_crop": lambda seed: images.pad_crop(FLOAT, seed, 4),
    "color_jitter": lambda seed: images.color_jitter(FLOAT, seed, 0.4),
    "shift_rotate_zoom": lambda seed: images.shift_rotate_zoom(FLOAT, seed, (0.1, 0.1, 0.1)),
    "rand_augment": lambda seed: randaugment.rand_augment(FLOAT, seed, 2, 9),
    "normalize": lambda seed: images.normalize(FLOAT),
    "erase": lambda seed: images.erase(FLOAT, seed, 0.5),
    "center_crop": lambda seed: images.center_crop(PICTURE, SIZE),
    "mixing_mask": lambda seed: mixing.mixing_mask(seed, SIZE, 0.2, 1.0),
    "random_view": lambda seed: transforms.random_view(
        tf.constant(ENCODED), seed, SIZE, EVERYTHING
    ),
    "augment": lambda seed: transforms.augment(FLOAT, seed, EVERYTHING),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_same_eagerly_and_in_a_dataset(name):
    operation = OPERATIONS[name]
    seeds = tf.constant([(i, 7) for i in range(6)], tf.int64)
    plain = tf.autograph.experimental.do_not_convert(operation)
    dataset = tf.data.Dataset.from_tensor_slices(seeds).map(plain, num_parallel_calls=3)
    for seed, result in zip(seeds, dataset, strict=True):
        np.testing.assert_array_equal(operation(seed), result)


def test_digits_are_taken_whole():
    settings = Augmentation(area=None, flip=False, color_jitter=0.0)
    for image in (tf.constant(PICTURE), tf.constant(encode(PICTURE, "PNG"))):
        taken = transforms.random_view(image, (0, 0), SIZE, settings)
        np.testing.assert_array_equal(taken, images.resize(PICTURE, SIZE))
    varied = transforms.augment(FLOAT, (0, 0), settings)
    np.testing.assert_array_equal(varied, images.normalize(FLOAT))


@pytest.mark.parametrize(
    "settings",
    [
        dict(area=(0.0, 1.0)),
        dict(interpolation="lanczos"),
        dict(ratio=(2.0, 1.0)),
        dict(pad_crop=4),  # without area=None
        dict(pad_crop=-1),
        dict(color_jitter=1.0),
        dict(rand_augment=(2, 11)),
        dict(erasing=-0.1),
        dict(mixup=-1.0),
        dict(shift_rotate_zoom=(0.1, 0.1)),
        dict(area=0.5),
        dict(area=(0.5,)),
        dict(area=(float("nan"), 1.0)),
        dict(rand_augment=9),
        dict(rand_augment=(1.5, 9)),
        dict(mixup=float("inf")),
        dict(flip=1),
    ],
)
def test_settings_out_of_range(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=rf"`augmentation\.{name}`"):
        Augmentation(**settings)


def test_every_setting_is_described():
    for name in inspect.signature(Augmentation).parameters:
        assert f"{name}: " in Augmentation.__doc__
