"""Exported files as teachers: what they teach, what is said of them, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet.export import artifact_classifier, open_teacher
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.training import recipes
from keras_ghostnet.training.loop import Loop
from keras_ghostnet.training.teachers import Teacher, resolve_teacher
from tests.export.command import FP32, ghostnet
from tests.export.conftest import patches

NAMES = ("ant", "bee")
SETTINGS = ("batch_size=8", "image_size=32", "distillation=1", "ema=0", "epochs=1")


@pytest.fixture(scope="module")
def pictures():
    return normalize(patches(8, 32))


@pytest.mark.parametrize("name", [FP32, pytest.param("small/1", marks=pytest.mark.thorough)])
def test_it_knows_what_its_model_knows(name, exported, small, pictures):
    with open_teacher(exported / name) as teacher:
        assert (teacher.input_shape, teacher.output_shape) == ((None, 32, 32, 3), (None, 2))
        assert teacher.labels == NAMES
        found = tf.nn.softmax(teacher.logits(tf.constant(pictures)))
    expected = tf.nn.softmax(small.predict(pictures, verbose=0))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_step_is_that_with_the_keras_model(exported, small, pictures):
    recipe = recipes.override(recipes.get_recipe("smoke"), SETTINGS)
    batch = {
        "image": tf.constant(pictures),
        "label": tf.constant([0, 1] * 4),
        "weight": tf.ones(8),
    }

    def loss(teacher):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((32, 32, 3))
        x = keras.layers.GlobalAveragePooling2D()(inputs)
        model = keras.Model(inputs, keras.layers.Dense(2)(x))
        loop = Loop(recipe, lambda: model, 1, tf.distribute.get_strategy(), lambda: teacher)
        return float(loop.train_step(batch)[0])

    with open_teacher(exported / FP32) as teacher:
        assert loss(teacher) == pytest.approx(loss(small), rel=1e-4)


def test_the_command_opens_it_and_tells_how_fast_it_is(exported, run_dir, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr("keras_ghostnet.training.train", lambda *_, **o: given.append(o["teacher"]))
    words = ("--recipe", "smoke", "--data", run_dir / "photos", "--run-dir", tmp_path / "run")
    assert ghostnet("train", *words, "--set", f"teacher={exported / FP32}") == 0
    assert ghostnet("train", *words, "--set", f"teacher={run_dir}") == 0
    teacher, nothing = given
    assert isinstance(teacher, Teacher)
    assert nothing is None


@pytest.mark.thorough
def test_a_run_with_it(exported, run_dir, tmp_path, capsys):
    words = ("--recipe", "smoke", "--data", run_dir / "photos", "--run-dir", tmp_path / "run")
    settings = [word for one in SETTINGS for word in ("--set", one)]
    code = ghostnet("train", *words, *settings, "--set", f"teacher={exported / FP32}")
    assert code == 0
    assert "images per second: training is no faster" in capsys.readouterr().out


def resolved(teacher, names=NAMES, on_tpu=False):
    said = []
    resolve_teacher(teacher, names, False, on_tpu, said.append)
    return said


@pytest.fixture
def teacher():
    return Teacher("teacher.tflite", lambda images: np.full((len(images), 2), 0.5), (4, 4), NAMES)


def test_speed_and_other_names_are_told(teacher):
    (speed,) = resolved(teacher)
    assert "teacher.tflite runs beside Keras, at about" in speed
    other, _ = resolved(teacher, ("n01", "n02"))
    assert "other names (ant, bee, ...; here n01, n02, ...)" in other


def test_what_is_refused(teacher, exported, run_dir, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="classes in another order: 'ant' where the images have"):
        resolved(teacher, ("bee", "ant"))
    with pytest.raises(ValueError, match="another order"):
        resolved(str(run_dir), ("bee", "ant"))
    with pytest.raises(ValueError, match="which a step on a TPU cannot call"):
        resolved(teacher, on_tpu=True)
    with pytest.raises(ValueError, match=r"no Keras model\..*open_teacher\('.*tflite'\)"):
        resolved(str(exported / FP32))
    with pytest.raises(FileNotFoundError, match="no artifact"):
        open_teacher(tmp_path / "none.tflite")
    content = {**artifact_classifier.sidecar.require(exported / FP32), "labels_are": "independent"}
    monkeypatch.setattr(artifact_classifier.sidecar, "require", lambda _: content)
    with pytest.raises(ValueError, match="independent of each other"):
        open_teacher(exported / FP32)


def test_images_of_another_size_are_refused(teacher):
    recipe = recipes.override(recipes.get_recipe("smoke"), SETTINGS)

    def model():
        inputs = keras.Input((32, 32, 3))
        x = keras.layers.GlobalAveragePooling2D()(inputs)
        return keras.Model(inputs, keras.layers.Dense(2)(x))

    with pytest.raises(ValueError, match=r"'teacher\.tflite' takes images of shape \(4, 4, 3\)"):
        Loop(recipe, model, 1, tf.distribute.get_strategy(), lambda: teacher)
