"""Writes checkpoint files as PyTorch, Paddle and Keras 2 do, without any of them.

A pickle is put together from pieces of bytes, each of which leaves one object on the stack
(`text`, `number`, `call`, ...), so that tests can write hostile ones with the same pieces.
`torch.load` and `paddle.load` read what `write_*` writes.
"""

import struct
import zipfile

import h5py
import numpy as np

TORCH_STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage",
}
TORCH_MAGIC = 0x1950A86A20F9469CFC6C

# ------------------------------------------------------------------------------ pickle pieces


def text(value):
    """A string."""
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def number(value):
    """An integer of any size and sign."""
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def boolean(value):
    """True or False."""
    return b"\x88" if value else b"\x89"


NONE = b"N"


def binary(value, protocol=4):
    """Bytes; below protocol 3, which lacks them, the call by which Python 3 writes them."""
    if protocol >= 3:
        return b"B" + struct.pack("<I", len(value)) + value
    return call("_codecs", "encode", text(value.decode("latin-1")), text("latin1"))


def symbol(module, name):
    """A class or function."""
    return f"c{module}\n{name}\n".encode()


def row(*items):
    """A tuple of pieces."""
    return b"(" + b"".join(items) + b"t"


def sequence(*items):
    """A list of pieces."""
    return b"](" + b"".join(items) + b"e"


def table(entries):
    """A dictionary of `{str: piece}`."""
    return b"}(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def call(module, name, *arguments):
    """The result of a call."""
    return symbol(module, name) + row(*arguments) + b"R"


def pickled(piece, protocol=2):
    """A whole pickle."""
    return b"\x80" + bytes([protocol]) + piece + b"."


# ------------------------------------------------------------------------------------ PyTorch


def torch_tensor(key, storage, count, shape, strides, offset=0):
    """A tensor that is a view of the storage `key` of `count` elements."""
    reference = row(
        text("storage"), symbol("torch", storage), text(key), text("cpu"), number(count)
    )
    return torch_view(reference, shape, strides, offset)


def torch_view(reference, shape, strides, offset=0):
    """A tensor that is a view of the storage with the persistent id `reference`."""
    hooks = call("collections", "OrderedDict")
    sizes = row(*map(number, shape)), row(*map(number, strides))
    arguments = (reference + b"Q", number(offset), *sizes, boolean(False), hooks)
    return call("torch._utils", "_rebuild_tensor_v2", *arguments)


def _torch_state(tensors, nest, prefix, legacy=False):
    """Returns the object pickle and `{key: array}` of the storages."""
    entries, storages = {}, {}
    for index, (name, value) in enumerate(tensors.items()):
        array, key = np.asarray(value), str(index)
        storages[key] = array = np.ascontiguousarray(array).reshape(array.shape)
        strides = [step // array.itemsize for step in array.strides]
        kind = symbol("torch", TORCH_STORAGES[array.dtype.name])
        view = [NONE] if legacy else []
        reference = row(text("storage"), kind, text(key), text("cpu"), number(array.size), *view)
        entries[prefix + name] = torch_view(reference, array.shape, strides)
    state = table(entries)
    for key in reversed([nest] if isinstance(nest, str) else nest or []):
        state = table({key: state, "epoch": number(3)})
    return pickled(state), storages


def write_torch_archive(path, object_pickle, records, name="archive", byteorder="little"):
    """Writes a `torch.save` zip archive.

    Args:
        path: The file.
        object_pickle: Content of `data.pkl`.
        records: `{key: bytes}` of the storages.
        name: The folder in the archive.
        byteorder: Of the records, "little" or "big".
    """
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/data.pkl", object_pickle)
        archive.writestr(f"{name}/byteorder", byteorder)
        for key, record in records.items():
            archive.writestr(f"{name}/data/{key}", record)
        archive.writestr(f"{name}/version", "3\n")


def write_torch_zip(path, tensors, nest=None, prefix=""):
    """Writes a PyTorch checkpoint of today.

    Args:
        path: The file.
        tensors: `{name: array}`.
        nest: Key, or list of keys from the outside in, under which the state_dict lies.
        prefix: Put in front of every name, such as "module.".
    """
    object_pickle, storages = _torch_state(tensors, nest, prefix)
    records = {key: array.tobytes() for key, array in storages.items()}
    write_torch_archive(path, object_pickle, records)


def torch_stream(object_pickle, keys, content):
    """Returns a PyTorch file of before 1.6: pickles, the storages' keys, the storages."""
    system = table({"protocol_version": number(1001), "little_endian": boolean(True)})
    heads = (number(TORCH_MAGIC), number(1001), system)
    parts = [pickled(head) for head in heads]
    parts += [object_pickle, pickled(sequence(*map(text, keys))), content]
    return b"".join(parts)


def write_torch_legacy(path, tensors, nest=None, prefix=""):
    """Writes a PyTorch checkpoint of before 1.6; arguments as for `write_torch_zip`."""
    object_pickle, storages = _torch_state(tensors, nest, prefix, legacy=True)
    content = b"".join(
        struct.pack("<q", array.size) + array.tobytes() for array in storages.values()
    )
    with open(path, "wb") as file:
        file.write(torch_stream(object_pickle, storages, content))


# ------------------------------------------------------------------------------ Paddle, Keras


def numpy_array(shape, code, data, protocol=4, fortran=False, order="<"):
    """A NumPy array of the type `code` ("f4") as NumPy pickles it."""
    module = "numpy.core.multiarray"
    nothing = (NONE, NONE, NONE, number(-1), number(-1), number(0))
    dtype = call("numpy", "dtype", text(code), boolean(False), boolean(True))
    dtype += row(number(3), text(order), *nothing) + b"b"
    empty = call(module, "_reconstruct", symbol("numpy", "ndarray"), row(number(0)), text("b"))
    dimensions = row(*map(number, shape))
    return empty + row(number(1), dimensions, dtype, boolean(fortran), data) + b"b"


def write_paddle(path, tensors, protocol=4):
    """Writes a Paddle checkpoint.

    Args:
        path: The file.
        tensors: `{name: array}`.
        protocol: Of the pickle, 2 or 4.
    """
    entries = {}
    for name, value in tensors.items():
        array = np.asarray(value)
        data = binary(array.tobytes(), protocol)
        entries[name] = numpy_array(array.shape, array.dtype.str[1:], data, protocol)
    names = {name: text(f"parameter_{index}") for index, name in enumerate(tensors)}
    entries["StructuredToParameterName@@"] = table(names)
    with open(path, "wb") as file:
        file.write(pickled(table(entries), protocol))


def write_keras2_h5(path, tensors):
    """Writes a Keras 2 weight file; the names of the tensors are the datasets' paths."""
    with h5py.File(path, "w") as file:
        for name, value in tensors.items():
            file.create_dataset(name, data=np.asarray(value))
        layers = sorted({name.split("/")[0].encode() for name in tensors})
        file.attrs["layer_names"] = layers
        file.attrs["backend"] = b"tensorflow"
