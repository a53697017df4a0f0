"""The families cut short: each kind of block once, so that a conversion takes a third as long."""

import dataclasses
from unittest import mock

import keras

from keras_ghostnet import registry, specs
from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
from keras_ghostnet.quiet import quiet

SHAPE = (64, 64, 3)
NAMES = ("ghostnet_050", "g_ghost_regnetx_002")
SINCE = ("ghostnetv2_100", "ghostnetv3_050", "repghostnet_050")


def short_network(name, classifier_activation=None, input_shape=SHAPE):
    """An untrained network of 10 classes, of one of `NAMES` or `SINCE` but for its depth."""
    spec = _short(specs.get_spec(name))
    with mock.patch.object(specs, spec.family, return_value=spec):
        return registry.from_spec(
            spec,
            classes=10,
            classifier_activation=classifier_activation,
            input_shape=input_shape,
        )


def settled_network(name, images, **options):
    """The same with batch norms whose statistics are those of images."""
    keras.utils.set_random_seed(0)
    with quiet():
        return settle_batch_norms(short_network(name, **options), images, momentum=0.004)


def _short(spec):
    if spec.family == "g_ghost_regnetx":
        # One plain stage, and a G-Ghost stage of a base, a raw and an end block.
        first, _, third, _ = spec.stages
        return dataclasses.replace(spec, stages=(first, dataclasses.replace(third, depth=3)))
    # Strides of 1 and 2, kernels of 3 and 5, with and without gates, both shortcuts.
    first, second, third, fourth, _ = spec.stages
    return dataclasses.replace(spec, stages=(first, second, third[:1], fourth[4:5]))
