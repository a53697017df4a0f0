"""The first layers of a network that ONNX Runtime computes faster in float than in int8.

Its int8 convolutions list, for every place of the maps, where the places that they see begin in
memory, and round every output; the float ones do neither. So int8 pays where products sum up many
inputs, at the end of a network, and costs where maps are large and channels few, at its beginning.
"""

import math

from keras_ghostnet.export.onnx import graphs

# Nanoseconds on one core with AVX-512 and VNNI: fits of what ONNX Runtime's profiler prints for
# single layers. `make bench-cpu` measures the whole.
PRODUCT = 0.010  # what int8 saves, for every product
VALUE = 0.06  # what it saves for every value that is read or written, of a byte instead of four
OUTPUT = 0.2  # what it costs to round one
TAP, TAP_CHANNEL = 2.2, 0.012  # what a depthwise convolution costs more, for every place
COPY = 20.0  # what it costs to copy the inputs of a place, unless they are one pixel
QUANTIZE = 0.5  # what it costs to quantize a value where int8 begins, and to reorder an image
WEIGHTS = 1 / 16  # that stay in float, of all, at most: files are small


def float_start(network):
    """Names of the first nodes, which take longer in int8 than in float.

    They end where a single tensor leads on, so that only that one is quantized.

    Args:
        network: An `onnx.ModelProto` in float32 with one input.
    """
    shapes = graphs.shapes(network)
    constants = {tensor.name: math.prod(tensor.dims) for tensor in network.graph.initializer}
    room = WEIGHTS * sum(constants.values())
    nodes = list(network.graph.node)
    last = {name: index for index, node in enumerate(nodes) for name in node.input}
    cost = least = QUANTIZE * _size(shapes[network.graph.input[0].name])
    end, live = 0, set()
    for index, node in enumerate(nodes):
        cost += _saved(node, shapes)
        room -= sum(constants.get(name, 0) for name in node.input)
        live |= {*node.input, *node.output} - constants.keys()
        live = {name for name in live if last.get(name, -1) > index}
        if len(live) == 1 and room >= 0:
            (name,) = live
            total = cost + QUANTIZE * _size(shapes[name])
            if total < least:
                least, end = total, index + 1
    return [node.name for node in nodes[:end]]


def _size(shape):
    return math.prod(shape[1:])


def _saved(node, shapes):
    """Nanoseconds that a node takes less in int8 than in float; negative if it takes more."""
    if node.op_type != "Conv":
        return 0.0
    channels, *places = shapes[node.output[0]][1:]
    places = math.prod(places)
    inputs, *size = shapes[node.input[1]][1:]
    taps = math.prod(size)
    groups = {attribute.name: attribute.i for attribute in node.attribute}.get("group", 1)
    moved = VALUE * (_size(shapes[node.input[0]]) + places * channels)
    if inputs == 1 and groups > 1:
        return moved - places * taps * (TAP + TAP_CHANNEL * channels)
    saved = channels * (PRODUCT * taps * inputs - OUTPUT)
    if groups > 1:  # float ones copy, too, and reorder the channels for that
        saved += COPY * groups
    elif taps > 1:
        saved -= COPY
    return moved + places * saved
