"""Quantization-aware training and pruning of Keras 3 models with TFMOT, by way of tf_keras."""

from keras_ghostnet.export.quantization.bridge import to_tf_keras
from keras_ghostnet.export.quantization.pruning import prune
from keras_ghostnet.export.quantization.quantize_aware import QuantizedModel, quantize_aware

__all__ = ["QuantizedModel", "prune", "quantize_aware", "to_tf_keras"]
