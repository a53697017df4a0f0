"""Pickles that would run code, break the reader or exhaust the machine, in each of the formats.

The ones that would run code name a command that creates a file; no test may find it.
"""

import os
import pickle

import numpy as np
import pytest

from tests.weights import checkpoint_files as files
from tests.weights.hostile import refuse

pytestmark = pytest.mark.usefixtures("in_time")


def wrap_torch_zip(path, piece):
    record = np.ones(6, "float32").tobytes()
    files.write_torch_archive(path, files.pickled(piece), {"0": record})


def wrap_torch_legacy(path, piece):
    path.write_bytes(files.torch_stream(files.pickled(piece), [], b""))


def wrap_paddle(path, piece):
    path.write_bytes(files.pickled(piece, 4))


PICKLE_WRAPPERS = [wrap_torch_zip, wrap_torch_legacy, wrap_paddle]
each_pickle = pytest.mark.parametrize("wrap", PICKLE_WRAPPERS)

# ---------------------------------------------------------------------------- code in pickles


def touch(sentinel, module, name):
    """A call that would create the sentinel, if it were made."""
    code = f"open({str(sentinel)!r}, 'w').close()"
    commands = {
        "system": f"touch {sentinel}",
        "Popen": f"touch {sentinel}",
        "eval": code,
        "exec": code,
        "open": str(sentinel),
        "getattr": "anything",
    }
    return files.call(module, name, files.text(commands[name]))


