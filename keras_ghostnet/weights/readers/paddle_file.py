"""Paddle's `.pdparams`: a pickle of `{name: NumPy array}`, of protocol 2 to 4."""

import math
import mmap
from collections.abc import Callable

import numpy as np

from keras_ghostnet.weights.readers import numpy_pickles, pickles, symbols
from keras_ghostnet.weights.readers.checkpoint import BFLOAT16, check_expansion, refusal, shown
from keras_ghostnet.weights.readers.numpy_pickles import PickledArray
from keras_ghostnet.weights.readers.state_dicts import network_state
from keras_ghostnet.weights.readers.symbols import Symbol

_NAME_TABLE = "StructuredToParameterName@@"
_SLICE_TABLE = "UnpackBigParamInfor@@"  # spelled so by Paddle


def is_pickle(head):
    """Tells whether a file that begins with `head` is a pickle of protocol 2 or later."""
    return len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5


def read(file):
    """Reads a Paddle checkpoint.

    Args:
        file: The open file.

    Returns:
        `{name: array}`. Two-byte unsigned integers, as which Paddle writes bfloat16, come as
        bfloat16.

    Raises:
        CheckpointError: If the file is no such pickle or asks for anything but arrays.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        root = pickles.load(content, _BUILDERS)
        if content.tell() != len(content):
            raise refusal(f"{len(content) - content.tell()} bytes after the pickle", "none")
        size = len(content)
    state = network_state(_without_tables(root), PickledArray)
    check_expansion(sum(array.nbytes for array in state.values()), size, "the arrays")
    return _joined({name: _array(name, value) for name, value in state.items()}, root)


def _without_tables(root):
    """Leaves out what Paddle notes about names and slices beside the arrays."""
    if not isinstance(root, dict):
        return root
    tables = (_NAME_TABLE, _SLICE_TABLE)
    return {key: value for key, value in root.items() if key not in tables}


def _array(name, value):
    try:
        array = value.array()
    except ValueError as error:
        raise refusal(f"tensor {shown(name)} unreadable: {error}", "a numeric array") from error
    return array.view(BFLOAT16) if array.dtype == np.uint16 else array


def _joined(tensors, root):
    """Puts arrays together that Paddle cut because protocols below 4 cannot hold 4 GiB."""
    table = root.get(_SLICE_TABLE, {})
    if not isinstance(table, dict):
        raise refusal("an unreadable table of sliced arrays", "a dictionary")
    for name, entry in table.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("slices"), list):
            raise refusal(f"no list of slices for {shown(name)}", "the names of its slices")
        shape = symbols.dimensions(entry.get("OriginShape"), "a sliced array's shape")
        parts = [tensors.pop(part, None) for part in entry["slices"] if isinstance(part, str)]
        if not parts or any(part is None or part.ndim != 1 for part in parts):
            raise refusal(f"missing slices of {shown(name)}", "each of them once, as a vector")
        if sum(part.size for part in parts) != math.prod(shape):
            raise refusal(f"slices of {shown(name)} that do not fill {shape}", "all elements")
        tensors[name] = np.concatenate(parts).reshape(shape)
    return tensors


def _named_array(pair):
    """Stands for `tuple((name, array))`, as which Paddle writes a tensor; the name is its own."""
    if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[1], PickledArray):
        raise refusal("a pickled tuple of something else", "a tensor's name and array")
    return pair[1]


def _evaluated(expression, variables=None):
    """Stands for the one `eval` that Paddle writes, of the name `data` in {"data": array}."""
    if expression == "data" and isinstance(variables, dict) and list(variables) == ["data"]:
        return _checked_array(variables["data"])
    raise refusal(
        f"a pickle that asks for code to be run: eval of {shown(expression)} (nothing was run)",
        "eval of 'data' only, which Paddle writes around arrays",
        "The file was made to harm: do not use it.",
    )


def _checked_array(value):
    if not isinstance(value, PickledArray):
        raise refusal(f"eval of data {shown(value)} (nothing was run)", "an array in it")
    return value


_BUILDERS: dict[Symbol, Callable] = {
    **numpy_pickles.BUILDERS,
    Symbol("collections", "OrderedDict"): symbols.mapping,
}
for _module in ("builtins", "__builtin__"):  # Python 3 and, for protocol 2, Python 2
    _BUILDERS[Symbol(_module, "tuple")] = _named_array
    _BUILDERS[Symbol(_module, "eval")] = _evaluated
