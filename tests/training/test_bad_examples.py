"""Photographs as they are found: all that can be decoded is, and the rest is named."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from keras_ghostnet import preprocess_input
from keras_ghostnet.training.data import Augmentation, Pipeline, decoding, make_records, open_source
from keras_ghostnet.training.data.bad_examples import BadExamples
from tests.training import photographs
from tests.training.batches import assert_same, collect, joined
from tests.training.photographs import encode, picture, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "photographs", per_class=20)


SHARP = picture(seed=99)
GOOD = {
    "png named jpeg": encode(SHARP, "PNG"),
    "cmyk": encode(PIL.Image.fromarray(SHARP).convert("CMYK")),
    "gray": encode(PIL.Image.fromarray(SHARP).convert("L")),
    "sixteen bits": photographs.deep_png(SHARP, 3),
    "sixteen bits gray": photographs.deep_png(SHARP, 1),
    "animation": photographs.animation(SHARP),
    "exif": photographs.rotated(SHARP, 6),
    "bmp": encode(SHARP, "BMP"),
    "bmp palette": encode(PIL.Image.fromarray(SHARP).convert("L"), "BMP"),
    "webp": encode(SHARP, "WEBP"),
    "transparent": encode(PIL.Image.fromarray(SHARP).convert("RGBA"), "PNG"),
}
BAD = {
    "empty": (b"", "the file is empty"),
    "truncated": (encode(SHARP)[:-500], "truncated"),
    "header only": (encode(SHARP)[:20], "image"),
    "not an image": (b"<html>404 Not Found</html>", "not an image"),
}


@pytest.fixture
def wild(folder, tmp_path):
    """An image folder with every kind of photograph, all named .JPEG."""
    shutil.copytree(folder, tmp_path / "wild")
    for name, encoded in {**GOOD, **{name: bad[0] for name, bad in BAD.items()}}.items():
        (tmp_path / "wild" / "val" / "bee" / f"{name}.JPEG").write_bytes(encoded)
    return tmp_path / "wild"


@pytest.mark.parametrize("kind", ["folder", "records"])
def test_what_can_be_decoded_is_and_the_rest_is_named(wild, tmp_path, kind):
    bad = dict(BAD)
    if kind == "records":  # which take nothing that does not even begin as an image
        for name in ("empty", "not an image"):
            bad.pop(name)
            (wild / "val" / "bee" / f"{name}.JPEG").unlink()
        make_records(wild, tmp_path / "records")
    source = open_source(wild if kind == "folder" else tmp_path / "records", "val")
    log = tmp_path / "run" / "bad_examples.csv"
    pipeline = Pipeline(
        source, image_size=48, training=False, crop=1.0, bad_limit=0.1, bad_examples=log
    )
    for _ in range(2):  # the second epoch adds nothing
        found = collect(pipeline, global_batch=16)
        usable = found["index"][found["weight"] == 1]
        assert len(usable) == 40 + len(GOOD)
        assert len(pipeline.bad) == len(bad)
    with log.open(newline="") as file:
        rows = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    keys = {source.reader.read(i)[0]: source.key(i) for i in range(source.examples)}
    assert rows.keys() == {keys[encoded] for encoded, _ in bad.values()}
    for encoded, reason in bad.values():
        assert reason in rows[keys[encoded]]
    indices = {key: index for index, key in enumerate(map(source.key, range(source.examples)))}
    images = dict(zip(found["index"].ravel(), found["image"].reshape(-1, 48, 48, 3), strict=True))
    for name, encoded in GOOD.items():
        image = decoding.decode(encoded)
        top, left = (np.array(image.shape[:2]) - 48) // 2
        expected = image[top : top + 48, left : left + 48].astype("float32")
        np.testing.assert_allclose(
            images[indices[keys[encoded]]], preprocess_input(expected), atol=1e-3, err_msg=name
        )


def test_training_goes_on_too_and_is_the_same_for_all_shards(wild):
    shutil.rmtree(wild / "train")
    (wild / "val").rename(wild / "train")
    mixing = Augmentation(mixup=0.2)
    options = dict(image_size=16, training=True, augmentation=mixing, bad_limit=0.1)
    pipeline = Pipeline(open_source(wild, "train"), **options)
    whole = collect(pipeline, global_batch=44)
    parts = [collect(pipeline, global_batch=44, shard=(i, 2)) for i in range(2)]
    assert_same(whole, joined(parts))
    assert set(whole["weight"].ravel()) == {0, 1}
    assert np.isfinite(whole["image"]).all()


@pytest.mark.parametrize("training", [True, False])
def test_what_most_are_changes_nothing(wild, training, monkeypatch):
    if training:
        shutil.rmtree(wild / "train")
        (wild / "val").rename(wild / "train")
    source = open_source(wild, "train" if training else "val")
    # More threads than TensorFlow has for its operations: those that wait must not hold them all.
    options = dict(image_size=16, training=training, bad_limit=0.1, threads=16)
    guess = Pipeline(source, **options)
    assert guess.jpegs
    monkeypatch.setattr(decoding, "are_mostly_jpegs", lambda reader: False)
    other = Pipeline(source, **options)
    assert_same(collect(guess, global_batch=11), collect(other, global_batch=11))


def test_most_are_what_a_few_are(tmp_path):
    folder = write_folder(tmp_path, per_class=6)
    paths = sorted(folder.glob("train/*/*"))

    def mostly_jpegs():
        return Pipeline(open_source(folder, "train"), image_size=8, training=True).jpegs

    paths[0].write_bytes(b"")
    paths[1].write_bytes(encode(SHARP, "PNG"))
    assert mostly_jpegs()
    for path in paths[:9]:
        path.write_bytes(encode(SHARP, "PNG"))
    assert not mostly_jpegs()


def test_above_the_limit_it_stops(wild, tmp_path):
    source = open_source(wild, "val")
    log = tmp_path / "bad.csv"
    pipeline = Pipeline(source, image_size=8, training=False, bad_limit=0.04, bad_examples=log)
    message = r"^3 of 55 examples .* no more than 2 .*4\.000%.*bad\.csv.* --bad-limit 0\.073\.$"
    for _ in range(2):
        with pytest.raises(ValueError, match=message) as error:
            collect(pipeline, global_batch=16)
        assert "Traceback" not in str(error.value)


@pytest.mark.parametrize(
    ("examples", "limit", "allowed"),
    [
        (55, None, 5),  # a handful
        (3, None, 2),  # but never all
        (100_000, None, 100),  # a thousandth
        (1000, 0.01, 10),
        (1000, 0.0, 0),
        (3, 1.0, 3),
    ],
)
def test_how_many_may_be_bad(examples, limit, allowed):
    bad = BadExamples(examples, limit)
    for number in range(allowed):
        bad.report(str(number), "broken")
        bad.report(str(number), "broken")  # counts once
    assert len(bad) == allowed
    if allowed < examples:
        with pytest.raises(ValueError, match=f"^{allowed + 1} of {examples} .* no more than"):
            bad.report("one more", "broken")


ALL_BAD = """
import sys, threading
from keras_ghostnet.training.data import Pipeline, open_source

