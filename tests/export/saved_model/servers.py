"""TensorFlow Serving's two protocols on loopback, with its session behind them.

Only what the clients use: Predict over gRPC, and over REST in rows of a single input.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import re
import threading

import grpc
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc

from keras_ghostnet.export.saved_model.session import predict_request

HOST = "127.0.0.1"


@contextlib.contextmanager
def grpc_server(session, model):
    """Serves a session as a model of that name; yields the address."""

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            if request.model_spec.name != model:
                context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.model_spec.name}")
            try:
                return session.predict(request)
            except ValueError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        server.stop(None).wait()


@contextlib.contextmanager
def rest_server(session, model):
    """Serves a session as a model of that name; yields the URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = re.fullmatch(r"/v1/models/([^/:]+):predict", self.path)
            if found is None or found[1] != model:
                return self._answer(404, {"error": f"no servable at {self.path}"})
            try:
                return self._answer(200, {"predictions": _rows(session, content)})
            except ValueError as error:
                return self._answer(400, {"error": str(error)})

        def _answer(self, status, content):
            content = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _rows(session, content):
    """A request in rows as the server's JSON reader takes it, and its answer in rows."""
    name = content.get("signature_name", "serving_default")
    if name not in session.signatures:
        raise ValueError(f"no signature {name}")
    (key,) = session.signatures[name].inputs
    values = [
        base64.b64decode(value["b64"], validate=True) if isinstance(value, dict) else value
        for value in content["instances"]
    ]
    response = session.predict(predict_request({key: values}, name))
    columns = {key: tf.make_ndarray(tensor).tolist() for key, tensor in response.outputs.items()}
    if len(columns) == 1:
        (column,) = columns.values()
        return _plain(column)
    return [
        {key: _plain(column[row]) for key, column in columns.items()} for row in range(len(values))
    ]


def _plain(value):
    """Strings as JSON has them: only those of outputs named `*_bytes` would be in base 64."""
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value.decode() if isinstance(value, bytes) else value
