"""What a network costs with ghost modules and without, layer by layer."""

import dataclasses

import keras

from keras_ghostnet.counting import count_layer_macs, count_macs, count_parameters
from keras_ghostnet.ghosting.graph import Calls
from keras_ghostnet.ghosting.selection import candidates
from keras_ghostnet.layers import GhostModule

OTHERS, TOTAL = "other layers", "total"


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """What a layer costs before and after `ghostify`.

    Attributes:
        layer: Its name, behind those of the models that it is nested in; or `"other layers"`, or
            `"total"`.
        note: `"ghost module"`, or why the convolution is left as it is.
        parameters: How many there are before and after. A batch norm that became part of the
            module counts before, too.
        macs: The multiply-adds of one image, before and after.
    """

    layer: str
    note: str
    parameters: tuple[int, int]
    macs: tuple[int, int]


def ghost_costs(
    model: keras.Model, ghost: keras.Model, input_shape: tuple[int, ...] | None = None
) -> list[LayerCost]:
    """Compares a network with what `ghostify` made of it.

    Args:
        model: The network.
        ghost: The same with ghost modules.
        input_shape: As `count_macs`.

    Returns:
        A `LayerCost` for each 2D convolution of the network, one for all its other layers, and one
        for the whole.

    Raises:
        ValueError: If `ghost` was not made of this network, or as `count_macs`.
    """
    after = Calls(ghost).layers
    module = next((layer for layer in after.values() if isinstance(layer, GhostModule)), None)
    found = candidates(model, module.ratio, module.cheap_kernel_size) if module else []
    if not found or any(each.path not in after for each in found):
        raise ValueError(
            f"{ghost.name} was not made of {model.name} by `ghostify`: it has no ghost modules, or "
            "lacks layers. Give both, the network first."
        )
    macs, ghost_macs = count_layer_macs(model, input_shape), count_layer_macs(ghost, input_shape)
    rows = []
    for each in found:
        new = after[each.path]
        is_ghost = isinstance(new, GhostModule)
        layers = [each.layer, *(each.absorbed if is_ghost else ())]
        note = "ghost module" if is_ghost else each.reason
        parameters = sum(map(count_parameters, layers)), count_parameters(new)
        cost = macs[id(each.layer)], ghost_macs[id(new)]
        rows.append(LayerCost(each.path, note, parameters, cost))
    total = LayerCost(
        TOTAL,
        "",
        (count_parameters(model), count_parameters(ghost)),
        (count_macs(model, input_shape), count_macs(ghost, input_shape)),
    )
    others = LayerCost(OTHERS, "", _rest(total, rows, "parameters"), _rest(total, rows, "macs"))
    return [*rows, others, total]


def _rest(total, rows, kind):
    """What is left of a total, before and after."""
    parts = zip(*(getattr(row, kind) for row in rows), strict=True)
    return tuple(whole - sum(part) for whole, part in zip(getattr(total, kind), parts, strict=True))
