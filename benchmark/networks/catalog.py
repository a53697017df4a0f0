"""Name -> builder of every network of the tables, ours included.

A builder takes the side of the image in pixels and the model's name, and returns a `keras.Model`
of images `(batch, size, size, 3)` that puts out the logits of 1000 classes.
"""

from functools import partial

from keras_ghostnet import builder, registry, specs
from keras_ghostnet.benchmark.networks import (
    applications,
    condensenet_v2,
    fe_net,
    inverted_residuals,
    regnetx,
    sandglass,
    shufflenet_v1,
    shufflenet_v2,
)

OURS = ("ghostnet", "g_ghost_regnetx")  # the families that are made for ImageNet


def _ours(size, name):
    shape = builder.square(3, size)
    return registry.create_model(name, input_shape=shape, classifier_activation=None)


BUILDERS = {
    "mobilenet_v1_050": partial(applications.mobilenet_v1, 0.5),
    "mobilenet_v2_035": partial(applications.mobilenet_v2, 0.35),
    "mobilenet_v2_075": partial(applications.mobilenet_v2, 0.75),
    "mobilenet_v2_100": partial(applications.mobilenet_v2, 1.0),
    "mobilenet_v3_large_035": partial(applications.mobilenet_v3_large, 0.35),
    "mobilenet_v3_large_075": partial(applications.mobilenet_v3_large, 0.75),
    "mobilenet_v3_large_100": partial(applications.mobilenet_v3_large, 1.0),
    "shufflenet_v1_g3_100": shufflenet_v1.build,
    "shufflenet_v2_050": partial(shufflenet_v2.build, 0.5),
    "shufflenet_v2_100": partial(shufflenet_v2.build, 1.0),
    "shufflenet_v2_150": partial(shufflenet_v2.build, 1.5),
    "condensenet_v2_a": condensenet_v2.build,
    "fe_net_100": fe_net.build,
    "fbnet_b": partial(inverted_residuals.build, inverted_residuals.FBNET_B),
    "proxylessnas_mobile": partial(
        inverted_residuals.build, inverted_residuals.PROXYLESSNAS_MOBILE
    ),
    "mnasnet_a1": partial(inverted_residuals.build, inverted_residuals.MNASNET_A1),
    "mobilenext_100": sandglass.build,
    "resnet_50": applications.resnet_50,
    **{f"regnetx_{variant}": partial(regnetx.build, variant) for variant in specs.REGNETX},
    **{name: _ours for name, spec in specs.SPECS.items() if spec.family in OURS},
}
