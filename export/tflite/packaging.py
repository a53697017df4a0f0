"""What a `.tflite` file says of itself: names, a signature, metadata with the classes' names."""

import io
import zipfile

import flatbuffers
import numpy as np

from keras_ghostnet.export.contents import TFLITE_HALF as HALF
from keras_ghostnet.export.contents import TFLITE_LABELS as LABELS
from keras_ghostnet.export.contents import TFLITE_METADATA as METADATA
from keras_ghostnet.export.contents import TFLITE_PRECISION as PRECISION
from keras_ghostnet.export.tflite import metadata
from keras_ghostnet.export.tflite.inspection import schema_module

INPUT, OUTPUT = "images", "outputs"  # as in ONNX files and in the served model's signatures
SIGNATURE = "serving_default"
ALIGNMENT = 16  # of buffers, in bytes, by the schema: kernels read weights where they lie


def package(content, labels=None, *, half=False, **facts):
    """Gives a network clean names and a signature and, with labels, metadata.

    The converter calls tensors by TensorFlow's scopes (`Identity`, or
    `quant_images/FakeQuantWithMinMaxVars;...`), and writes no signature for a function. With
    metadata, MediaPipe Tasks and ML Kit take a file of raw pixels as it is; LiteRT ignores it.

    Args:
        content: The bytes of a `.tflite` file with one input and one output.
        labels: The classes' names; without them that metadata is not written.
        half: Whether it may be computed in half precision where the processor can.
        **facts: Of `metadata.encode`.

    Returns:
        The bytes of the same network.
    """
    model = schema_module().ModelT.InitFromPackedBuf(content, 0)
    _sign(model)
    if half:
        _attach(model, PRECISION, HALF)
    if labels is None:
        return pack(model)
    (graph,) = model.subgraphs
    lines = label_lines(labels, int(graph.tensors[int(graph.outputs[0])].shape[-1]))
    _attach(model, METADATA, metadata.encode(labels_file=LABELS, **facts))
    return _append(pack(model), LABELS, "".join(f"{line}\n" for line in lines))


def label_lines(labels, units):
    """The classes' names as metadata have them: a line for each of the outputs, a list."""
    names = labels[-units:]  # one unit is the probability of the second class
    return [" ".join(f"{name}".split()) for name in names]


def pack(model):
    """The bytes of a `ModelT` of LiteRT's schema."""
    builder = _Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _sign(model):
    schema = schema_module()
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
    (graph,) = model.subgraphs
    signature.inputs = _named(graph.tensors, graph.inputs, INPUT)
    signature.outputs = _named(graph.tensors, graph.outputs, OUTPUT)
    model.signatureDefs = [signature]


def _named(tensors, indices, name):
    """The signature's entry for the only input or output, which is renamed."""
    (index,) = map(int, indices)
    for tensor in tensors:
        if tensor.name == name.encode():  # names are unique
            tensor.name += b"_inner"
    tensors[index].name = name.encode()
    entry = schema_module().TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return [entry]


def _attach(model, name, encoded):
    schema = schema_module()
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(encoded, "uint8")
    entry.name, entry.buffer = name, len(model.buffers)
    model.buffers.append(buffer)
    others = [other for other in model.metadata or () if other.name != name]
    model.metadata = [*others, entry]


def _append(content, name, text):
    """A network with a file behind it, as a zip archive: that is how metadata refers to files."""
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:  # not compressed: readers map it
        archive.writestr(zipfile.ZipInfo(name), text)  # without the time: the same each time
    return stream.getvalue()


class _Builder(flatbuffers.Builder):
    """Aligns buffers as the schema asks for, which the object API for Python does not."""

    def StartVector(self, elemSize, numElems, alignment):
        if elemSize == 1:
            alignment = max(alignment, ALIGNMENT)
        return super().StartVector(elemSize, numElems, alignment)
