"""The class of the models with feature maps of several strides."""

import keras

from keras_ghostnet.layers.normalization import PACKAGE
from keras_ghostnet.layers.types import Tensor


@keras.saving.register_keras_serializable(package=PACKAGE)
class FeaturePyramid(keras.Model):
    """A functional model whose output is a dictionary of feature maps by level.

    `keras_ghostnet.feature_pyramid` makes it.
    """

    @property
    def pyramid_outputs(self) -> dict[str, Tensor]:
        """The symbolic outputs by level, where KerasHub's models look for them."""
        return self.output
