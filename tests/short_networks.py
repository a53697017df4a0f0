"""Both families with few blocks, of each kind some, behind the very same constructors.

Building, tracing and training take a third of the time. The whole networks: `tests/test_models.py`,
`tests/test_golden.py`, `tests/training/test_recipe_runs.py`.
"""

import contextlib
import dataclasses
from unittest import mock

from keras_ghostnet import specs

whole_ghostnet, whole_g_ghost_regnetx = specs.ghostnet, specs.g_ghost_regnetx


def ghostnet(width):
    """Strides of 1 and 2, kernels of 3 and 5, with and without gates, both shortcuts."""
    spec = whole_ghostnet(width)
    first, second, *others = spec.stages
    return dataclasses.replace(spec, stages=(first, second, *(stage[:1] for stage in others)))


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
    short = {
        name: ghostnet(spec.width) if spec.family == "ghostnet" else g_ghost_regnetx(spec.size)
        for name, spec in specs.SPECS.items()
        if spec.family in ("ghostnet", "g_ghost_regnetx")
    }
    with (
        mock.patch.multiple(specs, ghostnet=ghostnet, g_ghost_regnetx=g_ghost_regnetx),
        mock.patch.dict(specs.SPECS, short),
    ):
        yield
