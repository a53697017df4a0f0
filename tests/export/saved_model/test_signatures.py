"""Every signature of a SavedModel against the Keras model, for both families."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_ghostnet import files, preprocess_input
from keras_ghostnet.export import saved_model
from keras_ghostnet.export.saved_model.session import ServingSession
from keras_ghostnet.training.data import Pipeline, open_source
from keras_ghostnet.training.data import images as image_ops
from tests.export.saved_model.conftest import LABELS, TOP
from tests.export.saved_model.requests import BROKEN, ask
from tests.training.photographs import picture, write_folder


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@pytest.fixture
def scores(network, family):
    """The Keras model's probabilities for normalized images."""

    def predict(images):
        outputs = network.predict(images, verbose=0)
        return outputs if family == "ghostnet" else softmax(outputs)

    return predict


def evaluated(pixels):
    """Images as evaluation feeds them."""
    crops = [image_ops.center_crop(image, (64, 64)) for image in pixels]
    return preprocess_input(np.stack(crops), "channels_last")


def check(answer, scores):
    classes = np.argsort(-scores, axis=-1)[:, :TOP]
    np.testing.assert_array_equal(answer["classes"], classes)
    np.testing.assert_allclose(answer["scores"], -np.sort(-scores)[:, :TOP], atol=1e-6)
    labels = [[LABELS[number].encode() for number in row] for row in classes]
    np.testing.assert_array_equal(answer["labels"], labels)


def test_floats(session, images, network):
    outputs = network.predict(images, verbose=0)
    np.testing.assert_allclose(session(images, batch_size=7), outputs, atol=1e-5)
    np.testing.assert_allclose(session.single(images[1])()[0], outputs[1], atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (50, 70), (301, 200), (1, 1)])
def test_pixels_of_any_size(size, session, scores):
    pixels = np.stack([picture(*size, seed=seed) for seed in range(3)])
    check(ask(session, "classify_uint8", pixels=pixels), scores(evaluated(pixels)))


def test_files_as_evaluation_reads_them(session, scores, tmp_path):
    folder = write_folder(tmp_path, per_class=4)
    source = open_source(folder, "val")
    pipeline = Pipeline(source, image_size=64, training=False)
    (batch,) = pipeline.batches(0, global_batch=8)
    paths = [source.key(index) for index in batch["index"].numpy()]
    encoded = [(folder / "val" / path).read_bytes() for path in paths]
    answer = ask(session, "classify_bytes", image_bytes=encoded)
    check(answer, scores(batch["image"]))
    assert not any(answer["errors"])


def test_embeddings(session, network, scores, images, photos):
    kernel, bias = network.get_layer("predictions").get_weights()
    embeddings = ask(session, "embed", images=images)["embeddings"]
    np.testing.assert_allclose(softmax(embeddings @ kernel + bias), scores(images), atol=1e-5)
    embeddings = ask(session, "embed_bytes", image_bytes=photos)["embeddings"]
    answer = ask(session, "classify_bytes", image_bytes=photos)
    check(answer, softmax(embeddings @ kernel + bias))


@pytest.mark.parametrize("signature", ["classify_bytes", "embed_bytes"])
def test_in_a_merged_batch_everybody_gets_his_own_answer(signature, ghostnet_session, photos):
    session = ghostnet_session
    broken = [encoded for encoded, _ in BROKEN.values()]
    batch = [file for pair in zip(photos, broken, strict=False) for file in pair]
    merged = ask(session, signature, image_bytes=batch)
    for index, file in enumerate(batch):
        alone = ask(session, signature, image_bytes=[file])
        good = index % 2 == 0
        assert bool(merged["errors"][index]) != good
        assert merged.keys() == alone.keys()
        for key, value in alone.items():
            if value.dtype == np.float32:
                np.testing.assert_allclose(merged[key][index], value[0], atol=1e-5)
            else:
                np.testing.assert_array_equal(merged[key][index], value[0])
            if not good and key != "errors":
                assert value[0].flat[0] in (-1, 0, b"")


