"""What a `.mnn` file is, read from it.

It is a FlatBuffer, by the schema of https://github.com/alibaba/MNN/tree/master/schema/default.
"""

import pathlib

import flatbuffers
from flatbuffers.table import Table

from keras_ghostnet.export import contents
from keras_ghostnet.export.device.mnn_model import Model

# Of tables, the indices of their fields.
OPERATORS, PARAMETERS_TYPE, PARAMETERS = 3, 1, 2  # of Net and Op
QUANTIZED, TYPE = 3, 2  # of Convolution2D and IDSTQuan
CONVOLUTION = 9  # in the union OpParameter
TYPES = {0: "float32", 1: "int8", 3: "float16", 4: "int8"}  # of IDSTQuan; 0 where there is none


def describe(path):
    """As `keras_ghostnet.export.contents.describe`."""
    return {**contents.of_one_image(Model(path)), "precision": weights_type(path)}


def weights_type(path: pathlib.Path) -> str:
    """The type of the weights of convolutions: `"float32"`, `"float16"`, `"int8"` or `"mixed"`.

    Dense layers are convolutions in MNN.
    """
    content = path.read_bytes()
    network = Table(content, flatbuffers.encode.Get(flatbuffers.packer.uoffset, content, 0))
    offset, found = _field(network, OPERATORS), set()
    for index in range(network.VectorLen(offset) if offset else 0):
        operator = Table(content, network.Indirect(network.Vector(offset) + 4 * index))
        kind = _field(operator, PARAMETERS_TYPE)
        if kind and operator.Bytes[operator.Pos + kind] == CONVOLUTION:
            found.add(_type(_table(operator, PARAMETERS)))
    return found.pop() if len(found) == 1 else "mixed"


def _type(convolution):
    quantized = _table(convolution, QUANTIZED)
    offset = quantized and _field(quantized, TYPE)
    value = offset and quantized.Get(flatbuffers.number_types.Int32Flags, quantized.Pos + offset)
    return TYPES.get(value or 0, "unknown")


def _field(table, index):
    """Where a field is, from the start of its table; 0 if it is not there."""
    return table.Offset(4 + 2 * index)


def _table(table, index):
    offset = _field(table, index)
    return Table(table.Bytes, table.Indirect(table.Pos + offset)) if offset else None
