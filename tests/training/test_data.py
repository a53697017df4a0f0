"""Batches from image folders."""

import keras
import numpy as np
import PIL.Image
import pytest

from keras_ghostnet import preprocess_input
from keras_ghostnet.training.data import image_folder, to_arrays
from keras_ghostnet.training.digits import write_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("data") / "digits", images_per_class=10)


def test_images_are_as_the_networks_take_them(digits):
    folder = image_folder(digits / "val", (32, 40), batch_size=8)
    images, labels = to_arrays(folder.batches)
    assert images.shape == (20, 32, 40, 3)
    assert images.dtype == "float32"
    assert labels.tolist() == sorted([*range(10)] * 2)
    assert folder.class_names == tuple("0123456789")
    low, high = preprocess_input(np.stack([np.zeros((1, 1, 3)), np.full((1, 1, 3), 255.0)]))
    assert (images >= low - 1e-6).all()
    assert (images <= high + 1e-6).all()


def test_images_of_the_same_size_are_only_normalised(digits):
    folder = image_folder(digits / "val", (8, 8))
    images, labels = to_arrays(folder.batches)
    for image, label, path in zip(images, labels, folder.paths, strict=True):
        grey = np.asarray(PIL.Image.open(path), "float32")
        assert f"/{label}/" in path
        np.testing.assert_allclose(image, preprocess_input(np.stack([grey] * 3, -1)), atol=1e-5)


def test_red_is_the_first_channel(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        PIL.Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / name / "red.png")
    images, _ = to_arrays(image_folder(tmp_path, (8, 8)).batches)
    np.testing.assert_allclose(images[0, 0, 0], (2.2489, -2.0357, -1.8044), atol=1e-3)


def epochs(digits, seed):
    keras.utils.set_random_seed(0)
    batches = image_folder(digits / "train", (32, 32), training=True, seed=seed).batches
    return [to_arrays(batches) for _ in range(2)]


def test_training_batches_follow_the_seed(digits):
    first, again, other = epochs(digits, 1), epochs(digits, 1), epochs(digits, 2)
    for (images, labels), (same, same_labels) in zip(first, again, strict=True):
        np.testing.assert_array_equal(images, same)
        np.testing.assert_array_equal(labels, same_labels)
    assert not np.array_equal(first[0][0], first[1][0])  # every epoch anew
    assert not np.array_equal(first[0][0], other[0][0])


def test_augmentation_stays_close_and_does_not_flip(digits):
    """Augmented digits are nearer to their class's mean than mirrored ones are."""
    plain, labels = to_arrays(image_folder(digits / "train", (32, 32)).batches)
    means = np.stack([plain[labels == label].mean(axis=0) for label in range(10)])
    training = image_folder(digits / "train", (32, 32), training=True)
    for _ in range(3):
        images, labels = to_arrays(training.batches)
        distance = np.abs(images - means[labels]).mean()
        mirrored = np.abs(images[:, :, ::-1] - means[labels]).mean()
        assert distance < 0.9 * mirrored


def test_training_leaves_the_incomplete_batch_out(digits):
    training = image_folder(digits / "train", (32, 32), batch_size=32, training=True)
    assert [len(images) for images, _ in training.batches] == [32, 32]  # of 80
    few = image_folder(digits / "val", (32, 32), batch_size=32, training=True)
    assert [len(images) for images, _ in few.batches] == [20]


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        image_folder(tmp_path / "nowhere", (32, 32))


def test_too_few_classes(tmp_path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(ValueError, match=r"at least two classes\. Found: cat"):
        image_folder(tmp_path, (32, 32))


def test_class_without_images(digits, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "cat" / "1.png")
    (tmp_path / "dog" / "readme.txt").write_text("no image")
    with pytest.raises(ValueError, match="without images: dog"):
        image_folder(tmp_path, (32, 32))
