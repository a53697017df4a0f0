"""The families with few blocks, of each kind some, behind the very same constructors.

Building, tracing and training take a third of the time. The whole networks: `tests/test_models.py`,
`tests/test_golden.py`.
"""

import contextlib
import dataclasses
from unittest import mock

from keras_ghostnet import specs

WIDE = ("ghostnet", "ghostnetv2", "ghostnetv3", "repghostnet")  # families of any width
whole_g_ghost_regnetx = specs.g_ghost_regnetx


def shortened(make):
    """Strides of 1 and 2, kernels of 3 and 5, with and without gates, both shortcuts."""

    def short(*arguments, **options):
        spec = make(*arguments, **options)
        return dataclasses.replace(spec, stages=tuple(stage[:1] for stage in spec.stages))

    return short


def g_ghost_regnetx(size):
    """Plain stages of one block, and G-Ghost stages of a base, a raw and an end block."""
    spec = whole_g_ghost_regnetx(size)
    depths = [3 if stage.ghost else 1 for stage in spec.stages]
    return dataclasses.replace(
        spec,
        stages=tuple(
            dataclasses.replace(stage, depth=depth)
            for stage, depth in zip(spec.stages, depths, strict=True)
        ),
    )


@contextlib.contextmanager
def short_networks():
    """Within it, every constructor of these families builds the short network."""
    makers = {family: shortened(getattr(specs, family)) for family in WIDE}
    short = {
        name: makers[spec.family](spec.width) if spec.family in WIDE else g_ghost_regnetx(spec.size)
        for name, spec in specs.SPECS.items()
        if spec.family in (*WIDE, "g_ghost_regnetx")
    }
    with (
        mock.patch.multiple(specs, g_ghost_regnetx=g_ghost_regnetx, **makers),
        mock.patch.dict(specs.SPECS, short),
    ):
        yield
