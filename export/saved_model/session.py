"""Runs a SavedModel as TensorFlow Serving does: a session, fed with PredictRequests."""

import numpy as np
import tensorflow as tf

from keras_ghostnet.export.saved_model.operations import SIGNATURE
from keras_ghostnet.export.saved_model.protos import predict_pb2
from keras_ghostnet.quiet import quiet

TAG = "serve"


class ServingSession:
    """A SavedModel in a TensorFlow 1 session.

    It is also a runner as `keras_ghostnet.export.formats` describes it, of the default signature.
    Threads may share it. Use it as a context, or `close()` it.

    Args:
        path: The SavedModel's folder; of a layout, the version's.

    Attributes:
        signatures: The model's `SignatureDef`s by name.

    Raises:
        OSError: If there is no SavedModel.
    """

    def __init__(self, path):
        with quiet():
            self.session = tf.compat.v1.Session(graph=tf.Graph())
            with self.session.graph.as_default():
                loaded = tf.compat.v1.saved_model.loader.load(self.session, [TAG], str(path))
        self.signatures = dict(loaded.signature_def)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Frees the model."""
        self.session.close()

    def predict(self, request):
        """Answers a request.

        Args:
            request: A `PredictRequest`; without a signature's name it means the default one.
                `output_filter` chooses outputs, none means all.

        Returns:
            A `PredictResponse`.

        Raises:
            ValueError: If there is no such signature, input or output, or a type is wrong.
            tf.errors.OpError: If the graph refuses what it is fed.
        """
        name = request.model_spec.signature_name or SIGNATURE
        signature = _entry(self.signatures, name, "signature")
        if set(request.inputs) != set(signature.inputs):
            raise ValueError(
                f"The signature {name} takes {sorted(signature.inputs)}. "
                f"Received: {sorted(request.inputs)}."
            )
        feeds = {}
        for key, proto in request.inputs.items():
            info = signature.inputs[key]
            if proto.dtype != info.dtype:
                expected, found = (tf.as_dtype(kind).name for kind in (info.dtype, proto.dtype))
                raise ValueError(f"{key} must be {expected}. Received: {found}.")
            feeds[info.name] = tf.make_ndarray(proto)
        fetches = {
            key: _entry(signature.outputs, key, "output").name
            for key in request.output_filter or signature.outputs
        }
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for key, value in self.session.run(fetches, feeds).items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response

    def __call__(self, images, batch_size=64):
        batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
        return np.concatenate([self._run(self._request(batch)) for batch in batches])

    def single(self, image):
        """A function without arguments that runs one image `(height, width, 3)`."""
        request = self._request(image[None])
        return lambda: self._run(request)

    def _request(self, images):
        (key,) = self.signatures[SIGNATURE].inputs
        return predict_request({key: np.asarray(images, "float32")})

    def _run(self, request):
        (proto,) = self.predict(request).outputs.values()
        return tf.make_ndarray(proto)


def predict_request(inputs, signature=SIGNATURE, model=""):
    """A `PredictRequest`.

    Args:
        inputs: A dictionary of the inputs' names and arrays, or what
            `tf.make_tensor_proto` makes a tensor of.
        signature: The signature's name.
        model: The model's name.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def _entry(entries, key, kind):
    if key not in entries:
        raise ValueError(
            f"There is no {kind} {key!r}. Choose one of: {', '.join(sorted(entries))}."
        )
    return entries[key]
