"""`.safetensors` files, through the format's own library."""

import ml_dtypes
import numpy as np
import safetensors

from keras_ghostnet.weights.readers.checkpoint import refusal, shown

_MAX_HEADER = 100_000_000  # the format's own limit
_DTYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}


def is_safetensors(head):
    """Tells whether `head` is the length of a header and the beginning of its JSON object."""
    return 2 <= int.from_bytes(head[:8], "little") <= _MAX_HEADER and head[8:9] == b"{"


def read(file):
    """Reads a safetensors file.

    Args:
        file: The open file.

    Returns:
        `{name: array}`.

    Raises:
        CheckpointError: If the file is damaged or holds a type that NumPy has no like of.
    """
    try:
        entries = safetensors.deserialize(file.read())
    except safetensors.SafetensorError as error:
        raise refusal(f"a damaged file ({shown(str(error), 120)})", "header and data") from error
    return {name: _array(name, entry) for name, entry in sorted(entries, key=_name)}


def _name(named_entry):
    # The library gives the tensors in another order each time; errors should not vary.
    return named_entry[0]


def _array(name, entry):
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        raise refusal(
            f"tensor {shown(name)} of type {shown(entry['dtype'])}",
            f"one of {', '.join(_DTYPES)}",
            "Save the weights as 32-bit floats.",
        )
    return np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
