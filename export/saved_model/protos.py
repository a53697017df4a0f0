"""The messages that TensorFlow Serving speaks, or word of what is missing."""

try:
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    from tensorflow_serving.config import model_server_config_pb2
except ImportError as error:
    raise ImportError(
        "TensorFlow Serving's messages are missing. Install them with: "
        'pip install "keras_ghostnet[serving]"'
    ) from error

__all__ = ["model_server_config_pb2", "predict_pb2", "prediction_log_pb2"]
