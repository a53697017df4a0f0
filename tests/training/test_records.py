"""Making TFRecords: content, continuing after a kill, and checks."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import rich.console
import tensorflow as tf

from keras_ghostnet.cli import make_records as command
from keras_ghostnet.training.data import make_records, records
from tests.training.photographs import write_folder

SLOWLY = """
import sys, time
from keras_ghostnet.training.data import records
def slowly(*args, make=records._record):
    time.sleep(0.01)
    return make(*args)
records._record = slowly
records.make_records(sys.argv[1], sys.argv[2], shards=8, workers=2)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "photographs", per_class=20)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_written(folder, tmp_path):
    assert make_records(folder, tmp_path / "out", shards=3) == {"train": 40, "val": 40}
    names = [f"train-0000{number}-of-00003" for number in range(3)]
    validation = [f"validation-0000{number}-of-00003" for number in range(3)]
    each = [(name, f"{name}.idx") for name in (*names, *validation)]
    assert sorted(files(tmp_path / "out")) == [
        "classes.json",
        "manifest.json",
        *itertools.chain(*each),
    ]
    assert json.loads((tmp_path / "out" / "classes.json").read_text()) == {
        "first_label": 1,
        "class_names": ["ant", "bee"],
    }
    seen = []
    paths = [str(tmp_path / "out" / name) for name in names]
    for record in tf.data.TFRecordDataset(paths).as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        name = feature["image/filename"].bytes_list.value[0].decode()
        text = feature["image/class/text"].bytes_list.value[0].decode()
        assert name.split("/")[:2] == ["train", text]
        assert feature["image/class/label"].int64_list.value == [1 + ["ant", "bee"].index(text)]
        assert feature["image/encoded"].bytes_list.value[0] == (folder / name).read_bytes()
        seen.append(name)
    assert len(set(seen)) == len(seen) == 40
    assert seen != sorted(seen)


def test_workers_do_not_matter_and_the_seed_does(folder, tmp_path):
    for name, options in {"a": dict(workers=1), "b": dict(workers=4), "c": dict(seed=1)}.items():
        make_records(folder, tmp_path / name, shards=4, **options)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert files(tmp_path / "a") != files(tmp_path / "c")


def test_a_killed_run_continues(folder, tmp_path):
    make_records(folder, tmp_path / "whole", shards=8)
    output = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", SLOWLY, str(folder), str(output)])
    deadline = time.monotonic() + 60
    while len(finished(output)) < 4:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {name: (output / name).stat().st_mtime_ns for name in finished(output)}
    assert 4 <= len(kept) < 16
    broken = min(kept)
    content = bytearray((output / broken).read_bytes())
    content[50] ^= 1
    (output / broken).write_bytes(content)  # the crash took its bytes with it
    make_records(folder, output, shards=8)
    assert files(output) == files(tmp_path / "whole")
    times = {name: (output / name).stat().st_mtime_ns for name in kept}
    assert {name for name in kept if times[name] != kept[name]} == {broken}


def finished(output):
    try:
        return json.loads((output / "manifest.json").read_text())["files"]
    except FileNotFoundError:
        return {}


def test_names_that_are_no_text_and_what_was_skipped(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "photographs", per_class=1)
    (folder / "val" / "bee" / "notes.txt").write_text("no image")
    path = os.fsencode(folder / "val" / "ant" / "000.jpg")
    os.rename(path, path.replace(b"000", b"caf\xe9"))
    console = rich.console.Console(record=True, width=200)
    monkeypatch.chdir(folder)
    assert make_records(".", tmp_path / "out", console=console) == {"train": 2, "val": 2}
    found = "4 JPEG images of 2 classes in . (2 train, 2 val; skipped: 1 .txt)"
    assert found in console.export_text()
    records = tf.data.TFRecordDataset(str(tmp_path / "out" / "validation-00000-of-00001"))
    features = [
        tf.train.Example.FromString(record).features.feature
        for record in records.as_numpy_iterator()
    ]
    names = [feature["image/filename"].bytes_list.value[0] for feature in features]
    assert sorted(names) == [b"val/ant/caf\xe9.jpg", b"val/bee/000.jpg"]


