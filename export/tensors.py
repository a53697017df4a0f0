"""What goes in and out of an artifact: names, shapes, types and quantization."""

import pathlib

import numpy as np


def describe(path):
    """An artifact's inputs and outputs, for a sidecar.

    Args:
        path: A `.tflite` or `.onnx` file, or the folder of a SavedModel.

    Returns:
        A dictionary of two lists, `inputs` and `outputs`, of dictionaries; an axis of any size
        is None. Of a SavedModel they are those of the default signature. Nothing of other files.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return _saved_model(path)
    reader = {".tflite": _tflite, ".onnx": _onnx}.get(path.suffix)
    return reader(path) if reader else {}


def _tflite(path):
    from keras_ghostnet.export import tflite

    runner = tflite.load(path)
    return {"inputs": [_tflite_tensor(runner.input)], "outputs": [_tflite_tensor(runner.output)]}


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

    graph = onnx.load(str(path), load_external_data=False).graph
    constants = {constant.name for constant in graph.initializer}
    return {
        "inputs": [_onnx_tensor(value) for value in graph.input if value.name not in constants],
        "outputs": [_onnx_tensor(value) for value in graph.output],
    }


def _onnx_tensor(value):
    import onnx

    kind = value.type.tensor_type
    return {
        "name": value.name,
        "shape": [axis.dim_value or None for axis in kind.shape.dim],
        "dtype": onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
    }


def _saved_model(path):
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    from keras_ghostnet.export.saved_model.conversion import SIGNATURE

    content = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    signature = content.meta_graphs[0].signature_def[SIGNATURE]
    return {
        kind: [
            {
                "name": name,
                "shape": [axis.size if axis.size > 0 else None for axis in info.tensor_shape.dim],
                "dtype": tf.as_dtype(info.dtype).name,
            }
            for name, info in sorted(infos.items())
        ]
        for kind, infos in (("inputs", signature.inputs), ("outputs", signature.outputs))
    }
