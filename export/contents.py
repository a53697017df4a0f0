"""What an artifact holds, read from itself: to describe it, and to compare a description with it.

It is imported without Keras, also where artifacts of unknown origin are read
(`keras_ghostnet.export.sandbox`).
"""

import hashlib
import importlib
import json
import pathlib
import zipfile

import numpy as np

from keras_ghostnet.export.device import run

# What describes the artifacts that are folders, by their suffix.
FOLDERS = {
    "": "keras_ghostnet.export.saved_model.operations",
    ".ncnn": "keras_ghostnet.export.ncnn.inspection",
    ".openvino": "keras_ghostnet.export.openvino.inspection",
    ".web": "keras_ghostnet.export.web.inspection",
}
SAVED_MODEL = FOLDERS[""]
TFLITE_LABELS, TFLITE_METADATA = "labels.txt", b"TFLITE_METADATA"
# TFLite's metadata of a network that may be computed, and summed up, in half precision, as XNNPACK
# does on processors that can (LiteRT, `tflite/delegates/xnnpack/README.md`).
TFLITE_PRECISION, TFLITE_HALF = b"reduced_precision_support", b"fp16accfp16"
ONNX_LABELS, ONNX_RUNTIME = "labels", "runtime"  # of its metadata
INT8, FLOAT16, FLOAT32 = "int8", "float16", "float32"
MNN = "keras_ghostnet.export.mnn.inspection"


def describe(path):
    """What an artifact holds.

    Args:
        path: A `.tflite`, `.onnx` or `.mnn` file, or the folder of a SavedModel, an IR file, of
            ncnn or of a page.

    Returns:
        A dictionary as JSON can hold it: `inputs` and `outputs`, lists of dictionaries, in which an
        axis of any size is None (of a SavedModel, those of the default signature); `precision`, the
        type of the weights; `labels`, a list, None if it holds none, where the format can hold
        them; `top_k` of a SavedModel; `runtime` of an ONNX file; `page`, what a page is told of its
        model; `metadata`, the SHA-256 of a TFLite file's, or the texts of an IR file's
        `model_info`; `reduced_precision`, what
        processors may compute a TFLite file in instead of float32, None if in nothing else. Of
        other files nothing.

    Raises:
        ValueError: If it is damaged; if a SavedModel holds operations that no export makes.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        # Imported when needed: they bring their runtimes.
        return importlib.import_module(FOLDERS.get(path.suffix, SAVED_MODEL)).describe(path)
    reader = {".tflite": _tflite, ".onnx": _onnx, ".mnn": _mnn}.get(path.suffix)
    return reader(path) if reader else {}


def tensors(content):
    """Of what `describe` returned, what a sidecar repeats: `inputs` and `outputs`, if any."""
    return {key: content[key] for key in ("inputs", "outputs") if key in content}


def _tflite(path):
    from ai_edge_litert import schema_py_generated as schema

    model = run.Model(path)  # which checks it
    network = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    names = {code: name for name, code in vars(schema.TensorType).items()}
    types = {
        names[tensor.type].lower()
        for graph in network.subgraphs
        for tensor in graph.tensors
        if network.buffers[tensor.buffer].data is not None  # a constant
    }
    metadata = {
        entry.name: bytes(network.buffers[entry.buffer].data)
        for entry in reversed(network.metadata or [])  # of a name, the first counts
    }
    described, reduced = metadata.get(TFLITE_METADATA), metadata.get(TFLITE_PRECISION)
    return {
        "inputs": [_tflite_tensor(model.input)],
        "outputs": [_tflite_tensor(model.output)],
        "precision": next((name for name in (INT8, FLOAT16) if name in types), FLOAT32),
        "labels": None if described is None else _tflite_labels(path),
        "metadata": None if described is None else hashlib.sha256(described).hexdigest(),
        "reduced_precision": None if reduced is None else reduced.decode("ascii", "replace"),
    }


def _tflite_labels(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read(TFLITE_LABELS).decode().splitlines()


def _tflite_tensor(detail):
    scale, zero_point = detail["quantization"]
    tensor = {
        "name": detail["name"],
        "shape": detail["shape"].tolist(),
        "dtype": np.dtype(detail["dtype"]).name,
    }
    quantization = {"scale": float(scale), "zero_point": int(zero_point)} if scale else {}
    return {**tensor, **quantization}


def _onnx(path):
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    graph, properties = model.graph, {entry.key: entry.value for entry in model.metadata_props}
    constants = {constant.name for constant in graph.initializer}
    types = {onnx.TensorProto.DataType.Name(constant.data_type) for constant in graph.initializer}
    labels = properties.get(ONNX_LABELS)
    return {
        "inputs": [_onnx_tensor(value) for value in graph.input if value.name not in constants],
        "outputs": [_onnx_tensor(value) for value in graph.output],
        "precision": INT8 if "INT8" in types else FLOAT16 if "FLOAT16" in types else FLOAT32,
        "labels": None if labels is None else json.loads(labels),
        "runtime": properties.get(ONNX_RUNTIME),
    }


def _mnn(path):
    return importlib.import_module(MNN).describe(path)


def require_only(folder, names):
    """Refuses an artifact's folder that holds anything but files of these names.

    Raises:
        ValueError: If something else is there; the message names it.
    """
    others = sorted({path.name for path in pathlib.Path(folder).iterdir()} - set(names))
    if others:
        raise ValueError(
            f"{pathlib.Path(folder).name} holds {others[0]!r}, which no export puts there. Remove "
            "it, or export again."
        )


def of_one_image(model):
    """Inputs and outputs of a network that takes one image, channels first.

    Args:
        model: A `keras_ghostnet.export.device.run.ImageModel`, which is run once.
    """
    height, width, channels = model.input_shape
    outputs = model(np.zeros((1, *model.input_shape), "float32"))
    images = {"name": "images", "shape": [1, channels, height, width], "dtype": FLOAT32}
    values = {"name": "outputs", "shape": list(outputs.shape), "dtype": FLOAT32}
    return {"inputs": [images], "outputs": [values]}


def _onnx_tensor(value):
    import onnx

    kind = value.type.tensor_type
    return {
        "name": value.name,
        "shape": [axis.dim_value or None for axis in kind.shape.dim],
        "dtype": onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
    }
