"""Networks with random weights that compute on images what trained ones might: nothing vanishes."""

import keras
import numpy as np

PATCH = 8  # pixels of the side of a patch of one color
NOISE = 0.2  # its standard deviation; that of the patches is 1


def random_images(count: int, height: int, width: int) -> np.ndarray:
    """Images as networks see them, normalized: patches of color with noise.

    White noise alone leaves next to nothing of its mean, which batch norms would amplify.

    Args:
        count: The number of images.
        height, width: In pixels.

    Returns:
        `(count, height, width, 3)`, float32; the same for the same arguments.
    """
    random = np.random.default_rng(0)
    patches = random.normal(size=(count, -(-height // PATCH), -(-width // PATCH), 3))
    patches = patches.repeat(PATCH, axis=1).repeat(PATCH, axis=2)[:, :height, :width]
    return (patches + NOISE * random.normal(size=patches.shape)).astype("float32")


def settle_batch_norms(
    model: keras.Model, images: np.ndarray, momentum: float = 0.0
) -> keras.Model:
    """Gives all batch norms the statistics of images, as training would.

    With the initial statistics the activations of random weights fade from layer to layer, and
    XNNPACK refuses the scales of an int8 network. One pass in training mode does it: a batch norm
    then normalizes with the statistics of the batch, whatever it has stored, and stores them.

    Args:
        model: A Keras model; it is changed, but for the momenta of its batch norms.
        images: A batch of its inputs.
        momentum: The fraction of the earlier statistics that is kept, in [0, 1). Above 0 no
            variance gets so small that it amplifies rounding: those of G-GhostNet's mixes, which
            see one value per image, are.

    Returns:
        The model.
    """
    norms = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = momentum
    model(images, training=True)
    for norm, own in zip(norms, momenta, strict=True):
        norm.momentum = own
    return model