CALLS = [
    ("os", "system"),
    ("posix", "system"),
    ("subprocess", "Popen"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("__builtin__", "eval"),
    ("io", "open"),
    ("builtins", "getattr"),
]


@each_pickle
@pytest.mark.parametrize(("module", "name"), CALLS)
def test_calls_are_not_made(path, sentinel, wrap, module, name):
    wrap(path, files.table({"a": touch(sentinel, module, name)}))
    refuse(path, r"asks for code to be run.*nothing was run")


@each_pickle
def test_hidden_calls_are_not_made(path, sentinel, wrap):
    """Through BUILD on a function, in an allowed object's arguments, NEWOBJ, INST and OBJ."""
    call, system = touch(sentinel, "os", "system"), files.symbol("os", "system")
    command = files.text(f"touch {sentinel}")
    for piece in (
        system + files.table({"__setstate__": system}) + b"b",
        files.call("collections", "OrderedDict") + call + b"b",
        files.call("argparse", "Namespace", call),
        system + files.row(command) + b"\x81",
        system + files.row(command) + files.table({"a": command}) + b"\x92",
        b"(" + command + b"ios\nsystem\n",
        b"(" + system + command + b"o",
    ):
        wrap(path, files.table({"a": piece}))
        refuse(path, "asks for code to be run")


@each_pickle
def test_reduce_of_a_python_object(path, sentinel, wrap):
    class Malicious:
        def __reduce__(self):
            return os.system, (f"touch {sentinel}",)

    for protocol in (0, 2, 4):
        wrap(path, pickle.dumps({"a": Malicious()}, protocol)[2 if protocol else 0 : -1])
        refuse(path, "asks for code to be run.*system")


def test_eval_of_anything_but_data(path, sentinel):
    array = files.numpy_array((1,), "f4", files.binary(b"\0" * 4))
    code = files.text(f"open({str(sentinel)!r}, 'w')")
    for arguments in (
        (code,),
        (code, files.table({"data": array})),
        (files.text("data"), files.table({"data": code})),
        (files.text("data"), files.table({"data": array, "__builtins__": code})),
        (files.text("data"),),
    ):
        wrap_paddle(path, files.table({"a": files.call("builtins", "eval", *arguments)}))
        refuse(path, "eval of .*nothing was run")


def test_whole_model_is_refused_with_advice(path):
    model = (
        files.symbol("__main__", "GhostNet") + b")\x81" + files.table({"training": b"\x89"}) + b"b"
    )
    wrap_torch_zip(path, model)
    refuse(path, r"__main__\.GhostNet.*save the network's state_dict")


# ------------------------------------------------------------------------------ broken pickles

BROKEN = {
    "stack underflow": (b"R", "empty stack"),
    "mark underflow": (b"(R", "empty stack"),
    "no mark": (b"t", "missing mark"),
    "memo": (b"h\x07", "unknown object 7"),
    "unhashable key": (b"}]NsN", "key of type list"),
    "tuple key": (b"})Ns", "key of type tuple"),
    "odd items": (b"}(X\x01\0\0\0au", "key without a value"),
    "append to a dictionary": (b"}Na", "fills a dict"),
    "list in itself": (b"]q\x00h\x00a", "holds itself"),
    "dictionary in itself": (b"}q\x00X\x01\0\0\0ah\x00s", "holds itself"),
    "two objects": (b"NN", "2 objects"),
    "open mark": (b"N(", "1 objects at the end"),
    "unknown opcode": (b"\xff", "damaged pickle"),
    "extension": (b"\x82\x01", "asks for code"),
    "bytes of 2**62": (b"\x8e" + (2**62).to_bytes(8, "little") + b"abc", "damaged pickle"),
    "bytes of 2**64 - 1": (b"\x8e" + b"\xff" * 8 + b"abc", "damaged pickle"),
    "text of 4 GiB": (b"X\xff\xff\xff\xffabc", "damaged pickle"),
    "integer of 2 GiB": (b"\x8b\xff\xff\xff\x7fabc", "damaged pickle"),
    "negative length": (b"\x8b\xff\xff\xff\xff", "damaged pickle"),
    "endless digits": (b"I" + b"9" * 10000 + b"\n", "damaged pickle"),
    "bad text": (b"X\x02\0\0\0\xff\xfe", "damaged pickle"),
    "persistent id": (b"NQ", "refers to data outside|reference to a storage"),
}


@each_pickle
@pytest.mark.parametrize("case", BROKEN)
def test_broken_pickles(path, wrap, case):
    piece, match = BROKEN[case]
    wrap(path, piece)
    refuse(path, match)


@pytest.mark.parametrize("content", [b"\x80\x02}", b"\x80\x04", b"\x80\x02N", b"\x80\x05\x95"])
def test_pickle_without_stop(path, content):
    path.write_bytes(content)
    refuse(path, "damaged pickle|unknown content")


def doubled(first, join):
    """A hundred objects on the stack and in the memo, each of which holds the last one twice."""
    pieces = [first + b"q\x00"]
    for i in range(100):
        twice = b"h" + bytes([i]) + b"h" + bytes([i])
        pieces.append(join(twice) + b"q" + bytes([i + 1]))
    return files.row(*pieces)


@each_pickle
def test_nested_references_are_not_followed(path, wrap):
    """2**100 lists if they were printed, copied or compared; as tuples, if they were hashed."""
    lists = doubled(b"]", lambda twice: b"](" + twice + b"e")
    tuples = doubled(b")", lambda twice: twice + b"\x86")
    wrap(path, lists)
    refuse(path, "expected a dictionary of names")
    wrap(path, files.table({"a": lists}))
    refuse(path, "no tensors")
    wrap(path, lists + b"0ccollections\nOrderedDict\n" + b"h\x64R")
    refuse(path, "OrderedDict' with unknown arguments")
    wrap(path, tuples + b"0}h\x64Ns")
    refuse(path, "key of type tuple")


@each_pickle
def test_deep_and_endless_pickles(path, wrap):
    wrap(path, b"]" * 100_000 + b"a" * 99_999)
    refuse(path, "expected a dictionary of names")
    wrap(path, files.NONE + b"\x85" * 100_000)
    refuse(path, "expected a dictionary of names")
    wrap(path, b"N0" * 1_000_001 + b"N")
    refuse(path, "does not end")


@each_pickle
def test_copies_do_not_multiply(path, wrap):
    """One list that is made a dictionary, and one text that is made bytes, ten thousand times."""
    pairs = files.sequence(*[files.row(files.number(i), files.NONE) for i in range(20_000)])
    again = b"h\x01h\x02R0" * 20_000
    ordered = b"ccollections\nOrderedDict\nq\x01" + pairs + b"\x85q\x02"
    wrap(path, ordered + b"00" + again + files.table({}))
    refuse(path, "no tensors")
    text = files.text("x" * 100_000) + files.text("latin1") + b"\x86q\x02"
    encode = b"c_codecs\nencode\nq\x01" + text + b"00"
    wrap(path, encode + b"h\x01h\x02R0" * 50_000 + files.table({}))
    refuse(path, "no tensors")
    wrap(path, files.table({"module." * 200_000: files.NONE}))
    refuse(path, "no tensors")


# ------------------------------------------------------------------------------- hostile tensors

VIEWS = {
    "negative size": (((-1,), (1,)), "shape -1"),
    "negative stride": (((2,), (-1,)), "strides -1"),
    "negative offset": (((2,), (1,), -1), "offset -1"),
    "huge offset": (((2,), (1,), 2**70), "offset of type int"),
    "beyond its end": (((2,), (1,), 5), "within its storage of 6"),
    "larger than its storage": (((3, 3), (3, 1)), "within its storage"),
    "strided out": (((2, 3), (4, 1)), "within its storage"),
    "repeated without end": (((2**40,), (0,)), "within its storage"),
    "product overflows": (((2**33, 2**33), (0, 0)), "within its storage"),
    "too few strides": (((2, 3), (3,)), "1 strides"),
    "too many axes": (((1,) * 9, (1,) * 9), "short tuple"),
}


@pytest.mark.parametrize("case", VIEWS)
def test_torch_views_are_bounded(path, case):
    arguments, match = VIEWS[case]
    wrap_torch_zip(path, files.table({"a": files.torch_tensor("0", "FloatStorage", 6, *arguments)}))
    refuse(path, match)


@pytest.mark.parametrize(
    ("storage", "count", "match"),
    [
        ("FloatStorage", 7, "24 bytes in storage '0'; expected 28"),
        ("FloatStorage", -6, "size -6"),
        ("FloatStorage", 2**60, "storage's size"),
        ("QInt8Storage", 24, r"type 'torch\.QInt8Storage'"),
    ],
)
def test_torch_storages_fit_their_records(path, storage, count, match):
    wrap_torch_zip(path, files.table({"a": files.torch_tensor("0", storage, count, (2,), (1,))}))
    refuse(path, match)


def test_torch_missing_storage(path):
    wrap_torch_zip(path, files.table({"a": files.torch_tensor("9", "FloatStorage", 6, (2,), (1,))}))
    refuse(path, "no member 'archive/data/9'")
    wrap_torch_zip(
        path, files.table({"a": files.torch_tensor("../0", "FloatStorage", 6, (2,), (1,))})
    )
    refuse(path, "no member")


def test_single_tensor_and_nested_tensors(path):
    tensor = files.torch_tensor("0", "FloatStorage", 6, (2,), (1,))
    wrap_torch_zip(path, tensor)
    refuse(path, "a single tensor")
    wrap_torch_zip(path, files.table({"weights": files.table({"a": tensor})}))
    refuse(path, "tensors inside the entry 'weights'.*state_dict")
    wrap_torch_zip(path, files.table({"a": tensor, "module.a": tensor}))
    refuse(path, "tensor 'a' twice")


ARRAYS = {
    "object": (((1,), "O8", b"\0" * 8), "type 'O8'"),
    "complex": (((1,), "c8", b"\0" * 8), "type 'c8'"),
    "string": (((1,), "S4", b"\0" * 4), "type 'S4'"),
    "date": (((1,), "M8", b"\0" * 8), "type 'M8'"),
    "record": (((1,), "V4", b"\0" * 4), "type 'V4'"),
    "code with fields": (((1,), "f4,f4", b"\0" * 8), "type 'f4,f4'"),
    "negative shape": (((-1,), "f4", b"\0" * 4), "shape -1"),
    "too few bytes": (((2,), "f4", b"\0" * 4), r"4 bytes for an array of shape \(2,\)"),
    "too many bytes": (((), "f4", b"\0" * 8), "8 bytes for an array"),
    "huge": (((2**40, 2**40), "f4", b"\0" * 4), "4 bytes for an array"),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("case", ARRAYS)
def test_paddle_arrays_are_plain(path, case, protocol):
    (shape, code, data), match = ARRAYS[case]
    array = files.numpy_array(shape, code, files.binary(data, protocol), protocol)
    path.write_bytes(files.pickled(files.table({"a": array}), protocol))
    refuse(path, match)
