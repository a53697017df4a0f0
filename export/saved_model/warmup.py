"""Requests that TensorFlow Serving sends to a model before it is ready, in the model's folder.

A model's first run is slow: the graph is optimized, memory is taken. The records make the server
do that before it announces the version.
"""

import pathlib

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_ghostnet.export.saved_model.protos import prediction_log_pb2
from keras_ghostnet.export.saved_model.session import TAG, predict_request

PLACE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")  # as TF Serving wants it
PHOTO = (480, 640, 3)


def write(folder, model):
    """Adds warm-up records, one per signature, to a SavedModel.

    Args:
        folder: The SavedModel's.
        model: The name that the server gives the model.
    """
    path = pathlib.Path(folder) / PLACE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in _requests(pathlib.Path(folder), model):
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())


def read(folder):
    """The `PredictRequest`s of a SavedModel's warm-up records.

    Args:
        folder: The SavedModel's.

    Raises:
        tf.errors.NotFoundError: If it has none.
    """
    path = pathlib.Path(folder) / PLACE
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    logs = map(prediction_log_pb2.PredictionLog.FromString, records)
    return [log.predict_log.request for log in logs]


def _requests(folder, model):
    content = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (graph,) = (graph for graph in content.meta_graphs if TAG in graph.meta_info_def.tags)
    return [
        predict_request(
            {key: _example(info) for key, info in signature.inputs.items()}, name, model
        )
        for name, signature in sorted(graph.signature_def.items())
        if signature.inputs  # not so of the one that initializes
    ]


def _example(info):
    """A tensor for an input: two files, or one image of the demanded or a photo's size."""
    if info.dtype == tf.string.as_datatype_enum:
        gradient = np.linspace(0, 255, np.prod(PHOTO)).reshape(PHOTO).astype("uint8")
        encode = (tf.io.encode_jpeg, tf.io.encode_png)
        return tf.make_tensor_proto([function(gradient).numpy() for function in encode])
    demanded = [dimension.size for dimension in info.tensor_shape.dim][1:]
    shape = [size if size > 0 else some for size, some in zip(demanded, PHOTO, strict=True)]
    # Of equal values a tensor's message holds only one.
    return tf.make_tensor_proto(0, tf.as_dtype(info.dtype), (1, *shape))
