"""Compares an artifact, run in its own runtime, with the Keras model it was made from."""

import dataclasses
import pathlib

import numpy as np

from keras_ghostnet import files
from keras_ghostnet.export import formats
from keras_ghostnet.training.logits import TINY


class VerificationError(ValueError):
    """An artifact does not compute what its Keras model computes.

    Attributes:
        result: The `Verification` that failed; None if the outputs cannot be compared.
    """

    def __init__(self, message: str, result: "Verification | None" = None) -> None:
        super().__init__(message)
        self.result = result


@dataclasses.dataclass(frozen=True)
class Verification:
    """How an artifact compares with its Keras model on some images.

    Attributes:
        max_error: The largest difference of outputs, in standard deviations of the Keras
            model's outputs.
        typical_error: In the same unit, the median over the images of the root mean square of an
            image's differences: one image that int8 serves badly does not change it.
        cosine: Cosine of the angle between all outputs of both, in [-1, 1].
        agreement: The fraction of the images for which both choose the same class, in [0, 1].
        accuracy: The artifact's own accuracy, in [0, 1]; None without labels.
    """

    max_error: float
    typical_error: float
    cosine: float
    agreement: float
    accuracy: float | None


def verify(path, fmt, images, labels, reference, runner=None):
    """Runs an artifact and compares its outputs with the Keras model's.

    Args:
        path: The artifact. It is removed if it fails.
        fmt: Its `keras_ghostnet.export.formats.Format`.
        images: `(n, height, width, 3)`, preprocessed, not used for calibration; raw pixels,
            uint8, for an artifact that preprocesses.
        labels: The true classes' indices `(n,)`, or None.
        reference: The Keras model's outputs `(n, classes)` for the images.
        runner: What `formats.load` returned for the artifact, if it is loaded already.

    Returns:
        A `Verification`.

    Raises:
        VerificationError: If the differences exceed what the format allows.
    """
    path = pathlib.Path(path)
    runner = runner or formats.load(path, fmt)
    try:
        return verify_outputs(runner(images), reference, labels, fmt)
    except VerificationError as error:
        files.remove(path)
        raise VerificationError(f"{error} {path.name} was removed.", error.result) from None


def verify_outputs(outputs, reference, labels, fmt):
    """Compares outputs, and refuses those that differ by more than the format allows.

    Args:
        outputs, reference, labels, fmt: As `compare`.

    Returns:
        A `Verification`.

    Raises:
        VerificationError: If the differences exceed what the format allows.
    """
    result = compare(outputs, reference, labels, fmt)
    # Written so that a NaN fails.
    if (
        result.max_error <= fmt.max_error
        and result.typical_error <= fmt.max_typical_error
        and result.cosine >= fmt.min_cosine
        and result.agreement >= fmt.min_agreement
    ):
        return result
    raise VerificationError(
        f"The {fmt.name} artifact does not compute what the Keras model computes. On "
        f"{len(reference)} images: largest error {result.max_error:.2g} standard deviations of the "
        f"outputs (at most {fmt.max_error:g}), typical error {result.typical_error:.2g} (at most "
        f"{fmt.max_typical_error:g}), cosine {result.cosine:.6f} (at least "
        f"{fmt.min_cosine:g}), same class for {result.agreement:.2%} (at least "
        f"{fmt.min_agreement:.1%}). Check that the images are preprocessed as in training, and "
        "padding and channel order of the export.",
        result,
    )


def compare(outputs, reference, labels, fmt):
    """The figures of a `Verification`.

    Args:
        outputs: The artifact's outputs `(n, classes)`.
        reference: The Keras model's `(n, classes)`.
        labels: The true classes' indices `(n,)`, or None.
        fmt: The artifact's `Format`.

    Raises:
        VerificationError: If the shapes differ.
    """
    outputs, reference = np.asarray(outputs, "float64"), np.asarray(reference, "float64")
    if outputs.shape != reference.shape:
        raise VerificationError(
            f"{fmt.name} outputs {outputs.shape}, the Keras model {reference.shape}."
        )
    classes = outputs.argmax(axis=-1)
    agreement = np.mean(classes == reference.argmax(axis=-1))
    accuracy = None if labels is None else float(np.mean(classes == labels))
    if fmt.dtype != "int8" and _are_probabilities(reference):
        # Saturated probabilities hide errors: their logarithms are logits but for a constant.
        # Not so for int8, in which the smallest steps of a probability are 1/256.
        outputs, reference = (np.log(np.maximum(x, TINY)) for x in (outputs, reference))
    errors = (outputs - reference) / reference.std()
    return Verification(
        max_error=float(np.abs(errors).max()),
        typical_error=float(np.median(np.sqrt(np.square(errors).mean(axis=-1)))),
        cosine=float(
            np.vdot(outputs, reference) / (np.linalg.norm(outputs) * np.linalg.norm(reference))
        ),
        agreement=float(agreement),
        accuracy=accuracy,
    )


def _are_probabilities(outputs):
    return outputs.min() >= 0 and np.allclose(outputs.sum(axis=-1), 1, atol=1e-3)
