"""Sources: what they hold, and reading any example of them."""

import importlib.machinery
import json
import os
import pathlib
import shutil
import sys
import time
import types

import pytest
import tensorflow as tf

from keras_ghostnet.training.data import listing, make_records, open_source
from keras_ghostnet.training.data.sources import open_sources
from tests.training.photographs import encode, picture, write_folder
from tests.training.reading import loaded


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "photographs")


@pytest.fixture
def records(folder, tmp_path):
    make_records(folder, tmp_path / "records", shards=3)
    return tmp_path / "records"


def contents(source):
    """Key, bytes and label of every example, read in Python and in TensorFlow alike."""
    found = []
    for index in range(source.examples):
        encoded, label = source.reader.read(index)
        assert loaded(source, index) == [encoded, label]
        found.append((source.key(index), encoded, label))
    return found


def test_folder_with_splits(folder):
    source = open_source(folder, "val")
    assert source.class_names == ("ant", "bee")
    assert source.examples == 16
    for key, encoded, label in contents(source):
        assert f"/val/{source.class_names[label]}/" in key
        assert pathlib.Path(key).read_bytes() == encoded


def test_a_class_may_be_missing_in_validation(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "val" / "ant")
    source = open_source(tmp_path / "copy", "val")
    assert {label for _, _, label in contents(source)} == {1}
    (tmp_path / "copy" / "val" / "cow").mkdir()
    with pytest.raises(ValueError, match="training images lack: cow"):
        open_source(tmp_path / "copy", "val")


def test_one_folder_is_split_by_the_seed(folder):
    def keys(split, **options):
        source = open_source(folder / "train", split, **options)
        labels = [label for _, _, label in contents(source)]
        return {source.key(i) for i in range(source.examples)}, labels

    (train, labels), (val, held_out) = keys("train", held_out=0.25), keys("val", held_out=0.25)
    assert not train & val
    assert len(train | val) == 16
    assert (labels.count(0), held_out.count(0), held_out.count(1)) == (6, 2, 2)
    assert keys("val", held_out=0.25)[0] == val
    assert keys("val", held_out=0.25, seed=1)[0] != val
    assert len(keys("val", held_out=0.01)[0]) == 2  # one of every class


def test_kaggles_imagenet(tmp_path):
    base = tmp_path / "ILSVRC" / "Data" / "CLS-LOC"
    answers = ["ImageId,PredictionString"]
    for label, name in enumerate(("n02", "n01")):  # the order is that of the mapping
        (base / "train" / name).mkdir(parents=True)
        (base / "train" / name / f"{name}_1.JPEG").write_bytes(encode(picture(seed=label)))
    (base / "val").mkdir()
    for number in range(4):
        (base / "val" / f"val_{number}.JPEG").write_bytes(encode(picture(seed=number)))
        answers.append(f"val_{number},n0{1 + number % 2} 1 2 3 4 n05 1 1 1 1")
    (tmp_path / "LOC_synset_mapping.txt").write_text("n02 ant, insect\nn01 bee\n")
    with pytest.raises(FileNotFoundError, match="LOC_val_solution"):
        open_source(tmp_path, "val")
    (tmp_path / "LOC_val_solution.csv").write_text("\n".join(answers))
    train, val = open_source(tmp_path, "train"), open_source(tmp_path, "val")
    assert train.class_names == ("n02", "n01")
    assert [(key.split("/")[-2], label) for key, _, label in contents(train)] == [
        ("n01", 1),
        ("n02", 0),
    ]
    assert [label for _, _, label in contents(val)] == [1, 0, 1, 0]
    make_records(tmp_path, tmp_path / "out")
    assert open_source(tmp_path / "out", "val").class_names == ("n02", "n01")
    (tmp_path / "LOC_val_solution.csv").write_text("\n".join(answers[:-1]))
    with pytest.raises(ValueError, match=r"no known class for .*val_3\.JPEG"):
        open_source(tmp_path, "val")