pipeline = Pipeline(open_source(sys.argv[1], "val"), image_size=8, training=False, bad_limit=0)
messages = []

def read():
    try:
        with pipeline.explained():
            for batch in pipeline.batches(0, global_batch=2):
                pass
    except ValueError as error:
        messages.append(str(error))

for _ in range(3):
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(120)
    assert not thread.is_alive(), "the reading hangs"
print(len(messages), "messages alike" if len(set(messages)) == 1 else messages)
"""


def test_a_stopped_pipeline_can_be_read_again_and_leaves_no_thread(wild):
    """In a process of its own, whose end would let threads that still read print what they met."""
    for path in (wild / "val").glob("*/*"):
        path.write_bytes(b"<html>404 Not Found</html>")
    command = [sys.executable, "-c", ALL_BAD, str(wild)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert result.stdout == "3 messages alike\n", result.stderr
    assert result.returncode == 0
    for leak in ("Not a JPEG", "interpreter"):
        assert leak not in result.stderr


def test_labels_out_of_range_and_broken_records(folder, tmp_path):
    make_records(folder, tmp_path / "copy", shards=3)
    (tmp_path / "copy" / "manifest.json").unlink()  # which would tell at once
    path = tmp_path / "copy" / "validation-00000-of-00003"
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    classes = {"first_label": 1, "class_names": ["ant"]}
    (tmp_path / "copy" / "classes.json").write_text(json.dumps(classes))
    log = tmp_path / "bad.csv"
    source = open_source(tmp_path / "copy", "val")
    pipeline = Pipeline(source, image_size=8, training=False, bad_limit=1.0, bad_examples=log)
    found = collect(pipeline, global_batch=16)
    rows = list(csv.reader(log.open(newline="")))
    assert rows[0] == ["path", "reason"]
    reasons = dict(rows[1:])
    assert "CRC does not match" in reasons.pop(f"{path}:0")
    assert set(reasons.values()) == {"label 1 is out of range: 0 to 0"}
    assert found["weight"].sum() == 40 - 1 - len(reasons)
    assert 19 <= len(reasons) <= 20


def test_a_list_is_continued(wild, tmp_path):
    log = tmp_path / "bad.csv"
    for _ in range(2):  # as a run that is started again does
        options = dict(image_size=8, training=False, bad_limit=1.0, bad_examples=log)
        collect(Pipeline(open_source(wild, "val"), **options), global_batch=16)
    assert len(log.read_text().splitlines()) == 1 + len(BAD)
