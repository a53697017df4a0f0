"""Classifiers of every pixel: figures compared with NumPy, runs started, resumed, refused."""

import csv
import dataclasses
import json

import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import keras_ghostnet
from keras_ghostnet import cli
from keras_ghostnet.training import Stopped, classifiers, evaluate, recipes, train
from keras_ghostnet.training.data import Pipeline, open_source
from keras_ghostnet.training.data.label_maps import IGNORED, colors_of_classes
from keras_ghostnet.training.loop import Loop
from keras_ghostnet.training.map_pictures import overlay
from keras_ghostnet.training.run import Run
from tests.training import runs
from tests.training.scenes import CLASSES, make_scenes, write_folder, write_image

SIZE = 32
SETTINGS = (
    f"image_size={SIZE}", "weights=none", "batch_size=8", "epochs=2", "learning_rate=0.05",
    "warmup_epochs=0", "augmentation.area=0.6,1", "model=ghostnet_050",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scenes; a corner of every held-out one has no class."""
    folder = write_folder(tmp_path_factory.mktemp("maps") / "scenes", 24, 9, (SIZE, SIZE))
    for number, labels in enumerate(make_scenes(9, (SIZE, SIZE), 1)[1]):
        labels[: 3 + number, :10] = IGNORED
        write_image(folder / "val" / "masks" / f"{number:03}.png", labels)
    return folder


def small_segmenter(recipe=None, classes=4):
    """A network that is compiled at once, and needs nothing but colors."""
    size = recipe.image_size if recipe else SIZE
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(12, 2, strides=2, name="conv")(inputs)
    x = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization(name="bn")(x))
    x = keras.layers.Conv2D(classes, 1, name="logits")(x)
    x = keras.layers.UpSampling2D(2, interpolation="bilinear", name="to_pixels")(x)
    return keras.Model(inputs, x, name="small")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(classifiers, "build_classifier", small_segmenter)


# ------------------------------------------------------------------- figures


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_figures_are_of_pixels_that_have_a_class(folder, activation):
    keras.utils.set_random_seed(0)
    model = small_segmenter()
    if activation:
        model = keras.Model(model.input, keras.layers.Softmax()(model.output))
    found = evaluate(model, folder, batch_size=4, crop=1.0)
    source = open_source(folder, "val")
    (batch,) = Pipeline(source, image_size=SIZE, training=False, crop=1.0).batches(
        0, global_batch=9
    )
    outputs, labels = model.predict(batch["image"], verbose=0), batch["label"].numpy()
    shares = outputs if activation else np.asarray(keras.ops.softmax(outputs))
    predicted, counted = outputs.argmax(axis=-1), labels != IGNORED
    assert 0 < np.sum(~counted) < counted.sum()
    losses = [
        -np.log(np.take_along_axis(p[c], t[c][:, None], axis=-1)).mean()
        for p, t, c in zip(shares, labels, counted, strict=True)
    ]
    iou = []
    for one in range(4):
        both = np.sum(counted & (predicted == one) & (labels == one))
        either = np.sum(counted & ((predicted == one) | (labels == one)))
        iou.append(both / either)
    metric = keras.metrics.MeanIoU(4, ignore_class=IGNORED)
    metric.update_state(labels, predicted)
    assert found.mean_iou == pytest.approx(float(metric.result()), rel=1e-6)
    np.testing.assert_allclose(found.iou, iou, rtol=1e-12)
    assert found.metrics == pytest.approx(
        {
            "loss": np.mean(losses),
            "accuracy": np.mean(predicted[counted] == labels[counted]),
            "mean_iou": np.mean(iou),
            "examples": 9,
        },
        rel=1e-5,
    )
    assert found.confusion.sum() == counted.sum()
    rights = [np.mean(p[c] == t[c]) for p, t, c in zip(predicted, labels, counted, strict=True)]
    np.testing.assert_allclose(found.image_accuracy, rights, rtol=1e-6)


def test_classes_that_are_nowhere_are_no_part_of_the_mean(folder):
    (folder / "classes.txt").write_text("\n".join((*CLASSES, "none")) + "\n")
    model = small_segmenter(classes=5)
    model.get_layer("logits").bias.assign([0, 0, 0, 0, -1e6])
    found = evaluate(model, folder, crop=1.0)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    assert np.isnan(found.iou[4])
    assert found.mean_iou == pytest.approx(np.mean(found.iou[:4]))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_mean_over_an_image_s_labeled_pixels(smoothing):
    settings = (*SETTINGS, f"label_smoothing={smoothing}")
    recipe = recipes.override(recipes.get_recipe("segmentation"), settings)
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    weights = np.array([1, 2, 0.5, 4], "float32")
    loop = Loop(recipe, small_segmenter, 10, strategy, class_weights=weights)
    random = np.random.default_rng(0)
    outputs = random.normal(size=(3, 4, 5, 4)).astype("float32")
    labels = random.integers(0, 4, (3, 4, 5)).astype("int32")
    labels[0, :2], labels[2] = IGNORED, IGNORED
    logarithms = outputs - np.log(np.exp(outputs).sum(axis=-1, keepdims=True))
    expected = np.zeros(3)
    for image in range(2):
        values = []
        for place in np.argwhere(labels[image] != IGNORED):
            true = labels[image][tuple(place)]
            target = np.full(4, smoothing / 4)
            target[true] += 1 - smoothing
            values.append(-weights[true] * np.dot(target, logarithms[image][tuple(place)]))
        expected[image] = np.mean(values)
    found = loop._losses(tf.constant(labels), tf.constant(outputs), None)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_maps_are_distilled():
    """With the loss of the teacher alone, a student that equals it has none."""
    settings = (*SETTINGS, "distillation=1", "l2=0")
    recipe = recipes.override(recipes.get_recipe("segmentation"), settings)
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    loop = Loop(recipe, small_segmenter, 3, strategy, small_segmenter)
    loop.teacher.set_weights(loop.model.get_weights())
    images = tf.random.stateless_normal((2, SIZE, SIZE, 3), (0, 1))
    labels = tf.zeros((2, SIZE, SIZE), tf.int32)
    outputs = loop.model(images, training=False)
    np.testing.assert_allclose(loop._losses(labels, outputs, images), 0, atol=1e-6)
    loop.teacher.get_layer("logits").bias.assign([0, 1, 0, 0])
    assert (loop._losses(labels, outputs, images).numpy() > 0.01).all()
    with pytest.raises(ValueError, match="has outputs of shape"):
        Loop(recipe, small_segmenter, 3, strategy, small_classifier)


def small_classifier():
    return keras.Sequential([small_segmenter(), keras.layers.GlobalAveragePooling2D()])


# ---------------------------------------------------------------------- runs


def test_a_run(folder, small, tmp_path, capsys):
    path = tmp_path / "run"
    metrics = train("segmentation", folder, path, settings=(*SETTINGS, "epochs=6"))
    rows = list(csv.DictReader((path / "metrics.csv").open()))
    best = max(rows, key=lambda row: float(row["val_mean_iou"]))
    assert metrics["best"]["epoch"] == int(best["epoch"])
    assert metrics["best"]["val_mean_iou"] > 0.6
    assert set(rows[0]) == {
        "epoch", "step", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy",
        "val_mean_iou", "images_per_second",
    }  # fmt: skip
    for name in ("training_batch.png", "predictions.png", "learning_curve.png"):
        with PIL.Image.open(path / name) as picture:
            assert min(picture.size) > 200
    found = evaluate(path, folder)
    assert found.mean_iou == pytest.approx(metrics["best"]["val_mean_iou"], abs=1e-9)
    out, picture = tmp_path / "figures.json", tmp_path / "evaluation.png"
    words = ["evaluate", path, "--data", folder, "--output", out, "--picture", picture]
    assert cli.main(cli.parse(["ghostnet", *map(str, words)])) == 0
    printed = capsys.readouterr().out
    for name, iou in zip(CLASSES, found.iou, strict=True):
        assert f"{name}" in printed
        assert f"{iou:.2%}" in printed
    assert json.loads(out.read_text())["iou"] == pytest.approx(
        dict(zip(CLASSES, found.iou, strict=True))
    )
    assert picture.stat().st_size > 10_000


def test_a_run_that_is_stopped_ends_with_the_very_same_state(folder, small, tmp_path):
    def start(name, stop_at=None):
        recipe = recipes.override(recipes.get_recipe("segmentation"), SETTINGS)
        run = Run(recipe, folder, tmp_path / name, strategy="one_device", checkpoint_steps=2)
        step = run.loop.train_step

        def counted(*arguments):
            run.stop = run.step == stop_at
            return step(*arguments)

        run.loop.train_step = counted
        return run

    start("whole").execute()
    with pytest.raises(Stopped):
        start("stopped", stop_at=3).execute()
    start("stopped").execute()
    runs.assert_same_state(tmp_path / "stopped", tmp_path / "whole")


def test_refusals(folder, small, tmp_path):
    photos = runs.write_photos(tmp_path / "photos")
    cases = (
        ("segmentation", photos, (), "has one class an image, and task=segmentation needs a map"),
        ("smoke", folder, (), "has a map of classes for every image.*Take the recipe `segment"),
        ("segmentation", folder, ("image_size=40",), "multiples of 32. Received: 40 x 40"),
        ("segmentation", folder, ("model=ghost_vgg16",), "ghost_vgg16 has no dilated form"),
        ("segmentation", folder, ("augmentation.mixup=0.2",), "mixup.*is for images of one class"),
    )
    for recipe, data, settings, message in cases:
        settings = (*(SETTINGS if recipe == "segmentation" else ()), *settings)
        with pytest.raises(ValueError, match=message):
            train(recipe, data, tmp_path / "run", settings=settings)
    with pytest.raises(ValueError, match=r"outputs one class an image.*has maps of classes"):
        evaluate(small_classifier(), folder)
    with pytest.raises(ValueError, match=r"End it in a keras.layers.UpSampling2D"):
        evaluate(keras.Model((m := small_segmenter()).input, m.get_layer("logits").output), folder)


def test_small_images_are_refused_before_the_folder_is_listed(tmp_path):
    settings = ("model=ghostnetv3_100", "image_size=32")
    with pytest.raises(ValueError, match=r"at least 33 x 33 .*Received: image_size=32"):
        train("smoke", tmp_path / "nothing", tmp_path / "run", settings=settings)


def test_a_file_s_network(folder, tmp_path):
    small_segmenter().save(tmp_path / "net.keras")
    settings = (*SETTINGS, "epochs=1", f"model={tmp_path / 'net.keras'}")
    metrics = train("segmentation", folder, tmp_path / "run", settings=settings)
    assert metrics["best"]["step"] == 3
    small_segmenter(classes=3).save(tmp_path / "net.keras")
    with pytest.raises(ValueError, match="outputs maps of 3 classes, the images have 4: ground"):
        train("segmentation", folder, tmp_path / "other", settings=settings)
    settings = (*SETTINGS[:1], f"model={tmp_path / 'net.keras'}")
    with pytest.raises(ValueError, match=r"task=classification, with an output of .None, classes"):
        train("smoke", folder, tmp_path / "other", settings=settings)


# ------------------------------------------------------------------ networks


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_the_network(stride):
    keras.utils.set_random_seed(0)
    model = keras_ghostnet.segmenter("ghostnet_050", 5, output_stride=stride, units=16)
    assert model.output_shape == (None, None, None, 5)
    assert model(np.zeros((1, 64, 96, 3), "float32")).shape == (1, 64, 96, 5)
    assert model.get_layer("project").input.shape[-1] == 80  # stage 5 of width 0.5
    assert model.name == "ghostnet_050_lr_aspp"


def test_mixed_precision_ends_in_float32(folder, small):
    recipe = recipes.get_recipe("segmentation")
    recipe = dataclasses.replace(
        recipe, model="ghostnet_050", image_size=SIZE, weights=None, precision="mixed_bfloat16"
    )
    model = classifiers._classifier(recipe, 4)
    assert model.output.dtype == "float32"


def test_colors_are_pascal_voc_s():
    """As in the devkit: person is (192, 128, 128), a boundary (224, 224, 192)."""
    colors = colors_of_classes(256)
    expected = {0: (0, 0, 0), 1: (128, 0, 0), 15: (192, 128, 128), 255: (224, 224, 192)}
    for number, color in expected.items():
        assert tuple(colors[number]) == color
    assert len(np.unique(colors, axis=0)) == 256
    pixels = np.full((1, 2, 3), 100, "uint8")
    shown = overlay(pixels, np.array([[1, IGNORED]]))
    assert shown.tolist() == [[[118, 35, 35], [100, 100, 100]]]
