"""What an IR file holds."""

from keras_ghostnet.export import contents
from keras_ghostnet.export.openvino.runtime import BIN, LABELS, SECTION, XML, read

TYPES = {"f32": "float32", "f16": "float16", "i8": "int8", "u8": "uint8"}


def describe(path):
    """As `keras_ghostnet.export.contents.describe`: `metadata` is what `model_info` says.

    Raises:
        ImportError: If OpenVINO is missing.
        ValueError: If it cannot be read, or has other files than an export writes.
    """
    contents.require_only(path, (XML, BIN))
    model = read(path)
    constants = {
        TYPES.get(node.get_element_type().get_type_name())
        for node in model.get_ordered_ops()
        if node.get_type_name() == "Constant"
    }
    said = model.get_rt_info()[SECTION] if model.has_rt_info(SECTION) else {}
    metadata = {name: str(said[name].value) for name in said}
    return {
        "inputs": [_tensor(port) for port in model.inputs],
        "outputs": [_tensor(port) for port in model.outputs],
        "precision": next((name for name in ("int8", "float16") if name in constants), "float32"),
        "labels": metadata[LABELS].split(" ") if LABELS in metadata else None,
        "metadata": metadata,
    }


def _tensor(port):
    kind = port.get_element_type().get_type_name()
    shape = [axis.get_length() if axis.is_static else None for axis in port.partial_shape]
    return {"name": port.get_any_name(), "shape": shape, "dtype": TYPES.get(kind, kind)}
