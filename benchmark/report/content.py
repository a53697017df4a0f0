"""What a report is made of."""

import dataclasses

import numpy as np

from keras_ghostnet.benchmark.latency import Latency


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One file or folder that a training run ends in: a row of the table.

    Attributes:
        name: The format, e.g. `"tflite_int8"`.
        file: Its name within the run directory.
        runtime: What it was run in, with the number of threads.
        bytes: Its size.
        accuracy: On the held-out images, in [0, 1].
        agreement: The fraction of the held-out images that get the Keras model's class, in [0, 1].
        max_error: The largest difference from the Keras model's outputs, in standard deviations
            of those.
        latency: Of one image.
    """

    name: str
    file: str
    runtime: str
    bytes: int
    accuracy: float
    agreement: float
    max_error: float
    latency: Latency


@dataclasses.dataclass(frozen=True)
class Sample:
    """One prediction.

    Attributes:
        image: Gray or RGB image, uint8 `(height, width)` or `(height, width, 3)`.
        label: The name of the true class.
        predicted: The name of the predicted class.
        confidence: The probability of the predicted class, in [0, 1].
    """

    image: np.ndarray
    label: str
    predicted: str
    confidence: float

    @property
    def is_right(self):
        """Whether the predicted class is the true one."""
        return self.predicted == self.label


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything on the page.

    Attributes:
        title: The heading.
        summary: One or two sentences below it.
        facts: Dict of labels and texts, on what was trained and how.
        history: One dict an epoch: `epoch`, `loss`, `accuracy`, `val_loss`, `val_accuracy`.
        training_note: What to know when reading the learning curves.
        confusion: Integers `(classes, classes)`: rows are true classes, columns predicted ones.
        class_names: In the order of the labels.
        samples: A list of `Sample`.
        artifacts: A list of `Artifact`.
        machine: `keras_ghostnet.environment.machine()`.
    """

    title: str
    summary: str
    facts: dict
    history: list
    training_note: str
    confusion: np.ndarray
    class_names: tuple
    samples: list
    artifacts: list
    machine: dict
