"""The batches: the same for any shards and threads, and every example once."""

import shutil

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_ghostnet import preprocess_input
from keras_ghostnet.training.data import Augmentation, Pipeline, make_records, open_source
from tests.training.batches import NAMES, assert_same, collect, joined
from tests.training.photographs import write_folder

PER_CLASS = 20  # of two classes: 40 examples a split
EVERYTHING = Augmentation(rand_augment=(1, 9), erasing=0.5, mixup=0.2, cutmix=1.0)


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
