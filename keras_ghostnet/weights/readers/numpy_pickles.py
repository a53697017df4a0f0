"""What NumPy arrays look like in a pickle: the builders for them, and the arrays made of those.

Pickled arrays are validated when they are taken, not when they are met: a checkpoint may hold
odd ones among its side data that nobody asks for.
"""

import dataclasses
import math
import re
from collections.abc import Callable

import numpy as np

from keras_ghostnet.weights.readers.checkpoint import refusal
from keras_ghostnet.weights.readers.symbols import Buildable, Symbol, dimensions

_NUMERIC = re.compile(r"f[248]|[iu][1248]|b1")
_BYTE_ORDERS = ("<", ">", "|", "=")


@dataclasses.dataclass
class PickledDtype(Buildable):
    """A NumPy type as a pickle gives it: a code such as "f4" and a state with the byte order."""

    code: object
    state: object = None

    def set_state(self, state):
        """Takes the state."""
        self.state = state

    def dtype(self):
        """Returns the NumPy type; refuses all but plain numbers."""
        if not isinstance(self.code, str) or not _NUMERIC.fullmatch(self.code):
            code = self.code[:20] if isinstance(self.code, str) else type(self.code).__name__
            raise refusal(f"an array of type {code!r}", "floating-point, integer or boolean arrays")
        state = self.state if self.state is not None else (3, "=", None, None, None)
        plain = isinstance(state, tuple) and len(state) >= 5 and state[2:5] == (None,) * 3
        if not plain or state[1] not in _BYTE_ORDERS:
            raise refusal("an array type with fields or an unknown byte order", "a plain type")
        return np.dtype(self.code).newbyteorder(state[1])


@dataclasses.dataclass
class PickledArray(Buildable):
    """A NumPy array as a pickle gives it; `array` makes it real."""

    shape: object = None
    dtype: object = None
    fortran: object = False
    data: object = None

    def set_state(self, state):
        """Takes (version, shape, type, Fortran order, bytes)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise refusal("an array whose state is no tuple of five", "the state NumPy writes")
        _, self.shape, self.dtype, self.fortran, self.data = state

    @property
    def nbytes(self):
        """Size of the data, known before `array` makes a copy of it."""
        return len(self.data) if isinstance(self.data, (str, bytes)) else 0

    def array(self):
        """Returns the array, a read-only view of the pickle's bytes.

        Raises:
            CheckpointError: If shape, type and number of bytes do not fit together.
        """
        if not isinstance(self.dtype, PickledDtype):
            raise refusal("an array without a type", "shape, type and data of an array")
        dtype, shape = self.dtype.dtype(), dimensions(self.shape, "an array's shape")
        data = self.data.encode("latin-1") if isinstance(self.data, str) else self.data
        if not isinstance(data, bytes):
            raise refusal(f"array data of type {type(data).__name__}", "bytes")
        if len(data) != math.prod(shape) * dtype.itemsize:
            raise refusal(
                f"{len(data)} bytes for an array of shape {shape} and type {dtype}",
                f"{math.prod(shape) * dtype.itemsize}",
            )
        return np.frombuffer(data, dtype).reshape(shape, order="F" if self.fortran else "C")


def _encode(text, encoding):
    """Stands for `_codecs.encode(text, "latin1")`, by which protocols below 3 write bytes.

    The text stays text until an array is made of it: a pickle may encode one a million times.
    """
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise refusal("an encoded text that holds no bytes", "latin-1 text")
    return text


def _reconstruct(kind, _shape, _code):
    if kind != Symbol("numpy", "ndarray"):
        raise refusal(f"an array of class {kind}", "numpy.ndarray")
    return PickledArray()


def _dtype(code, _align=False, _copy=True):
    return PickledDtype(code)


def _scalar(dtype, data):
    return PickledArray((), dtype, False, data)


BUILDERS: dict[Symbol, Callable] = {
    Symbol("_codecs", "encode"): _encode,
    Symbol("numpy", "dtype"): _dtype,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):  # NumPy 1 and NumPy 2
    BUILDERS[Symbol(_module, "_reconstruct")] = _reconstruct
    BUILDERS[Symbol(_module, "scalar")] = _scalar
