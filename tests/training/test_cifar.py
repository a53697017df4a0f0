"""CIFAR's binary files as a source: their pixels, their labels, and what is wrong with files."""

import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_ghostnet import create_model, preprocess_input
from keras_ghostnet.training import recipes
from keras_ghostnet.training.data import Pipeline, cifar, decoding, open_source
from tests.training.reading import loaded

NAMES = ("airplane", "automobile", "bird", "cat")
PER_FILE = 6


def write(path, labels, images, coarse=False):
    """A file in the published format: label bytes, then the red, green and blue plane."""
    with open(path, "wb") as file:
        for label, image in zip(labels, images, strict=True):
            file.write(bytes([7, label] if coarse else [label]))
            for channel in range(3):
                file.write(np.ascontiguousarray(image[:, :, channel]).tobytes())


def write_cifar10(folder, per_file=PER_FILE):
    """A small CIFAR-10; returns labels and images of its two splits."""
    folder.mkdir()
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    rng = np.random.default_rng(0)
    splits = {"train": [f"data_batch_{n}.bin" for n in range(1, 6)], "val": ["test_batch.bin"]}
    written = {}
    for split, files in splits.items():
        labels = rng.integers(0, len(NAMES), (len(files), per_file))
        images = rng.integers(0, 256, (len(files), per_file, 32, 32, 3), np.uint8)
        for name, *content in zip(files, labels, images, strict=True):
            write(folder / name, *content)
        written[split] = labels.reshape(-1), images.reshape(-1, 32, 32, 3)
    return written


@pytest.fixture
def folder(tmp_path):
    write_cifar10(tmp_path / "cifar-10-batches-bin")
    return tmp_path / "cifar-10-batches-bin"


@pytest.mark.parametrize("split", ["train", "val"])
def test_images_and_labels_are_those_of_the_files(split, tmp_path):
    labels, images = write_cifar10(tmp_path / "cifar")[split]
    source = open_source(tmp_path / "cifar", split)
    assert source.class_names == NAMES
    assert source.examples == len(labels)
    for index, (label, image) in enumerate(zip(labels, images, strict=True)):
        encoded, read = source.reader.read(index)
        assert read == label
        assert loaded(source, index) == [encoded, label]
        assert decoding.is_plain(encoded)
        np.testing.assert_array_equal(decoding.decode_plain(encoded), image)
        np.testing.assert_array_equal(PIL.Image.open(io.BytesIO(encoded)), image)


def test_keys_name_the_file_and_the_place_in_it(folder):
    source = open_source(folder, "train")
    keys = [source.key(index) for index in (0, PER_FILE - 1, PER_FILE, 5 * PER_FILE - 1)]
    assert [key.rpartition("/")[2] for key in keys] == [
        "data_batch_1.bin:0", "data_batch_1.bin:5", "data_batch_2.bin:0", "data_batch_5.bin:5"
    ]  # fmt: skip


def test_cifar_100_has_fine_labels(tmp_path):
    (tmp_path / "fine_label_names.txt").write_text("apple\nbear\n")
    (tmp_path / "coarse_label_names.txt").write_text("fruit\nanimals\n")
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    write(tmp_path / "train.bin", (0, 1, 1), images, coarse=True)
    write(tmp_path / "test.bin", (1,), images[:1], coarse=True)
    source = open_source(tmp_path, "train")
    assert source.class_names == ("apple", "bear")
    assert [source.reader.read(index)[1] for index in range(3)] == [0, 1, 1]
    for index, image in enumerate(images):
        np.testing.assert_array_equal(decoding.decode(source.reader.read(index)[0]), image)
    assert open_source(tmp_path, "val").examples == 1


# ------------------------------------------------------------------------------- the pipeline


def pipeline(folder, split, recipe):
    return Pipeline(
        open_source(folder, split),
        image_size=recipe.image_size,
        training=split == "train",
        augmentation=recipe.augmentation,
        crop=recipe.crop,
    )


