"""What is distilled from: Keras models, and classifiers in a runtime of their own."""

from __future__ import annotations

import pathlib
import threading
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_ghostnet import model_reference
from keras_ghostnet.training import classifiers
from keras_ghostnet.training.logits import TINY

TIMED = 8  # images, by which a teacher's speed is told
SHOWN = 3  # names of classes
KERAS = ("", ".keras", ".h5")  # suffixes of runs' folders and of models


class Teacher:
    """A classifier to distill from that is called with arrays, from within the training step.

    It wraps any function, for example one that calls a network of PyTorch. A Keras model needs
    none of it, and is faster without.

    Args:
        name: What messages call it.
        predict: Function of normalized images, float32 `(n, height, width, 3)`, that returns the
            probabilities of classes that exclude each other, `(n, classes)`.
        size: `(height, width)` of the images, pixels: those that the student trains on.
        labels: The classes' names in the order of the outputs.
        close: Function without arguments that ends what runs it.

    Attributes:
        name, labels: As above.
        input_shape, output_shape: As a Keras model's.
    """

    def __init__(
        self,
        name: str,
        predict: Callable[[np.ndarray], np.ndarray],
        size: tuple[int, int],
        labels: Sequence[str],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self.labels, self.close = name, tuple(labels), close
        self.input_shape, self.output_shape = (None, *size, 3), (None, len(self.labels))
        self._predict, self._lock = predict, threading.Lock()

    def __enter__(self) -> Teacher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        """Logits of normalized images, float32 `(n, classes)`, of any number of replicas' calls."""
        probabilities = tf.numpy_function(self._run, [images], tf.float32)
        probabilities = tf.ensure_shape(probabilities, (images.shape[0], len(self.labels)))
        return tf.math.log(tf.maximum(probabilities, TINY))

    def images_per_second(self) -> float:
        """How fast it is, measured on a few gray images."""
        images = np.zeros((TIMED, *self.input_shape[1:]), "float32")
        self._run(images)  # the first call prepares memory
        start = time.perf_counter()
        self._run(images)
        return TIMED / (time.perf_counter() - start)

    def _run(self, images):
        with self._lock:  # replicas call from threads of their own
            return np.asarray(self._predict(images), "float32")


def resolve_teacher(
    teacher: keras.Model | Teacher | str | None,
    names: Sequence[str],
    trust_model: bool,
    on_tpu: bool,
    say: Callable[[str], None],
) -> Callable[[], keras.Model | Teacher] | None:
    """Finds a teacher, and tells what the user has to know of it. A Keras model's is not loaded.

    Args:
        teacher: A Keras classifier, a `Teacher`, or what a recipe's `teacher` names.
        names: The classes' names of the training images.
        trust_model: Whether its file may run code, as `keras_ghostnet.model_file.load_model`.
        on_tpu: Whether the training step runs on a TPU.
        say: Function of a line of text.

    Returns:
        A function without arguments that gives the teacher with variables of its own; None if
        there is none.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no teacher for this run.
    """
    if teacher is None:
        return None
    if isinstance(teacher, keras.Model):
        return lambda: classifiers.copy_model(teacher)
    if isinstance(teacher, Teacher):
        if on_tpu:
            raise ValueError(
                f"The teacher {teacher.name} runs on the CPU, which a step on a TPU cannot call. "
                "Distill from a Keras model."
            )
        _compare_classes(teacher.name, teacher.labels, names, say)
        say(
            f"The teacher {teacher.name} runs beside Keras, at about "
            f"{teacher.images_per_second():,.1f} images per second: training is no faster"
        )
        return lambda: teacher
    if model_reference.is_path(teacher) and pathlib.Path(teacher).suffix not in KERAS:
        raise ValueError(
            f"teacher={teacher} is no Keras model. The command takes exported files, too; in "
            f"Python: train(..., teacher=keras_ghostnet.export.open_teacher({teacher!r}))."
        )
    reference = model_reference.resolve_model(teacher, trust_model)
    if reference.recipe and reference.labels:  # of a run, on images of the same kind
        _compare_classes(teacher, reference.labels, names, say)
    return reference.load


def _compare_classes(teacher, taught, names, say):
    """Refuses the same classes in another order, and says so if the names are others."""
    if list(taught) == list(names):
        return
    if sorted(taught) == sorted(names):
        theirs, ours = next(pair for pair in zip(taught, names, strict=True) if pair[0] != pair[1])
        raise ValueError(
            f"The teacher {teacher} has the classes in another order: {theirs!r} where the images "
            f"have {ours!r}. Name the folders of the classes as they were when it was trained."
        )
    say(
        f"The teacher's classes have other names ({', '.join(taught[:SHOWN])}, ...; here "
        f"{', '.join(names[:SHOWN])}, ...): they are taken for the same, in their order"
    )
