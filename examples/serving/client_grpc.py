"""Asks TensorFlow Serving over gRPC what is on images. Needs tensorflow-serving-api.

python client_grpc.py --model ghostnet_100 cat.jpg dog.png
"""

import argparse
import pathlib
import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def request(model, files):
    """The `PredictRequest` for some files' bytes."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = model
    message.model_spec.signature_name = "classify_bytes"
    message.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(files, tf.string))
    return message


def ask(server, model, files, timeout=10):
    """The answers for some files' bytes: arrays `classes`, `scores`, `labels` and `errors`.

    Raises:
        grpc.RpcError: If the server refuses the request or cannot be reached.
    """
    with grpc.insecure_channel(server) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = service.Predict(request(model, files), timeout)
    return {key: tf.make_ndarray(tensor) for key, tensor in response.outputs.items()}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="+", type=pathlib.Path, help="JPEG or PNG files")
    parser.add_argument("--model", required=True, help="its name in models.config")
    parser.add_argument("--server", default="localhost:8500")
    parser.add_argument("--timeout", type=float, default=10, help="seconds")
    options = parser.parse_args(arguments)
    files = [path.read_bytes() for path in options.images]
    try:
        answers = ask(options.server, options.model, files, options.timeout)
    except grpc.RpcError as error:
        sys.exit(f"{options.server}: {error.details()}")
    for index, path in enumerate(options.images):
        error = answers["errors"][index].decode()
        if error:
            print(f"{path}: {error}", file=sys.stderr)
            continue
        for label, score in zip(answers["labels"][index], answers["scores"][index], strict=True):
            print(f"{path}\t{label.decode()}\t{score:.4f}")
    return int(any(answers["errors"]))


if __name__ == "__main__":
    sys.exit(main())
