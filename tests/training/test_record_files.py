"""TFRecord files: where their records begin, what their manifest says, and what is damaged."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet.training.data import make_records, open_source, shards
from tests.training.photographs import write_folder
from tests.training.reading import loaded


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "photographs")


@pytest.fixture
def records(folder, tmp_path):
    make_records(folder, tmp_path / "records", shards=3)
    return tmp_path / "records"


def test_offsets_are_those_of_the_records(records):
    paths = shards.find_records(records)["train"]
    number, offsets = shards.record_offsets(paths)
    for index, path in enumerate(paths):
        lengths = [len(record) + 16 for record in tf.data.TFRecordDataset(path).as_numpy_iterator()]
        assert offsets[number == index].tolist() == np.cumsum([0, *lengths[:-1]]).tolist()


def test_offsets_are_kept_until_a_file_changes(records, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    paths = shards.find_records(records)["train"]
    first = shards.record_offsets(paths)
    with monkeypatch.context() as patch:
        patch.setattr(shards, "find_offsets", lambda path: 1 / 0)
        np.testing.assert_array_equal(shards.record_offsets(paths), first)
    assert not [*records.glob(".*")]
    (index,) = (tmp_path / "cache").rglob("*.npz")
    number, offset = first
    for wrong in (
        b"",
        b"PK\3\4 half of one",
        dict(shard=number[:-1], offset=offset[:-1]),
        dict(shard=np.append(number, number[-1]), offset=np.append(offset, offset[-1])),
        dict(shard=number, offset=offset.astype("float64")),
        dict(offset=offset),
    ):
        if isinstance(wrong, bytes):
            index.write_bytes(wrong)
        else:
            np.savez(index, **wrong)
        np.testing.assert_array_equal(shards.record_offsets(paths), first)
    shutil.copy(paths[1], paths[0])
    assert len(shards.record_offsets(paths)[0]) == len(first[0]) - 1

    def refuse(*args, **arrays):
        raise PermissionError("a folder of others")

    monkeypatch.setattr(np, "savez", refuse)
    shutil.rmtree(tmp_path / "cache")
    assert len(shards.record_offsets(paths)[0]) == len(first[0]) - 1


def emptied(records):
    (records / "train-00001-of-00003").write_bytes(b"")


def doubled(records):
    shutil.copy(records / "train-00002-of-00003", records / "train-00001-of-00003")


def foreign(records):
    """A validation shard as one to train on."""
    shutil.copy(records / "validation-00000-of-00003", records / "train-00000-of-00003")


def changed(records):
    path = records / "train-00000-of-00003"
    path.write_bytes(path.read_bytes()[::-1])


def renumbered(records):
    (records / "train-00002-of-00003").rename(records / "train-00007-of-00003")


def fewer(records):
    for number in range(3):
        (records / f"train-{number:05}-of-00003").unlink()
    shutil.copy(records / "validation-00000-of-00003", records / "train-00000-of-00001")


def unfinished(records):
    path = records / "manifest.json"
    path.write_text(path.read_text().replace("true", "false"))


def cut(records):
    path = records / "manifest.json"
    path.write_text(path.read_text()[:-9])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (emptied, r"train-00001-of-00003 is not the file .*: its examples are 0, recorded 5"),
        (doubled, r"train-00001-of-00003 is not the file .*: its (bytes|crc32)"),
        (foreign, r"train-00000-of-00003 is not the file .*: its (bytes|crc32)"),
        (changed, r"train-00000-of-00003 is damaged at byte 0"),
        (renumbered, r"every file of 'train' exactly once"),
        (fewer, r"does not hold the files that its manifest\.json lists"),
        (unfinished, r"is not finished: run ghostnet make-records again"),
        (cut, r"manifest\.json is damaged"),
    ],
)
def test_records_are_those_of_their_manifest(records, tmp_path, change, message):
    shutil.copytree(records, tmp_path / "copy")
    change(tmp_path / "copy")
    with pytest.raises(ValueError, match=message):
        open_source(tmp_path / "copy", "train")


def test_damaged_files_are_named(records):
    path = records / "train-00001-of-00003"
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:5], whole[:8] + b"abcd" + whole[12:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"train-00001-of-00003 is damaged at byte"):
            open_source(records, "train")
    path.unlink()
    with pytest.raises(ValueError, match="found 2"):
        open_source(records, "train")


def test_a_damaged_record_is_told_from_a_strange_one(records):
    (records / "manifest.json").unlink()  # which would tell at once
    path = records / "validation-00000-of-00003"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    source = open_source(records, "val")
    reader = source.reader
    with pytest.raises(ValueError, match="CRC"):
        reader.read(0)
    assert loaded(source, 0)[0] == b""
    assert reader.read(1)[0][:2] == b"\xff\xd8"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"no example")
        writer.write(b"")
    reader = open_source(records, "val").reader
    for index in range(2):
        with pytest.raises(ValueError, match="does not hold image/encoded"):
            reader.read(index)