@pytest.mark.parametrize("name", ["ghost_vgg16_cifar10", "ghost_resnet56_cifar10"])
def test_evaluation_sees_the_very_pixels(name, tmp_path):
    labels, images = write_cifar10(tmp_path / "cifar")["val"]
    held_out = pipeline(tmp_path / "cifar", "val", recipes.get_recipe(name))
    (batch,) = held_out.batches(0, global_batch=8).as_numpy_iterator()
    assert batch["weight"].tolist() == [1] * PER_FILE + [0] * 2
    np.testing.assert_array_equal(batch["label"][:PER_FILE], labels)
    expected = preprocess_input(images.astype("float32"))
    np.testing.assert_allclose(batch["image"][:PER_FILE], expected, rtol=0, atol=2e-6)


def test_training_sees_shifted_and_mirrored_images(tmp_path):
    labels, images = write_cifar10(tmp_path / "cifar")["train"]
    training = pipeline(tmp_path / "cifar", "train", recipes.get_recipe("ghost_vgg16_cifar10"))
    batch = next(iter(training.batches(0, global_batch=16).as_numpy_iterator()))
    shifts, mirrored = set(), set()
    black = preprocess_input(np.zeros((1, 1, 3), "float32"))
    for image, label, index in zip(batch["image"], batch["label"], batch["index"], strict=True):
        assert label == labels[index]
        pixels = preprocess_input(images[index].astype("float32"))
        padded = np.tile(black, (40, 40, 1))
        padded[4:36, 4:36] = pixels
        found = [
            (y, x, flipped)
            for y in range(9)
            for x in range(9)
            for flipped in (False, True)
            if np.allclose(
                image[:, ::-1] if flipped else image, padded[y : y + 32, x : x + 32], atol=1e-5
            )
        ]
        assert len(found) == 1
        shifts.add(found[0][:2])
        mirrored.add(found[0][2])
    assert len(shifts) > 8
    assert mirrored == {False, True}


@pytest.mark.parametrize("name", ["ghost_vgg16_cifar10", "ghost_resnet56_cifar10"])
def test_a_batch_of_the_recipe_goes_through_its_network(name, folder):
    recipe = recipes.get_recipe(name)
    training = pipeline(folder, "train", recipe)
    batch = next(iter(training.batches(0, global_batch=4)))
    model = create_model(
        recipe.model,
        classes=len(training.class_names),
        classifier_activation=None,
        dropout_rate=recipe.dropout_rate,
        input_shape=(recipe.image_size, recipe.image_size, 3),
        weights=recipe.weights,
    )
    with tf.GradientTape() as tape:
        logits = model(batch["image"], training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["label"], logits)
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert logits.shape == (4, len(NAMES))
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert sum(np.abs(gradient).max() > 0 for gradient in gradients) > 0.9 * len(gradients)


# --------------------------------------------------------------------------- what is refused


def test_files_that_are_cut_off(folder):
    path = folder / "data_batch_4.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"data_batch_4.bin is cut off .*18,437 bytes .* 3,073"):
        open_source(folder, "train")
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"data_batch_4.bin is cut off"):
        open_source(folder, "train")
    assert open_source(folder, "val").examples == PER_FILE


def test_missing_files(folder):
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*data_batch_3.bin"):
        open_source(folder, "train")
    (folder / "batches.meta.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"holds CIFAR-10, but not batches.meta.txt"):
        open_source(folder, "val")


def test_label_out_of_range(folder):
    path = folder / "data_batch_2.bin"
    content = bytearray(path.read_bytes())
    content[3 * (1 + cifar.PIXELS)] = 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"data_batch_2.bin:3: label 4 is out of range: .* 0 to 3"):
        open_source(folder, "train")


def test_pickles_are_not_read(tmp_path):
    for name in ("data_batch_1", "batches.meta"):
        (tmp_path / name).write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(ValueError, match=r"CIFAR-10 for Python: pickles.*binary version"):
        open_source(tmp_path, "train")