def test_records_hold_what_the_folder_holds(folder, records):
    for split in ("train", "val"):
        images = {(encoded, label) for _, encoded, label in contents(open_source(folder, split))}
        source = open_source(records, split)
        found = contents(source)
        assert {(encoded, label) for _, encoded, label in found} == images
        assert len(found) == 16
    assert source.key(15).endswith("validation-00002-of-00003:4")
    assert open_source(records, "train").key(15).endswith("train-00002-of-00003:4")


@pytest.mark.parametrize("first_label", [0, 1])
def test_labels_begin_where_the_class_list_says(tmp_path, first_label):
    feature = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x"])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[1])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    with tf.io.TFRecordWriter(str(tmp_path / "train-00000-of-00001")) as writer:
        writer.write(example.SerializeToString())
    with pytest.raises(ValueError, match="class list"):
        open_source(tmp_path, "train")
    classes = {"first_label": first_label, "class_names": ["ant", "bee"]}
    (tmp_path / "classes.json").write_text(json.dumps(classes))
    assert contents(open_source(tmp_path, "train"))[0][1:] == (b"x", 1 - first_label)


def test_digits(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train, val = open_source("digits", "train"), open_source("digits", "val")
    assert train.examples + val.examples == 1797
    assert train.class_names == tuple("0123456789")


def test_tfds(records, monkeypatch):
    """A stand-in for tensorflow-datasets whose files have its keys."""
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match="pip install tensorflow-datasets"):
        open_source("tfds:flowers", "train")
    path = records / "flowers-train.tfrecord-00000-of-00001"
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x"])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[1])),
    }
    with tf.io.TFRecordWriter(str(path)) as writer:
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        writer.write(example.SerializeToString())
    names = types.SimpleNamespace(names=["rose", "tulip"])
    splits = {"train": types.SimpleNamespace(filepaths=[path])}
    info = types.SimpleNamespace(features={"image": None, "label": names}, splits=splits)
    builder = types.SimpleNamespace(info=info, download_and_prepare=lambda: None)
    module = types.ModuleType("tensorflow_datasets")
    module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, None)
    module.builder = lambda name: builder
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
    source = open_source("tfds:flowers", "train")
    assert source.class_names == ("rose", "tulip")
    assert contents(source)[0][1:] == (b"x", 1)
    with pytest.raises(ValueError, match="no split 'val'"):
        open_source("tfds:flowers", "val")


def test_what_is_missing_is_said(folder, tmp_path):
    with pytest.raises(ValueError, match="`split` must be one of train, val, test, all"):
        open_source(folder, "everything")
    with pytest.raises(ValueError, match=r"no split 'test'\. Found: train, val"):
        open_source(folder, "test")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        open_source(tmp_path / "nowhere", "train")
    with pytest.raises(ValueError, match="nostore:// is no store that fsspec knows"):
        open_source("nostore://bucket/photos", "train")
    with pytest.raises(ValueError, match="held_out=1"):
        open_source(folder, "train", held_out=1)


def test_every_example_is_a_split_of_its_own(folder, records):
    for source in (folder, folder / "train", records):
        found = contents(open_source(source, "all"))
        parts = [contents(open_source(source, split)) for split in ("train", "val")]
        assert sorted(found) == sorted(parts[0] + parts[1])


# TFRecords of others.


