"""PyTorch's `torch.save` files: zip archives (since 1.6) and the streams of earlier versions.

Both are a pickle of the objects, in which tensors refer to storages by key, and the storages'
bytes. The pickle is read first; only the storages of the network itself are read then.
"""

import dataclasses
import math
import mmap
from collections.abc import Callable

import ml_dtypes
import numpy as np

from keras_ghostnet.weights.readers import numpy_pickles, pickles, symbols
from keras_ghostnet.weights.readers.checkpoint import refusal, shown
from keras_ghostnet.weights.readers.state_dicts import network_state
from keras_ghostnet.weights.readers.symbols import Opaque, Symbol

_MAGIC = 0x1950A86A20F9469CFC6C
# How a stream begins after the two bytes that give the pickle protocol: the magic number, STOP.
_STREAM_START = b"\x8a\x0a" + _MAGIC.to_bytes(10, "little") + b"."
_PROTOCOL = 1001
_COUNT_BYTES = 8

# name of torch.NAME -> (NumPy type, name of the storage class torch.NAMEStorage)
_TYPES = {
    "float64": ("f8", "Double"),
    "float32": ("f4", "Float"),
    "float16": ("f2", "Half"),
    "bfloat16": (ml_dtypes.bfloat16, "BFloat16"),
    "int64": ("i8", "Long"),
    "int32": ("i4", "Int"),
    "int16": ("i2", "Short"),
    "int8": ("i1", "Char"),
    "uint8": ("u1", "Byte"),
    "bool": ("?", "Bool"),
    "complex64": ("c8", "ComplexFloat"),  # the common checks refuse it, naming the tensor
    "complex128": ("c16", "ComplexDouble"),
    "uint16": ("u2", None),
    "uint32": ("u4", None),
    "uint64": ("u8", None),
}
_DTYPES = {Symbol("torch", name): np.dtype(kind) for name, (kind, _) in _TYPES.items()}
_STORAGES = {
    Symbol(module, f"{storage}Storage"): np.dtype(kind)
    for kind, storage in _TYPES.values()
    for module in ("torch", "torch.cuda")
    if storage
}
# A storage of bytes, whose tensors give their type themselves.
_STORAGES[Symbol("torch.storage", "UntypedStorage")] = np.dtype("u1")


@dataclasses.dataclass(frozen=True)
class _Storage:
    """A block of `count` elements, named by `key`, that tensors are views of."""

    key: str
    dtype: np.dtype
    count: int

    @property
    def nbytes(self):
        return self.count * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A view of a storage, in elements of `dtype`, as the pickle describes it."""

    storage: _Storage
    dtype: np.dtype
    offset: int
    shape: tuple
    strides: tuple

    def array(self, content):
        """Returns the view as an array over `content`, the storage's bytes."""
        count = len(content) // self.dtype.itemsize
        size = math.prod(self.shape)
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        # More elements than the storage has means strides of 0 or overlaps: no network's weight,
        # but a way to make a small file large.
        if size > count or self.offset > count or (size and last >= count):
            raise refusal(
                f"a view of shape {self.shape}, strides {self.strides} and offset {self.offset}",
                f"one that lies within its storage of {count} elements",
            )
        flat = np.frombuffer(content, self.dtype, count)
        if not size:
            return np.zeros(self.shape, self.dtype)
        steps = [step * self.dtype.itemsize for step in self.strides]
        view = np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, steps)
        view.flags.writeable = False
        return view


# ------------------------------------------------------------------------------- the two files


def pickle_member(names):
    """Returns the name of the object pickle among an archive's member names, or None."""
    found = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
    return found[0] if len(found) == 1 else None


def read_archive(archive):
    """Reads a `torch.save` zip archive.

    Args:
        archive: The `archives.Archive`.

    Returns:
        `{name: array}` of the network.

    Raises:
        CheckpointError: If the archive is damaged or asks for anything but tensors.
    """
    member = pickle_member(archive.names)
    folder = member.removesuffix("data.pkl")
    if folder + "constants.pkl" in archive.names:
        raise refusal(
            "a TorchScript program", "a state_dict", "Save the module's state_dict() instead."
        )
    big_endian = _is_big_endian(archive, folder + "byteorder")
    storages = {}
    root = pickles.load(archive.read(member), _BUILDERS, _collector(storages))

    def content(storage):
        data = archive.read(f"{folder}data/{storage.key}")
        if len(data) != storage.nbytes:
            raise refusal(
                f"{len(data)} bytes in storage {shown(storage.key)}", f"{storage.nbytes} bytes"
            )
        return data

    return _arrays(root, content, big_endian)


def is_stream(head):
    """Tells whether `head` begins a `torch.save` file of the time before zip archives."""
    return head[:1] == b"\x80" and head[2 : 2 + len(_STREAM_START)] == _STREAM_START