def test_another_input_or_setting_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    output = tmp_path / "out"
    make_records(copy, output, shards=2)
    before = files(output)
    make_records(copy, output, shards=2)
    assert files(output) == before
    with pytest.raises(FileExistsError, match=r"differs is files\."):
        make_records(copy, output, shards=3)
    with pytest.raises(FileExistsError, match=r"differs is seed\."):
        make_records(copy, output, shards=2, seed=1)
    (copy / "train" / "ant" / "000.jpg").unlink()
    with pytest.raises(FileExistsError, match=r"differs is input\."):
        make_records(copy, output, shards=2)
    assert files(output) == before


def test_a_foreign_folder_is_not_touched(folder, tmp_path):
    (tmp_path / "precious.txt").write_text("1")
    with pytest.raises(FileExistsError, match="not empty"):
        make_records(folder, tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(FileExistsError, match="no manifest of ours"):
        make_records(folder, tmp_path)
    assert sorted(files(tmp_path)) == ["manifest.json", "precious.txt"]


def test_what_was_written_wrongly_is_noticed(folder, tmp_path, monkeypatch):
    make = records._record
    wrong_label = lambda images, path, label, content: make(images, path, 1 - label, content)
    monkeypatch.setattr(records, "_record", wrong_label)
    with pytest.raises(ValueError, match="does not hold the 20 images"):
        make_records(folder, tmp_path / "labels", shards=2)
    assert not json.loads((tmp_path / "labels" / "manifest.json").read_text())["complete"]

    def flip(path, examples):
        content = bytearray(path.read_bytes())
        content[40] ^= 1
        path.write_bytes(content)
        return {"examples": examples}

    monkeypatch.setattr(records, "_record", make)
    monkeypatch.setattr("keras_ghostnet.training.data.manifest.Manifest.entry", staticmethod(flip))
    with pytest.raises(ValueError, match="is damaged after 0 records"):
        make_records(folder, tmp_path / "bytes", shards=2)


def test_what_a_link_leads_to_is_not_copied(folder, tmp_path):
    copy, link = shutil.copytree(folder, tmp_path / "copy"), tmp_path / "copy/train/ant/z.png"
    (tmp_path / "private.png").write_bytes(b"secret")
    link.symlink_to(tmp_path / "private.png")
    with pytest.raises(ValueError, match=r"links that lead out of .*: train/ant/z\.png\. Move"):
        make_records(copy, tmp_path / "out")
    link.unlink()
    (copy / "train" / "cat").symlink_to(folder / "train" / "ant")  # a folder's link
    with pytest.raises(ValueError, match=r"links that lead out .*: train/cat/000\.jpg, .*15 more"):
        make_records(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (copy / "train" / "cat").unlink()
    link.symlink_to("000.jpg")  # within the folder
    assert make_records(copy, tmp_path / "out") == {"train": 41, "val": 40}


def test_what_is_no_image_is_not_copied(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "train" / "ant" / "key.jpg").write_text("-----BEGIN PRIVATE KEY-----")
    with pytest.raises(ValueError, match=r"files that are no images.*: train/ant/key\.jpg\."):
        make_records(copy, tmp_path / "out")


def test_an_error_leaves_no_half_file(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_record", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_records(folder, tmp_path / "out")
    assert sorted(files(tmp_path / "out")) == ["classes.json", "manifest.json"]


@pytest.mark.parametrize("options", [dict(shards=0), dict(workers=0)])
def test_arguments_out_of_range(folder, tmp_path, options):
    (name,) = options
    with pytest.raises(ValueError, match=f"`{name}` must be an integer in"):
        make_records(folder, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("terminal", [True, False])
def test_progress(folder, tmp_path, terminal):
    console = rich.console.Console(record=True, force_terminal=terminal, width=80)
    make_records(folder, tmp_path / "out", shards=4, console=console)
    text = console.export_text()
    assert "written" in text
    assert "checked" in text
    assert "80" in text


def test_the_command(folder, tmp_path, capsys):
    import argparse

    parser = argparse.ArgumentParser()
    command.arguments(parser)
    command.run(parser.parse_args([str(folder), str(tmp_path / "out"), "--shards", "2"]))
    assert "40 for train, 40 for val; all read back and correct" in capsys.readouterr().out
