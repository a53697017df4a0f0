"""Where the time of a `.tflite` file goes, operator by operator, as it runs under XNNPACK."""

from keras_ghostnet.benchmark.profiling.profile import Profile, profile, validate_options

__all__ = ["Profile", "profile", "validate_options"]
