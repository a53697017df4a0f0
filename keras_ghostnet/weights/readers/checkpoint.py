"""What every reader returns, how every reader refuses, and the checks that all of them share."""

import dataclasses

import ml_dtypes
import numpy as np

FORMATS = {
    "safetensors": "a .safetensors file",
    "torch": "a PyTorch state_dict (.pth, .pt; zip archive or the stream before PyTorch 1.6)",
    "paddle": "a Paddle state_dict (.pdparams, .pdopt)",
    "keras2_h5": "a Keras 2 weight file (.h5)",
    "keras3_h5": "a Keras 3 weight file (.weights.h5)",
    "keras3_archive": "a Keras 3 archive (.keras)",
}

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

# How far a file may unfold in memory. Trained weights hardly compress (below 1.2 to 1); freshly
# initialized ones are mostly zeros, hence the floor, which is harmless on any machine.
EXPANSION_FLOOR = 64 * 2**20
EXPANSION_RATIO = 16

_DOWNLOAD_AGAIN = "Download or save the file again and compare its size and checksum."
_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The tensors of one checkpoint.

    Attributes:
        path: The file that was named.
        format: One of the keys of `FORMATS`; identified by its contents, not by the file's name.
        tensors: The checkpoint's own names and arrays in the checkpoint's own layout. Floating
            arrays keep their precision; all are in the machine's byte order. They may be
            read-only and may share memory.
        files: The files that were read, more than one for a checkpoint in shards.
        index: The index that lists them; None if there is none.
    """

    path: str
    format: str
    tensors: dict[str, np.ndarray]
    files: tuple[str, ...]
    index: str | None = None


class CheckpointError(ValueError):
    """A checkpoint file cannot be used; the text says what was found, expected and to be done."""


def refusal(found, expected, advice=_DOWNLOAD_AGAIN):
    """Returns the error for something in a file that a reader cannot or must not take.

    Args:
        found: What the file holds.
        expected: What a good file would hold in its place.
        advice: What the user can do; a complete sentence.

    Returns:
        A `CheckpointError` to raise. `read_checkpoint` puts the file's name in front.
    """
    return CheckpointError(f"found {found}; expected {expected}. {advice}")


def shown(value, limit=80):
    """Returns something from a file in a form that is short, printable and quick to make.

    Args:
        value: Anything. Containers are named by type only: printing nested ones may never end.
        limit: Characters at most.
    """
    if isinstance(value, (str, bytes, bytearray)):
        text = ascii(value[: limit + 1])
    elif value is None or (isinstance(value, (int, float)) and abs(value) < 2**64):
        text = ascii(value)
    else:
        text = f"of type {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def check_expansion(declared, stored, what):
    """Refuses content that would unfold to far more memory than its file takes.

    Args:
        declared: Bytes that the content says it needs.
        stored: Bytes that hold it in the file.
        what: Name of the content, for the message.

    Raises:
        CheckpointError: If `declared` is out of proportion to `stored`.
    """
    if declared > max(EXPANSION_FLOOR, EXPANSION_RATIO * stored):
        raise refusal(
            f"{what}, which would unfold from {stored} to {declared} bytes",
            f"weights, which hardly compress (at most {EXPANSION_RATIO} to 1 is accepted)",
            "The file looks like a decompression bomb: do not use it.",
        )


def is_floating(dtype):
    """Tells whether `dtype` is a floating-point type; NumPy calls bfloat16 "void"."""
    return dtype.kind == "f" or dtype == BFLOAT16


def checked_tensors(tensors, file_size):
    """Applies the checks common to all formats.

    Args:
        tensors: `{name: array}` as a reader built it.
        file_size: Size of the file in bytes.

    Returns:
        The same tensors in native byte order.

    Raises:
        CheckpointError: If there is no tensor, one is not numeric, or one holds NaN or Inf.
    """
    if not tensors:
        raise refusal(
            "no tensors at all",
            "the weights of a network",
            "Save the network's state_dict (PyTorch, Paddle) or its weights (Keras).",
        )
    check_expansion(sum(array.nbytes for array in tensors.values()), file_size, "the tensors")
    odd = [
        name for name, a in tensors.items() if not (a.dtype.kind in "iub" or is_floating(a.dtype))
    ]
    if odd:
        types = ", ".join(f"{shown(name)} of type {tensors[name].dtype}" for name in odd[:_SHOWN])
        raise refusal(
            f"{len(odd)} tensor(s) that are not real numbers: {types}",
            "floating-point, integer or boolean tensors",
            "Save the checkpoint with real numeric weights only.",
        )
    bad = [name for name, a in tensors.items() if is_floating(a.dtype) and not _finite(a)]
    if bad:
        raise refusal(
            f"NaN or infinity in {len(bad)} tensor(s): {', '.join(map(shown, bad[:_SHOWN]))}",
            "finite weights",
            "The training that wrote it diverged, or the file is damaged: use an earlier one.",
        )
    return {name: _native(array) for name, array in tensors.items()}


def _finite(array):
    return bool(np.isfinite(array).all())


def _native(array):
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
