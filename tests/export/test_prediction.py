"""`predict` against Keras' own outputs; artifacts against `predict` of their model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet import registry
from keras_ghostnet.export import export, formats
from keras_ghostnet.export.prediction import predict
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.training.data.images import center_crop
from tests.export.command import FP32, INT8
from tests.export.conftest import patches
from tests.training.photographs import encode, picture


@pytest.fixture(scope="module")
def photos(run_dir):
    return sorted((run_dir / "photos" / "val").rglob("*.png"))


def probabilities(predictions):
    """An array `(n, 2)` in the order of the classes."""
    return np.array([[dict(p.classes)[name] for name in ("ant", "bee")] for p in predictions])


def softmax(logits):
    return np.asarray(keras.ops.softmax(logits))


def test_a_run_computes_what_keras_does(run_dir, small, photos):
    pixels = np.stack([keras.utils.img_to_array(keras.utils.load_img(path)) for path in photos])
    expected = softmax(small.predict(normalize(pixels), verbose=0))
    found = predict(run_dir, run_dir / "photos" / "val")
    assert [prediction.image for prediction in found] == list(map(str, photos))
    # The crop is 1, the photos have the model's size: they are seen as they are.
    np.testing.assert_allclose(probabilities(found), expected, atol=1e-6)
    assert {prediction.classes[0][0] for prediction in found} == {"ant", "bee"}
    for path, prediction in zip(photos, found, strict=True):
        assert prediction.classes[0][0] == path.parent.name
        assert prediction.classes[0][1] > prediction.classes[1][1]


@pytest.fixture(scope="module")
def expected(run_dir, photos):
    return probabilities(predict(run_dir, photos[::4]))


@pytest.mark.parametrize("name", [FP32, INT8, "small/1"])
def test_artifacts_compute_what_their_model_does(name, exported, expected, photos):
    found = probabilities(predict(exported / name, photos[::4]))
    np.testing.assert_allclose(found, expected, atol=0.1 if name == INT8 else 1e-5)


def test_onnx_computes_what_its_model_does(expected, run_dir, photos, tmp_path):
    if formats.missing_packages(formats.get_format("onnx_fp32")):
        pytest.skip("ONNX is missing")
    (result,) = export(run_dir, tmp_path, "onnx_fp32", layout="NCHW")
    np.testing.assert_allclose(
        probabilities(predict(result.path, photos[::4])), expected, atol=1e-5
    )


def test_a_model_in_memory_and_pixels_of_any_size(small):
    """Seen by the crop of the public checkpoints, and with numbers for labels."""
    pixels = np.stack([picture(50, 70, seed=seed) for seed in range(3)])
    found = predict(small, pixels, top=1)
    assert [prediction.image for prediction in found] == [0, 1, 2]
    seen = np.stack([np.rint(center_crop(tf.constant(x), (32, 32), 0.875)) for x in pixels])
    expected = softmax(small.predict(normalize(seen), verbose=0))
    for prediction, row in zip(found, expected, strict=True):
        ((label, probability),) = prediction.classes
        assert label == str(row.argmax())
        assert probability == pytest.approx(row.max(), abs=1e-6)
    ((alone,),) = [prediction.classes for prediction in predict(small, pixels[0], top=1)]
    assert alone == (found[0].classes[0][0], pytest.approx(found[0].classes[0][1], abs=1e-6))


def test_a_softmax_is_not_applied_twice(small):
    model = keras.Model(small.input, keras.layers.Softmax()(small.output))
    pixels = patches(4, 32)
    for one, other in zip(predict(model, pixels), predict(small, pixels), strict=True):
        assert [label for label, _ in one.classes] == [label for label, _ in other.classes]
        probability, same = ([p for _, p in each.classes] for each in (one, other))
        np.testing.assert_allclose(probability, same, rtol=1e-6)


def test_a_published_model_brings_names(small, monkeypatch):
    outputs = keras.layers.Dense(1000, name="thousand")(small.output)
    model = keras.Model(small.input, outputs)
    monkeypatch.setattr(registry, "create_model", lambda name, **arguments: model)
    (found,) = predict("ghostnet_100", patches(1, 40), top=1000)
    names = [label for label, _ in found.classes]
    assert {"tench", "goldfish", "tabby"} < set(names)
    assert sum(probability for _, probability in found.classes) == pytest.approx(1, abs=1e-5)


def test_a_folder_of_photos_of_any_kind(run_dir, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.jpg").write_bytes(encode(picture(60, 40), "JPEG"))
    (tmp_path / "deep" / "b.png").write_bytes(encode(picture(20, 90), "PNG"))
    (tmp_path / "notes.txt").write_text("not an image")
    found = predict(run_dir, tmp_path)
    assert [prediction.image for prediction in found] == [
        str(tmp_path / "a.jpg"),
        str(tmp_path / "deep" / "b.png"),
    ]
    assert predict(run_dir, [tmp_path / "a.jpg", tmp_path / "deep"]) == found


def test_what_does_not_fit(run_dir, exported, tmp_path):
    pixels = patches(1, 32)
    with pytest.raises(ValueError, match="top=0"):
        predict(run_dir, pixels, top=0)
    with pytest.raises(ValueError, match=r"RGB pixels, uint8.*Received: float32"):
        predict(run_dir, pixels.astype("float32"))
    with pytest.raises(FileNotFoundError, match="no image and no folder nowhere"):
        predict(run_dir, "nowhere")
    with pytest.raises(FileNotFoundError, match="There is no model"):
        predict(tmp_path / "run", pixels)
    with pytest.raises(FileNotFoundError, match="There is no artifact"):
        predict(tmp_path / "small_fp32.tflite", pixels)
    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"broken\.jpg cannot be used"):
        predict(run_dir, tmp_path)
    alone = tmp_path / FP32
    alone.write_bytes((exported / FP32).read_bytes())
    with pytest.raises(FileNotFoundError, match=r"small_fp32\.tflite has no .*\.json beside it"):
        predict(alone, pixels)
