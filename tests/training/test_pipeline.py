"""The batches: the same for any shards and threads, every example once, bad ones named."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_ghostnet import preprocess_input
from keras_ghostnet.training.data import Augmentation, Pipeline, decoding, make_records, open_source
from keras_ghostnet.training.data.bad_examples import BadExamples
from tests.training import photographs
from tests.training.photographs import encode, picture, write_folder

PER_CLASS = 20  # of two classes: 40 examples a split
EVERYTHING = Augmentation(rand_augment=(1, 9), erasing=0.5, mixup=0.2, cutmix=1.0)
NAMES = ("image", "label", "weight", "index")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "photographs", per_class=PER_CLASS)


@pytest.fixture(scope="module")
def records(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("data") / "records"
    make_records(folder, output, shards=3)
    return output


@pytest.fixture(scope="module")
def training(folder):
    return Pipeline(open_source(folder, "train"), image_size=(24, 32), training=True, seed=3)


def collect(pipeline, epoch=0, **options):
    """All batches of an epoch, as dicts of arrays, stacked."""
    with pipeline.explained():
        batches = list(pipeline.batches(epoch, **options).as_numpy_iterator())
    return {name: np.stack([batch[name] for batch in batches]) for name in NAMES}


def assert_same(first, second):
    for name in NAMES:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def joined(parts):
    """The batches of all shards side by side: the global batches."""
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in NAMES}


def test_batches_are_as_described(training):
    batches = training.batches(0, global_batch=12)
    shapes = {
        name: (spec.shape.as_list(), spec.dtype) for name, spec in batches.element_spec.items()
    }
    assert shapes == {
        "image": ([12, 24, 32, 3], tf.float32),
        "label": ([12], tf.int32),
        "weight": ([12], tf.float32),
        "index": ([12], tf.int64),
    }
    assert training.steps_per_epoch(12) == 3  # of 40
    found = collect(training, global_batch=12)
    assert len(set(found["index"].ravel())) == 36
    np.testing.assert_array_equal(found["label"], found["index"] // PER_CLASS)
    assert (found["weight"] == 1).all()
    low, high = preprocess_input(np.stack([np.zeros((1, 1, 3)), np.full((1, 1, 3), 255.0)]))
    assert (found["image"] >= low - 1e-5).all()
    assert (found["image"] <= high + 1e-5).all()
    assert found["image"].std() > 0.5


@pytest.mark.parametrize(
    ("kind", "settings"), [("folder", EVERYTHING), ("records", Augmentation())]
)
def test_shards_and_threads_do_not_matter(folder, records, kind, settings):
    source = open_source({"folder": folder, "records": records}[kind], "train")
    options = dict(image_size=(24, 32), training=True, augmentation=settings)
    whole = collect(Pipeline(source, threads=1, **options), 2, global_batch=16)
    many = Pipeline(source, threads=4, **options)
    assert_same(whole, collect(many, 2, global_batch=16))
    for count in (2, 4):
        parts = [collect(many, 2, global_batch=16, shard=(i, count)) for i in range(count)]
        assert parts[0]["index"].shape == (2, 16 // count)
        assert_same(whole, joined(parts))


def test_the_batch_does_not_change_an_example(training):
    small, large = (collect(training, global_batch=size) for size in (5, 40))
    for name in NAMES:
        np.testing.assert_array_equal(
            small[name].reshape(large[name][0].shape), large[name][0], err_msg=name
        )


def test_groups_of_a_large_batch(training, monkeypatch):
    whole = collect(training, global_batch=40)
    monkeypatch.setattr("keras_ghostnet.training.data.pipeline.GROUP", 7)
    source = training.source
    grouped = Pipeline(source, image_size=(24, 32), training=True, seed=3)
    assert_same(whole, collect(grouped, global_batch=40))  # five at a time


def test_epochs_and_seeds_differ(training):
    first, second = (collect(training, epoch, global_batch=40) for epoch in (0, 1))
    assert not np.array_equal(first["index"], second["index"])
    assert_same(first, collect(training, 0, global_batch=40))
    order = first["index"][0].argsort(), second["index"][0].argsort()
    assert not np.array_equal(first["image"][0][order[0]], second["image"][0][order[1]])
    other = Pipeline(training.source, image_size=(24, 32), training=True, seed=4)
    assert not np.array_equal(first["index"], collect(other, global_batch=40)["index"])


def test_start_step_reads_nothing_before_it(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    source = open_source(tmp_path / "copy", "train")
    pipeline = Pipeline(source, image_size=16, training=True)
    whole = collect(pipeline, 1, global_batch=8)
    for index in whole["index"][:3].ravel():
        (tmp_path / "copy" / source.key(index)).unlink()
    rest = collect(pipeline, 1, global_batch=8, start_step=3)
    assert_same({name: whole[name][3:] for name in NAMES}, rest)
    assert len(pipeline.bad) == 0
    assert not list(pipeline.batches(1, global_batch=8, start_step=5))


@pytest.fixture(scope="module", params=["folder", "records"])
def evaluation(request, folder, records):
    source = open_source({"folder": folder, "records": records}[request.param], "val")
    return Pipeline(source, image_size=8, training=False)


@pytest.mark.parametrize(("batch", "count"), [(7, 1), (12, 3), (64, 4)])
def test_evaluation_sees_every_example_once(evaluation, batch, count):
    pipeline = evaluation
    parts = [collect(pipeline, global_batch=batch, shard=(i, count)) for i in range(count)]
    assert {len(part["index"]) for part in parts} == {pipeline.steps_per_epoch(batch)}
    found = joined(parts)
    used = found["weight"] == 1
    assert found["index"][used].tolist() == [*range(40)]
    assert (found["index"][~used] == -1).all()
    assert (found["image"][~used] == 0).all()
    labels = [pipeline.source.reader.read(index)[1] for index in range(40)]
    assert found["label"][used].tolist() == labels


def test_evaluation_images_are_pillows(folder):
    source = open_source(folder, "val")
    found = collect(Pipeline(source, image_size=28, training=False), global_batch=40)
    for index in range(40):
        image = PIL.Image.open(source.key(index)).resize((43, 32), PIL.Image.BICUBIC)
        expected = preprocess_input(np.asarray(image.crop((7, 2, 35, 30)), "float32"))
        np.testing.assert_allclose(found["image"][0, index], expected, atol=1.6 / 255 / 0.224)


def test_mixed_labels(folder):
    source = open_source(folder, "train")
    options = dict(image_size=16, training=True)
    mixing = Augmentation(cutmix=1.0, color_jitter=0.0)
    mixed = collect(Pipeline(source, augmentation=mixing, **options), global_batch=40)
    plain = Augmentation(color_jitter=0.0)
    plain = collect(Pipeline(source, augmentation=plain, **options), global_batch=40)
    np.testing.assert_array_equal(mixed["index"], plain["index"])
    assert mixed["label"].shape == (1, 40, 2)
    np.testing.assert_allclose(mixed["label"].sum(axis=-1), 1, atol=1e-5)
    neighbors = plain["image"][0].reshape(20, 2, 16, 16, 3)[:, ::-1].reshape(40, 16, 16, 3)
    own = (mixed["image"][0] == plain["image"][0]).all(axis=-1)
    assert (own | (mixed["image"][0] == neighbors).all(axis=-1)).all()
    other = plain["label"][0].reshape(20, 2)[:, ::-1].ravel() != plain["label"][0]
    shares = mixed["label"][0][np.arange(40), plain["label"][0]]
    np.testing.assert_allclose(shares[other], own[other].mean(axis=(1, 2)), atol=1e-5)
    with pytest.raises(ValueError, match="even number"):
        Pipeline(source, augmentation=mixing, **options).batches(0, global_batch=6, shard=(0, 2))


# Photographs in the wild.

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
    if kind == "records":
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
        assert len(pipeline.bad) == len(BAD)
    with log.open(newline="") as file:
        rows = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    keys = {source.reader.read(i)[0]: source.key(i) for i in range(source.examples)}
    assert rows.keys() == {keys[encoded] for encoded, _ in BAD.values()}
    for encoded, reason in BAD.values():
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
    monkeypatch.setattr(Pipeline, "_mostly_jpegs", lambda self: False)
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


def test_labels_out_of_range_and_broken_records(records, tmp_path):
    shutil.copytree(records, tmp_path / "copy")
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


# Arguments.


@pytest.mark.parametrize(
    "options",
    [dict(image_size=0), dict(seed=-1), dict(crop=0.0), dict(crop=1.1), dict(bad_limit=2)],
)
def test_arguments_out_of_range(training, options):
    (name,) = options
    with pytest.raises(ValueError, match=f"`{name}` is out of range"):
        Pipeline(training.source, **{"image_size": 8, "training": True, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(global_batch=9, shard=(0, 2)), "multiple of the number of shards"),
        (dict(global_batch=8, shard=(2, 2)), "multiple of the number of shards"),
        (dict(global_batch=8, start_step=6), "`start_step` must be 0 to 5"),
        (dict(global_batch=41), "40 examples: less than one batch of 41"),
    ],
)
def test_batches_out_of_range(training, options, message):
    with pytest.raises(ValueError, match=message):
        training.batches(0, **options)
