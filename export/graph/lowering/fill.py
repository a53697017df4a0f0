"""Ghost modules whose maps fill blocks of channels, in another order of channels.

Kernels that take blocks of channels copy a concatenation block by block only if every part consists
of whole blocks. Of 20 maps and 20 more, in blocks of 8, the last 4 of both make a block of their
own: 16, 16 and 8 maps, where widening would make 24 and 24.
"""

import keras
import numpy as np

from keras_ghostnet.export.graph.lowering.double import repeat_last
from keras_ghostnet.export.graph.lowering.ghost import CHANNELS, as_ghost_module
from keras_ghostnet.export.graph.lowering.widen import Widening, reach, widen
from keras_ghostnet.export.graph.nodes import Graph, Node
from keras_ghostnet.export.graph.operations import crop


def fill_blocks(graph: Graph, size: int) -> Graph:
    """Orders the maps of ghost modules so that their parts are whole blocks of channels.

    The convolution makes the intrinsic maps of the last block twice, which fills it. The depthwise
    convolution outputs one of each pair as it is, beside what it makes of the other; so the
    concatenation joins the other blocks with its outputs. Exact, as all that reads the maps, or is
    added to them, gets the same order. Only where everything can. Changes and returns the graph.

    Args:
        graph: A deployment graph.
        size: Of a block. Where more than half of it is left of the intrinsic maps, these are
            widened instead.
    """
    modules = {
        node: _order(module.convolution.shape[-1], size)
        for node in graph.nodes()
        if (module := as_ghost_module(node)) and module.convolution.shape[-1] % size
    }
    for node in list(modules):
        if node not in modules:  # was reached from another
            continue
        reached = reach(graph, node, modules[node], sums=True, modules=modules)
        if reached is None:
            continue
        widen(reached)
        made, _ = reached
        for concat in modules.keys() & made.keys():
            graph.replace(concat, _filled(concat, size))
            del modules[concat]
    return graph


def _order(maps, size):
    """Where the channels of a module are: of its intrinsic maps, then of the others."""
    left = maps % size
    whole = maps - left
    if 2 * left > size:
        indices = np.arange(maps)
        return Widening(np.concatenate([indices, whole + size + indices]), 2 * (whole + size))
    first, last = np.arange(whole), np.arange(2 * whole, 2 * whole + left)
    indices = np.concatenate([first, last, whole + first, last + left])
    return Widening(indices, 2 * whole + size)


def _filled(concat, size):
    """The module with whole blocks; without concatenation if it had less than one."""
    module = as_ghost_module(concat)
    maps = module.convolution.shape[-1]
    left = maps % size
    twice = left if 2 * left <= size else 0
    depthwise = repeat_last(module, twice, size - left - twice)
    whole = maps - left if twice else maps - left + size
    if not whole:
        return depthwise
    # The ReLU in front of the depthwise convolution, or the convolution.
    (intrinsic,) = (depthwise.inputs[0] if module.relus[1] else depthwise).inputs
    if twice:
        kind, config = crop(intrinsic.shape, CHANNELS, 0, whole)
        shape = (*intrinsic.shape[:-1], whole)
        intrinsic = Node(f"{module.convolution.name}_blocks", kind, config, [intrinsic], shape)
    channels = whole + depthwise.shape[-1]
    config, shape = {"axis": CHANNELS}, (*concat.shape[:-1], channels)
    return Node(concat.name, keras.layers.Concatenate, config, [intrinsic, depthwise], shape)
