"""What the results of classifiers of images and of pixels have in common."""

import dataclasses
from typing import ClassVar

import numpy as np

from keras_ghostnet.training.data import ImageSource


@dataclasses.dataclass(frozen=True, eq=False)
class Results:
    """The results of a classifier on a source.

    Attributes:
        loss: The mean over the images of the cross-entropy.
        source: The images.
        indices: int64 `(examples,)`, the numbers in the source of the images that were usable,
            ascending.
    """

    loss: float
    source: ImageSource
    indices: np.ndarray

    figures: ClassVar[tuple[str, ...]]  # the attributes that are `metrics`

    @property
    def examples(self) -> int:
        """The number of images that were usable."""
        return len(self.indices)

    @property
    def keys(self) -> list[str]:
        """What the source calls the images: the path of a file, or `FILE:RECORD`."""
        return [self.source.key(index) for index in self.indices]

    @property
    def metrics(self) -> dict[str, float]:
        """The figures by name, `loss` and `examples` among them."""
        return {name: getattr(self, name) for name in self.figures}
