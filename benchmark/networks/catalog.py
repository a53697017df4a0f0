"""Name -> builder of every network of the tables, ours included.

A builder takes the side of the image in pixels and the model's name, and returns a `keras.Model`
of images `(batch, size, size, 3)` that outputs the logits of 1000 classes.
"""

from functools import partial

import keras

from keras_ghostnet import builder, registry, specs
from keras_ghostnet.benchmark.networks import (
    applications,
    blocks,
    condensenet_v2,
    fasternet,
    fe_net,
    inverted_residuals,
    mobilenet_v4,
    regnetx,
    repvit,
    sandglass,
    shufflenet_v1,
    shufflenet_v2,
    starnet,
)

# The families that are made for ImageNet.
OURS = ("ghostnet", "ghostnetv2", "ghostnetv3", "repghostnet", "g_ghost_regnetx")


def build_network(name: str, size: int = 224) -> keras.Model:
    """A network of the tables, with random weights.

    Args:
        name: A key of `BUILDERS`, which becomes the model's name.
        size: Side of the image in pixels.

    Returns:
        A `keras.Model` of images `(batch, size, size, 3)` that outputs logits.

    Raises:
        ValueError: If there is no such network; the message suggests the nearest.
    """
    if name not in BUILDERS:
        raise ValueError(f"There is no network {name!r}.{specs.suggest(name, BUILDERS)}")
    return BUILDERS[name](size, name)


def _network(features, head=None, **options):
    """A builder of features that this package defines."""
    return partial(blocks.classifier, partial(features, **options), **(head or {}))


def _ours(size, name):
    shape, spec = builder.square(3, size), specs.get_spec(name)
    if spec.family == "ghostnetv3":  # as it runs on devices
        spec = specs.ghostnetv3(spec.width, deployed=True)
    return registry.from_spec(spec, input_shape=shape, classifier_activation=None, name=name)


BUILDERS = {
    "mobilenet_v1_050": partial(applications.mobilenet_v1, 0.5),
    "mobilenet_v2_035": partial(applications.mobilenet_v2, 0.35),
    "mobilenet_v2_075": partial(applications.mobilenet_v2, 0.75),
    "mobilenet_v2_100": partial(applications.mobilenet_v2, 1.0),
    "mobilenet_v3_large_035": partial(applications.mobilenet_v3_large, 0.35),
    "mobilenet_v3_large_075": partial(applications.mobilenet_v3_large, 0.75),
    "mobilenet_v3_large_100": partial(applications.mobilenet_v3_large, 1.0),
    "shufflenet_v1_g3_100": _network(shufflenet_v1.features),
    "shufflenet_v2_050": _network(shufflenet_v2.features, width=0.5),
    "shufflenet_v2_100": _network(shufflenet_v2.features, width=1.0),
    "shufflenet_v2_150": _network(shufflenet_v2.features, width=1.5),
    "condensenet_v2_a": _network(condensenet_v2.features, condensenet_v2.HEAD),
    "fe_net_100": _network(fe_net.features),
    "fbnet_b": _network(inverted_residuals.features, network=inverted_residuals.FBNET_B),
    "proxylessnas_mobile": _network(
        inverted_residuals.features, network=inverted_residuals.PROXYLESSNAS_MOBILE
    ),
    "mnasnet_a1": _network(inverted_residuals.features, network=inverted_residuals.MNASNET_A1),
    "mobilenext_100": _network(sandglass.features),
    "resnet_50": applications.resnet_50,
    "mobilenet_v4_conv_small": _network(mobilenet_v4.features),
    "repvit_m0_9": _network(repvit.features),
    "starnet_s1": _network(starnet.features),
    "fasternet_t0": _network(fasternet.features),
    **{
        f"regnetx_{variant}": _network(regnetx.features, variant=variant)
        for variant in specs.REGNETX
    },
    **{name: _ours for name, spec in specs.SPECS.items() if spec.family in OURS},
}
