"""Models by name."""

from typing import Any

import keras

from keras_ghostnet import g_ghostnet, specs
from keras_ghostnet.cifar import GhostResNet56, GhostVGG16
from keras_ghostnet.ghostnet import GhostNet
from keras_ghostnet.ghostnetv2 import GhostNetV2
from keras_ghostnet.ghostnetv3 import GhostNetV3
from keras_ghostnet.repghostnet import RepGhostNet

OF_WIDTH = {"ghostnet": GhostNet, "ghostnetv2": GhostNetV2, "repghostnet": RepGhostNet}
CIFAR = {"ghost_vgg": GhostVGG16, "ghost_resnet": GhostResNet56}


def list_models() -> list[str]:
    """The names that `create_model` knows, smallest first within a family.

    Returns:
        A list of strings: `"ghostnet_050"` ... `"ghost_resnet56"`.
    """
    return list(specs.SPECS)


def create_model(name: str, **kwargs: Any) -> keras.Model:
    """Builds a model by its name.

    Args:
        name: One of `list_models()`.
        **kwargs: The arguments of the model's constructor by keyword, such as `classes` and
            `input_shape`; those of `GhostNet` for all models, but for `width` and, of those for
            CIFAR, `output_stride`; for GhostNetV3 `deployed` too.

    Returns:
        A `keras.Model` whose `.name` is `name` (unless `kwargs` names it otherwise).

    Raises:
        ValueError: If no model bears that name (the message suggests the nearest), or as the
            model's constructor.
        OSError: If weights cannot be read or downloaded.
    """
    return from_spec(specs.get_spec(name), **kwargs)


def from_spec(spec: specs.Spec, **kwargs: Any) -> keras.Model:
    """Builds the model of a specification.

    Args:
        spec: `GhostNetSpec` or one of its successors' of any width, `GGhostSpec` or `CifarSpec`.
        **kwargs: As `create_model`.

    Returns:
        A `keras.Model`.
    """
    if isinstance(spec, specs.GhostNetV3Spec):
        return GhostNetV3(spec.width, **{"deployed": spec.deployed, **kwargs})
    if "deployed" in kwargs:
        raise ValueError(
            f"`deployed` is an argument of GhostNetV3 alone: {spec.name} has one form. Exports "
            "fold the batch norms of every network; `keras_ghostnet.export.deploy` does so in "
            "Keras."
        )
    if isinstance(spec, specs.GhostNetSpec):
        return OF_WIDTH[spec.family](spec.width, **kwargs)
    if isinstance(spec, specs.CifarSpec):
        return CIFAR[spec.family](spec.ratio, spec.cheap_kernel_size, **kwargs)
    return getattr(g_ghostnet, f"GGhostRegNetX{spec.size}")(**kwargs)
