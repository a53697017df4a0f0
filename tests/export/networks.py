"""Both families cut short: each kind of block once, so that a conversion takes a third as long."""

import dataclasses

import keras

from keras_ghostnet import builder, g_ghostnet, ghostnet, specs
from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.quiet import quiet

SHAPE = (64, 64, 3)
NAMES = ("ghostnet_050", "g_ghost_regnetx_002")


def short_network(name, classifier_activation=None, input_shape=SHAPE):
    """An untrained network of 10 classes, of one of `NAMES` but for its depth."""
    spec = {"ghostnet_050": _ghostnet, "g_ghost_regnetx_002": _g_ghostnet}[name]()
    family, head = {
        "ghostnet": (ghostnet, ghostnet._head),
        "g_ghost_regnetx": (g_ghostnet, lambda x, spec: x),
    }[spec.family]
    return builder.build(
        spec,
        family._backbone,
        head,
        include_top=True,
        weights=None,
        input_tensor=None,
        input_shape=input_shape,
        pooling=None,
        classes=10,
        classifier_activation=classifier_activation,
        dropout_rate=0.2,
        name=None,
    )


def settled_network(name, images, **options):
    """The same with batch norms whose statistics are those of images."""
    keras.utils.set_random_seed(0)
    with quiet():
        return settle_batch_norms(short_network(name, **options), images, momentum=0.004)


def _ghostnet():
    """Strides of 1 and 2, kernels of 3 and 5, with and without gates, both shortcuts."""
    spec = specs.ghostnet(0.5)
    first, second, third, fourth, _ = spec.stages
    return dataclasses.replace(spec, stages=(first, second, third[:1], fourth[4:5]))


def _g_ghostnet():
    """One plain stage, and a G-Ghost stage of a base, a raw and an end block."""
    spec = specs.g_ghost_regnetx("002")
    first, _, third, _ = spec.stages
    return dataclasses.replace(spec, stages=(first, dataclasses.replace(third, depth=3)))
