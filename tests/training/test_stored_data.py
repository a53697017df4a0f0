"""Folders in stores, for which fsspec's one in memory stands; tests/stores asks a real one."""

import gzip
import io
import json

import fsspec
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from keras_ghostnet import stores
from keras_ghostnet.training.data import make_records, open_source, shards
from keras_ghostnet.training.data import stored_listing as listing
from tests.training.photographs import encode, picture, write_folder

URL = "memory://photos"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "photographs")


@pytest.fixture
def memory(monkeypatch, tmp_path):
    """The file system, empty, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def photographs(memory, folder):
    memory.put(f"{folder}/", "/photos/", recursive=True)
    return memory


@pytest.fixture
def kept(photographs, monkeypatch):
    """A listing is kept of any number of files."""
    monkeypatch.setattr(listing, "LEAST", 1)
    listing.open_folder(URL)
    return photographs


def opened(**options):
    """The names in the folder, and what was printed about it."""
    console = Console(file=io.StringIO(), width=500)
    tree = listing.open_folder(URL, console, **options).tree
    return tree, console.file.getvalue()


@pytest.mark.parametrize("is_records", [False, True])
def test_what_is_read_is_what_lies_on_a_disk(photographs, folder, tmp_path, is_records):
    url, path = URL, folder
    if is_records:
        url, path = "memory://records", tmp_path / "records"
        make_records(folder, path, shards=2)
        photographs.put(f"{path}/", "/records/", recursive=True)
    for split in ("train", "val"):
        stored, local = open_source(url, split), open_source(path, split)
        assert stored.fingerprint == local.fingerprint
        indices = np.arange(-1, stored.examples)
        fetched = stored.reader.fetch(indices)
        assert tf.nest.flatten(fetched)[0][0] == b""
        for index in range(stored.examples):
            assert stored.reader.read(index) == local.reader.read(index)
            own = tf.nest.map_structure(lambda values, place=1 + index: values[place], fetched)
            encoded, label = stored.reader.load(index, own)
            assert (np.asarray(encoded).item(), int(label)) == local.reader.read(index)


def test_files_without_a_suffix_and_clutter(photographs):
    photographs.pipe("/photos/train/ant/bare", encode(picture(seed=70), "PNG"))
    photographs.pipe("/photos/train/ant/notes.txt", b"text")
    photographs.pipe("/photos/train/ant/.hidden.jpg", b"")
    photographs.pipe("/photos/train/Thumbs.db", b"x")
    source = open_source(URL, "train")
    assert source.examples == 17
    assert "32 JPEG, 1 PNG; skipped: 1 .txt" in source.description


def test_a_kept_listing_is_read_instead(kept, monkeypatch):
    tree, _ = opened()
    monkeypatch.setattr(listing.Objects, "list_all", lambda self: 1 / 0)
    again, said = opened()
    assert again.folders == tree.folders
    assert again.heads == tree.heads
    assert again.note.startswith("32 files as listed at 20")
    assert f"remove {URL}/{listing.NAME}" in again.note
    assert not said


def test_another_class_is_noticed(kept):
    """Another file of a class is not: it is listed when the listing is removed, as is said."""
    jpeg = encode(picture())
    kept.pipe("/photos/train/ant/new.jpg", jpeg)
    assert opened()[0].folders["train/ant"].keys() == {f"{n:03}.jpg" for n in range(8)}
    kept.pipe("/photos/train/cow/new.jpg", jpeg)
    tree, said = opened()
    assert "what lies there has changed since 20" in said
    assert {"new.jpg"} == tree.folders["train/cow"].keys()
    assert "new.jpg" in tree.folders["train/ant"]
    assert not opened()[1]


def test_who_may_not_write_keeps_it_here_and_who_may_not_list_believes_it(
    photographs, monkeypatch, tmp_path
):
    def deny(self, *_):
        raise stores.StoreError("denied")

    monkeypatch.setattr(listing, "LEAST", 1)
    with monkeypatch.context() as patch:
        patch.setattr(listing.Objects, "write", deny)
        tree, said = opened()
    assert "kept on this machine alone" in said
    assert not photographs.exists(f"/photos/{listing.NAME}")
    monkeypatch.setattr(listing.Objects, "list_folder", deny)
    again, said = opened()
    assert again.folders == tree.folders
    assert str(tmp_path) in again.note
    (kept,) = (tmp_path / "cache/keras_ghostnet/stores").iterdir()
    kept.unlink()
    with pytest.raises(stores.StoreError, match="denied"):
        opened()


FOLDERS = {"train/ant": {"names": ["000.jpg"], "sizes": [9]}}
CONTENT = {"format": 1, "listed": "2026-01-01T00:00:00+00:00", "folders": FOLDERS, "heads": {}}


def of(names, sizes=(9,), folder="train/ant"):
    return {"folders": {folder: {"names": names, "sizes": [*sizes]}}}


@pytest.mark.parametrize(
    "change",
    [
        of(["../000.jpg"]),
        of([".."]),
        of([""]),
        of(["a/b"]),
        of(["a\0"]),
        of(["a"], folder="../x"),
        of(["a"], folder="/etc"),
        of(["a"], folder="s3://other/x"),
        of(["a"], [-1]),
        of(["a"], [1.5]),
        of(["a"], [1 << 63]),
        of(["a", "b"]),
        of([7]),
        {"folders": []},
        {"format": 2},
        {"listed": "yesterday"},
        {"listed": 7},
        {"heads": {"train/ant/000.jpg": "?"}},
        {"heads": []},
    ],
)
def test_a_listing_is_not_trusted(photographs, change):
    content = gzip.compress(json.dumps({**CONTENT, **change}).encode())
    with pytest.raises(ValueError, match="damaged"):
        listing._unpack(content)
    photographs.pipe(f"/photos/{listing.NAME}", content)
    tree, said = opened()
    assert "is not used, but made again" in said
    assert len(tree.folders["train/ant"]) == 8


def test_a_listing_that_is_cut_or_no_listing(monkeypatch):
    whole = gzip.compress(json.dumps(CONTENT).encode())
    assert listing._unpack(whole)[1] == {"train/ant/000.jpg": 9}
    for content in (whole[:-3], b"", b"text", whole[:30] + b"x" + whole[31:]):
        with pytest.raises(ValueError, match="damaged"):
            listing._unpack(content)
    monkeypatch.setattr(listing, "MAX_BYTES", 20)
    with pytest.raises(ValueError, match="damaged"):
        listing._unpack(whole)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("memory://nothing", FileNotFoundError, "nothing"),
        ("memory://photos/train/ant/000.jpg", NotADirectoryError, "is a file"),
        ("memory://", ValueError, "no place in a store"),
    ],
)
def test_what_is_no_folder(photographs, name, error, message):
    with pytest.raises(error, match=message):
        open_source(name, "train")


def test_an_index_is_read_as_it_is_written():
    offsets = np.array([0, 20, 50])
    content = shards.write_index(offsets, 90)
    assert content == b"0 20\n20 30\n50 40\n"
    np.testing.assert_array_equal(shards.read_index(content, 90), offsets)
    assert len(shards.read_index(b"", 0)) == 0


@pytest.mark.parametrize(
    "content",
    [
        b"0 20\n20 30\n50 39\n",  # of another size
        b"0 20\n21 30\n50 40\n",
        b"0 20 20\n",
        b"0 -20\n-20 110\n",
        b"0 10\n10 80\n",  # less than a record takes
        b"0 20\n20 x\n",
        b"0 9223372036854775807\n9223372036854775807 9223372036854775807\n",
        b"0 99999999999999999999999\n",
        b"",
        b"\xff\n",
    ],
)
def test_an_index_is_not_trusted(content):
    assert shards.read_index(content, 90) is None


def test_a_record_is_checked(folder, tmp_path):
    make_records(folder, tmp_path / "out", shards=1)
    path = tmp_path / "out" / "train-00000-of-00001"
    offsets = shards.find_offsets(path)
    content, (start, end) = path.read_bytes(), offsets[2:4]
    framed = content[start:end]
    third = tf.data.TFRecordDataset(str(path)).skip(2).take(1).get_single_element()
    assert shards.unframed(framed) == third.numpy()
    flipped = framed[:40] + bytes([framed[40] ^ 1]) + framed[41:]
    for wrong in (framed[:-1], framed[1:], content[start + 1 : end + 1], flipped, b"", b"x" * 11):
        with pytest.raises(shards.DamagedRecordError):
            shards.unframed(wrong)
