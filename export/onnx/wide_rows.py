"""Images as one channel of rows that hold the colors side by side, for the first convolution.

It then needs no transposed copy of them: channels last, such rows are how images lie in memory.
"""

import numpy as np

FIRST = [0, 3, 1, 2]  # the axes of images, channels first


def read_wide_rows(network):
    """Takes the Transpose of the images away where only convolutions read it.

    They see the same values: one channel, kernels, strides and paddings wider by the channels.

    Args:
        network: An `onnx.ModelProto` in float32 with one input, as
            `keras_ghostnet.export.onnx.conversion.convert` makes it.

    Returns:
        The network, changed, or as it is.
    """
    from onnx import helper, numpy_helper

    graph = network.graph
    (images,) = graph.input
    _, *size = (dim.dim_value for dim in images.type.tensor_type.shape.dim)
    readers = [node for node in graph.node if images.name in node.input]
    if [_attributes(node) for node in readers] != [{"perm": FIRST}]:
        return network
    (transpose,) = readers
    found = [node for node in graph.node if transpose.output[0] in node.input]
    names = {node.input[1] for node in found if len(node.input) > 1}
    kernels = [tensor for tensor in graph.initializer if tensor.name in names]
    if len(kernels) < len(names) or not all(map(_is_plain, found)):
        return network
    if any(node not in found for node in graph.node if names.intersection(node.input)):
        return network
    for tensor in kernels:
        kernel = np.moveaxis(numpy_helper.to_array(tensor), 1, -1)
        kernel = kernel.reshape(len(kernel), 1, kernel.shape[1], -1)
        tensor.CopyFrom(numpy_helper.from_array(kernel, tensor.name))
    for node in found:
        attributes = {"strides": [1, 1], **_attributes(node)}
        for name in attributes.keys() & {"kernel_shape", "pads", "strides"}:
            attributes[name][1::2] = [places * size[-1] for places in attributes[name][1::2]]
        del node.attribute[:]
        node.attribute.extend(map(helper.make_attribute, *zip(*attributes.items(), strict=True)))
    shape = np.array([-1, 1, size[0], size[1] * size[2]])
    transpose.name = transpose.name.replace(transpose.op_type, "Reshape")
    transpose.op_type = "Reshape"
    del transpose.attribute[:], network.graph.value_info[:]
    transpose.input.append(f"{transpose.name}/shape")
    graph.initializer.append(numpy_helper.from_array(shape, transpose.input[1]))
    return network


def _attributes(node):
    from onnx import helper

    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _is_plain(node):
    """Whether a node is a convolution whose padding is told, not dilated and without groups."""
    attributes = _attributes(node)
    return (
        node.op_type == "Conv"
        and attributes.get("auto_pad", b"NOTSET") == b"NOTSET"
        and attributes.get("group", 1) == 1
        and set(attributes.get("dilations", [1])) == {1}
    )
