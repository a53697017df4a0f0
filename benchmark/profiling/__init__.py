"""Where the time of a `.tflite` file goes, operator by operator, as it runs under XNNPACK."""

from keras_ghostnet.benchmark.profiling.profile import Profile, check, profile

__all__ = ["Profile", "check", "profile"]