def test_an_image_of_nan_fails_alone(session, images):
    images = images[:3].copy()
    images[1, 5, 5, 0] = np.nan
    outputs = ask(session, "serving_default", images=images)["outputs"]
    assert np.isnan(outputs).all(axis=-1).tolist() == [False, True, False]
    embeddings = ask(session, "embed", images=images)["embeddings"]
    assert np.isnan(embeddings).any(axis=-1).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        ("serving_default", dict(images=np.zeros((0, 64, 64, 3), "float32"))),
        ("classify_uint8", dict(pixels=np.zeros((0, 64, 64, 3), "uint8"))),
        ("classify_bytes", dict(image_bytes=np.zeros(0, object))),
        ("embed_bytes", dict(image_bytes=np.zeros(0, object))),
    ],
)
def test_an_empty_batch(ghostnet_session, signature, inputs):
    with pytest.raises(tf.errors.InvalidArgumentError, match="The batch is empty: send at least"):
        ask(ghostnet_session, signature, **inputs)


def test_nothing_is_compiled_by_xla(version):
    content = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    functions = content.meta_graphs[0].graph_def.library.function
    assert len(functions) > 5
    assert not any(function.attr["_XlaMustCompile"].b for function in functions)


def test_every_weight_is_stored_once(version, network):
    (values,) = (version / "variables").glob("*.data-*")
    assert 1 <= files.size(values) / (4 * network.count_params()) < 1.02


# Keras and this package cannot be imported there.
ALONE = """
import sys
sys.modules["keras"] = sys.modules["tf_keras"] = sys.modules["keras_ghostnet"] = None
import numpy as np
import tensorflow as tf
signature = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
np.save(sys.argv[3], signature(images=tf.constant(np.load(sys.argv[2])))["outputs"])
"""


def test_tensorflow_alone_runs_it(ghostnet_version, ghostnet, images, tmp_path):
    before, after = tmp_path / "images.npy", tmp_path / "outputs.npy"
    np.save(before, images)
    command = [sys.executable, "-c", ALONE, ghostnet_version, before, after]
    subprocess.run(command, check=True, cwd=tmp_path)
    expected = ghostnet.predict(images, verbose=0)
    np.testing.assert_allclose(np.load(after), expected, atol=1e-6)


def test_a_model_without_a_dense_layer_has_no_embeddings(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3)(inputs)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    saved_model.export(model, tmp_path / "model")
    with ServingSession(tmp_path / "model") as session:
        assert {"serving_default", "classify_uint8", "classify_bytes"} <= set(session.signatures)
        assert not {"embed", "embed_bytes"} & set(session.signatures)
        answer = ask(session, "classify_uint8", pixels=np.zeros((1, 9, 9, 3), "uint8"))
    assert sorted(answer["classes"][0]) == [0, 1, 2, 3]  # the five best of four
    assert (answer["labels"].astype(int) == answer["classes"]).all()


def pooled(*shape, **conv):
    inputs = keras.Input(shape)
    x = keras.layers.Conv2D(4, 3, **conv)(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: pooled(None, None, 3), {}, "of a fixed size"),
        (lambda: pooled(8, 8, 1), {}, "RGB"),
        (lambda: pooled(8, 8, 3), {"labels": ["a"]}, "`labels` does not fit a model of 4 classes"),
        (lambda: pooled(8, 8, 3), {"top_k": 0}, "top_k=0"),
        (lambda: pooled(8, 8, 3), {"crop": 1.1}, "crop=1.1"),
        (lambda: pooled(8, 8, 4, groups=2), {}, "RGB"),
    ],
)
def test_what_does_not_fit_is_refused(make, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        saved_model.export(make(), tmp_path / "model", **options)
    assert not (tmp_path / "model").exists()


def test_keras_own_grouped_convolutions_are_refused(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 1)(inputs)
    x = keras.layers.Conv2D(4, 3, groups=2)(x)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    with pytest.raises(ValueError, match="GroupedConv2D"):
        saved_model.export(model, tmp_path / "model")
