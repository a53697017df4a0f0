"""The random transforms of training images, in their order, as an `Augmentation` sets them."""

import tensorflow as tf

from keras_ghostnet.training.data import images, label_maps, rand_augment
from keras_ghostnet.training.data.augmentation import Augmentation


def random_view(
    picture: tf.Tensor, seed: tf.Tensor, size: tuple[int, int], settings: Augmentation
) -> tf.Tensor:
    """A random crop of an image, resized and maybe flipped.

    Args:
        picture: A decoded image, uint8 `(height, width, 3)`, or the bytes of a JPEG that
            `decoding.is_plain`, a scalar string tensor.
        seed: An integer tensor `(2,)`; the result depends on nothing else.
        size: `(height, width)` of the result.
        settings: An `Augmentation`.

    Returns:
        Float32 `(*size, 3)` in [0, 255], or a little beyond if color jitter is what comes next: it
        cuts that off.
    """
    return _view(picture, seed, size, settings, settings.interpolation, 0)


def random_view_of_map(
    labels: tf.Tensor, seed: tf.Tensor, size: tuple[int, int], settings: Augmentation
) -> tf.Tensor:
    """What `random_view` of an image shows of its map of classes, every class as it is.

    Args:
        labels: uint8 `(height, width, 1)`, of the image's size.
        seed, size, settings: As `random_view`'s.

    Returns:
        uint8 `(*size, 1)`: the class of the nearest pixel, and no class beyond the image.
    """
    return _view(labels, seed, size, settings, images.NEAREST, label_maps.IGNORED)


def _view(picture, seed, size, settings, interpolation, outside):
    window, flip = _apart(seed, 2)
    if settings.area is None:
        image = images.decoded(picture)
    elif picture.dtype == tf.string:
        image = images.decode_random_crop(picture, window, settings.area, settings.ratio)
    else:
        image = images.random_crop(picture, window, settings.area, settings.ratio)
    mirrored = None
    if settings.flip:  # by one op, where `tf.random.stateless_uniform` takes five for that number
        mirrored = tf.raw_ops.StatelessRandomUniform(shape=(), seed=flip) < 0.5
    moved = any(settings.shift_rotate_zoom) or settings.rand_augment[0]
    cut = moved or not settings.color_jitter
    image = images.resize(image, size, interpolation, mirrored, cut)
    if not settings.pad_crop:
        return image
    return images.pad_crop(image, window, settings.pad_crop, outside)


def augment_map(labels: tf.Tensor, seed: tf.Tensor, settings: Augmentation) -> tf.Tensor:
    """Moves a map of classes as `augment` moves its image.

    Args:
        labels: int32 `(height, width, 1)`.
        seed, settings: As `augment`'s.
    """
    _, _, move, _ = _apart(seed, 4)
    if any(settings.shift_rotate_zoom):
        return images.shift_rotate_zoom(labels, move, settings.shift_rotate_zoom, images.NEAREST)
    return labels


def augment(image: tf.Tensor, seed: tf.Tensor, settings: Augmentation) -> tf.Tensor:
    """Applies what comes after `random_view`, and normalizes.

    Args:
        image: Of `random_view`.
        seed: See there; may be the same.
        settings: An `Augmentation`.

    Returns:
        Float32 of the same shape.
    """
    jitter, layers, move, erase = _apart(seed, 4)
    if any(settings.shift_rotate_zoom):
        image = images.shift_rotate_zoom(image, move, settings.shift_rotate_zoom)
    if settings.rand_augment[0]:
        image = rand_augment.rand_augment(
            image,
            layers,
            *settings.rand_augment,
            settings.rand_augment_std,
            settings.rand_augment_probability,
        )
    if settings.color_jitter:
        image = images.color_jitter(image, jitter, settings.color_jitter)
    image = images.normalize(image)
    if settings.erasing:
        image = images.erase(image, erase, settings.erasing)
    return image


def _apart(seed, count):
    """A seed for each of several operations, whether those before it are used or not.

    Neighboring seeds give numbers as independent as any, and cost less than splitting one.
    """
    seed = tf.convert_to_tensor(seed, tf.int64)
    return [seed, *(seed + (purpose, 0) for purpose in range(1, count))]