def read_stream(file):
    """Reads a `torch.save` file of PyTorch before 1.6.

    Args:
        file: The open file.

    Returns:
        `{name: array}` of the network.

    Raises:
        CheckpointError: If the file is damaged or asks for anything but tensors.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        pickles.load(stream, {})  # the magic number
        protocol = pickles.load(stream, {})
        if protocol != _PROTOCOL:
            raise refusal(f"stream version {shown(protocol, 40)}", f"version {_PROTOCOL}")
        pickles.load(stream, {})  # the machine that wrote it; the bytes are little-endian always
        storages = {}
        root = pickles.load(stream, _BUILDERS, _collector(storages))
        places = _stream_places(stream, storages)
        return _arrays(root, lambda storage: stream[places[storage.key]], big_endian=False)


def _stream_places(stream, storages):
    """Returns {key: slice} of the storages that follow one another after the list of keys."""
    keys = pickles.load(stream, {})
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise refusal("an unreadable list of storages", "their keys")
    if sorted(keys) != sorted(storages):
        raise refusal("a list of storages that does not fit the tensors", "each storage once")
    places, position = {}, stream.tell()
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(stream[position : position + _COUNT_BYTES], "little", signed=True)
        start = position + _COUNT_BYTES
        position = start + storage.nbytes
        if position > len(stream):
            raise refusal(f"a file that ends within storage {shown(key)}", "a complete one")
        if count != storage.count:
            raise refusal(f"{count} elements in storage {shown(key)}", f"{storage.count}")
        places[storage.key] = slice(start, position)
    if position != len(stream):
        raise refusal(f"{len(stream) - position} bytes after the last storage", "none")
    return places


def _is_big_endian(archive, member):
    order = archive.read(member) if member in archive.names else b"little"
    if order not in (b"little", b"big"):
        raise refusal(f"the byte order {shown(order)}", "little or big")
    return order == b"big"


def _arrays(root, content, big_endian):
    """Makes arrays of the network's tensors; `content` gives a storage's bytes."""
    contents, arrays = {}, {}
    for name, tensor in network_state(root, _Tensor).items():
        key = tensor.storage.key
        if key not in contents:
            contents[key] = content(tensor.storage)
        try:
            array = tensor.array(contents[key])
        except ValueError as error:
            raise refusal(f"tensor {shown(name)} unreadable: {error}", "a valid view") from error
        arrays[name] = _swapped(array) if big_endian else array
    return arrays


def _swapped(array):
    # bfloat16 knows no byte order of its own, so the bytes are swapped as integers.
    swapped = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").byteswap()
    return swapped.view(array.dtype).reshape(array.shape)


# --------------------------------------------------------------------- what the pickle may name


def _collector(storages):
    """Returns the function from a persistent id to a `_Storage`, kept in `storages` by key."""

    def storage(identity):
        valid = isinstance(identity, tuple) and len(identity) in (5, 6)
        if not valid or identity[0] != "storage" or not isinstance(identity[2], str):
            raise refusal("an unknown reference to a storage", "type, key, place and size")
        if len(identity) == 6 and identity[5] is not None:
            raise refusal("a storage inside another", "separate ones", "Save it with PyTorch 1.6.")
        kind, key = identity[1:3]
        if not isinstance(kind, Symbol) or kind not in _STORAGES:
            named = str(kind) if isinstance(kind, Symbol) else type(kind).__name__
            raise refusal(f"a storage of type {named}", "a storage of plain numbers")
        count = symbols.integer(identity[4], "a storage's size")
        found = _Storage(key, _STORAGES[kind], count)
        if storages.setdefault(key, found) != found:
            raise refusal(f"storage {shown(key)} with two types or sizes", "one description")
        return found

    return storage


def _tensor(storage, offset, shape, strides, dtype=None):
    if not isinstance(storage, _Storage):
        raise refusal("a tensor without a storage", "a tensor that is a view of one")
    shape = symbols.dimensions(shape, "a tensor's shape")
    strides = symbols.dimensions(strides, "a tensor's strides")
    if len(shape) != len(strides):
        raise refusal(f"a tensor of shape {shape} with {len(strides)} strides", "one for each axis")
    offset = symbols.integer(offset, "a tensor's offset")
    return _Tensor(storage, dtype or storage.dtype, offset, shape, strides)


def _tensor_v2(storage, offset, shape, strides, _grad, _hooks, _metadata=None):
    return _tensor(storage, offset, shape, strides)


def _tensor_v3(storage, offset, shape, strides, _grad, _hooks, dtype, _metadata=None):
    if not isinstance(dtype, Symbol) or dtype not in _DTYPES:
        named = str(dtype) if isinstance(dtype, Symbol) else type(dtype).__name__
        raise refusal(f"a tensor of type {named}", "plain numbers", "Save it as 32-bit floats.")
    return _tensor(storage, offset, shape, strides, _DTYPES[dtype])


def _parameter(tensor, _grad=True, _hooks=None, _state=None):
    if not isinstance(tensor, _Tensor):
        raise refusal("a parameter that is no tensor", "a tensor")
    return tensor


def _size(shape):
    return symbols.dimensions(shape, "a size")


def _default_mapping(_factory=None):
    return {}  # no key is ever missed, so the factory stays a name


_BUILDERS: dict[Symbol, Callable] = {
    **numpy_pickles.BUILDERS,  # training programs keep NumPy scalars, such as the best accuracy
    Symbol("collections", "OrderedDict"): symbols.mapping,
    Symbol("collections", "defaultdict"): _default_mapping,
    Symbol("torch", "Size"): _size,
    Symbol("torch._utils", "_rebuild_tensor"): _tensor,
    Symbol("torch._utils", "_rebuild_tensor_v2"): _tensor_v2,
    Symbol("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    Symbol("torch._utils", "_rebuild_parameter"): _parameter,
    Symbol("torch._utils", "_rebuild_parameter_with_state"): _parameter,
}
for _module, _name in (
    ("__builtin__", "bytearray"),  # so named up to protocol 2, which torch.save writes
    ("__builtin__", "set"),
    ("argparse", "Namespace"),
    ("builtins", "bytearray"),
    ("builtins", "set"),
    ("collections", "Counter"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
    ("torch", "device"),
    ("types", "SimpleNamespace"),
):
    _BUILDERS[Symbol(_module, _name)] = Opaque