def write_records(path, labels=(0, 1), keys=("image", "label"), compression=None):
    """A TFRecord file whose images are called by their labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for label in labels:
            content = tf.train.BytesList(value=[b"image %d" % label])
            feature = {
                keys[0]: tf.train.Feature(bytes_list=content),
                keys[1]: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


def write_class_list(folder):
    content = {"first_label": 0, "class_names": ["ant", "bee"]}
    (folder / "classes.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("train.tfrecord", "valid.tfrecord"),
        ("photos_train-0.tfrecords", "photos_dev-0.tfrecords"),
        ("a-train.tfrecord-00000-of-00001", "a-validation.tfrecord-00000-of-00001"),
        ("train-00000-of-00001.tfrecord", "val-00000-of-00001.tfrecord"),
        ("training/part-0.tfrec", "val_set/part-0.tfrec"),
        ("Train/train-00000-of-00001", "Val/validation-00000-of-00001"),
    ],
)
def test_usual_names_of_records_are_found(tmp_path, train, val):
    write_records(tmp_path / train, (0, 1))
    write_records(tmp_path / val, (1,))
    write_class_list(tmp_path)
    found = {split: contents(open_source(tmp_path, split)) for split in ("train", "val")}
    assert [each[1:] for each in found["train"]] == [(b"image 0", 0), (b"image 1", 1)]
    assert [each[1:] for each in found["val"]] == [(b"image 1", 1)]


def test_records_of_no_split_or_of_two_sets_are_refused(tmp_path):
    write_class_list(tmp_path)
    write_records(tmp_path / "photos.tfrecord")
    with pytest.raises(ValueError, match=r"photos\.tfrecord must name its split .* Found: none"):
        open_source(tmp_path, "train")
    (tmp_path / "photos.tfrecord").rename(tmp_path / "a-train-00000-of-00001")
    write_records(tmp_path / "b-train-00000-of-00001")
    with pytest.raises(ValueError, match="no other set beside them; found 2"):
        open_source(tmp_path, "train")


def test_records_of_other_features_are_refused_by_name(tmp_path):
    write_class_list(tmp_path)
    write_records(tmp_path / "train.tfrecord", keys=("jpeg", "label"))
    with pytest.raises(ValueError, match=r"Found: jpeg: bytes_list, label: int64_list"):
        open_source(tmp_path, "train")


def test_a_class_may_be_called_as_records_are(folder, tmp_path):
    shutil.copytree(folder / "train" / "ant", tmp_path / "man-of-war")
    shutil.copytree(folder / "train" / "bee", tmp_path / "bee")
    assert open_source(tmp_path, "train").class_names == ("bee", "man-of-war")


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_compressed_records_are_read(tmp_path, monkeypatch, compression):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "data" / "train-00000-of-00001"
    write_records(path, (1, 0, 1), compression=compression)
    write_class_list(tmp_path / "data")
    source = open_source(tmp_path / "data", "train")
    assert source.key(2) == f"{path}:2"
    assert [label for _, _, label in contents(source)] == [1, 0, 1]
    (copy,) = [
        file for file in (tmp_path / "cache").rglob("*") if file.is_file() and "." not in file.name
    ]
    number = copy.stat().st_ino
    os.utime(copy, (0, 0))  # long ago
    open_source(tmp_path / "data", "train")
    assert copy.stat().st_ino == number
    assert copy.stat().st_mtime > time.time() - 60
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="is compressed and damaged"):
        open_source(tmp_path / "data", "train")
    os.utime(copy, (0, 0))
    write_records(path, (1, 0), compression=compression)
    open_source(tmp_path / "data", "train")
    assert not copy.exists()  # nobody opened it for a week


def test_several_splits_are_listed_once(folder, monkeypatch):
    listed, list_images = [], listing.list_images
    monkeypatch.setattr(
        listing, "list_images", lambda *a, **k: listed.append(a) or list_images(*a, **k)
    )
    train, held_out = open_sources(folder, ("train", "val"))
    assert len(listed) == 1
    for split, source in (("train", train), ("val", held_out)):
        assert source.name == open_source(folder, split).name
        assert source.examples == open_source(folder, split).examples


def test_a_folder_of_tensorflow_datasets_needs_no_class_list(tmp_path):
    write_records(tmp_path / "flowers-train.tfrecord-00000-of-00001")
    (tmp_path / "label.labels.txt").write_text("rose\ntulip\n")
    source = open_source(tmp_path, "train")
    assert source.class_names == ("rose", "tulip")
    assert [label for _, _, label in contents(source)] == [0, 1]


def test_a_file_that_vanished(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    source = open_source(tmp_path / "copy", "train")
    shutil.rmtree(tmp_path / "copy")
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        source.reader.read(0)
