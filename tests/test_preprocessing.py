"""From images to the networks' input, and from their output to class names."""

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import preprocessing


def test_preprocessing_is_that_of_imagenet():
    image = np.full((2, 2, 3), 255.0)
    image[0, 0] = 0
    result = keras_ghostnet.preprocess_input(image.copy())
    np.testing.assert_allclose(result[0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    np.testing.assert_allclose(result[1, 1], [0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225])


@pytest.mark.parametrize("shape", [(8, 9, 3), (2, 8, 9, 3)])
def test_preprocessing_is_keras_torch_mode(shape):
    image = np.random.default_rng(0).uniform(0, 255, shape)
    expected = keras.applications.imagenet_utils.preprocess_input(image.copy(), mode="torch")
    np.testing.assert_array_equal(keras_ghostnet.preprocess_input(image.copy()), expected)
    tensor = keras_ghostnet.preprocess_input(keras.ops.convert_to_tensor(image))
    np.testing.assert_allclose(tensor, expected, rtol=1e-4, atol=1e-5)


def test_normalization_and_back():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), "uint8")
    images = preprocessing.normalize(pixels)
    np.testing.assert_array_equal(images, keras_ghostnet.preprocess_input(pixels.astype("float32")))
    np.testing.assert_array_equal(preprocessing.to_pixels(images), pixels)
    scale, offset = preprocessing.scale_and_offset()
    np.testing.assert_allclose(images, pixels * scale + offset, atol=1e-6)


def test_preprocessing_of_channels_first():
    image = np.random.default_rng(0).uniform(0, 255, (2, 8, 9, 3))
    first = keras_ghostnet.preprocess_input(
        image.transpose(0, 3, 1, 2).copy(), data_format="channels_first"
    )
    expected = keras_ghostnet.preprocess_input(image.copy())
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="NHWC"):
        keras_ghostnet.preprocess_input(image, data_format="NHWC")


def test_preprocessing_leaves_integers_alone():
    image = np.full((4, 4, 3), 128, "uint8")
    keras_ghostnet.preprocess_input(image)
    assert (image == 128).all()


def one_hot(*indices):
    predictions = np.zeros((len(indices), 1000), "float32")
    for row, index in enumerate(indices):
        predictions[row, index] = 0.5
    return predictions


def test_decoding_names_the_classes():
    # The first, the last, and what every demonstration shows, as in ImageNet's own list.
    decoded = keras_ghostnet.decode_predictions(one_hot(0, 281, 999), top=1)
    assert [[entry[:2] for entry in row] for row in decoded] == [
        [("n01440764", "tench")],
        [("n02123045", "tabby")],
        [("n15075141", "toilet_tissue")],
    ]


def test_decoding_puts_the_best_first():
    predictions = np.random.default_rng(0).uniform(size=(2, 1000))
    decoded = keras_ghostnet.decode_predictions(predictions, top=7)
    for row, best in zip(predictions, decoded, strict=True):
        scores = [score for _, _, score in best]
        np.testing.assert_array_equal(scores, np.sort(row)[::-1][:7])


def test_decoding_takes_tensors_and_five_by_default():
    decoded = keras_ghostnet.decode_predictions(keras.ops.convert_to_tensor(one_hot(7)))
    assert [len(row) for row in decoded] == [5]
    assert decoded[0][0] == ("n01514668", "cock", np.float32(0.5))


def test_thousand_classes_have_thousand_ids():
    (classes,) = keras_ghostnet.decode_predictions(np.arange(1000)[None], top=1000)
    assert len({wordnet_id for wordnet_id, _, _ in classes}) == 1000
    # ImageNet's classes are sorted by their id; here the last comes first.
    ids = [wordnet_id for wordnet_id, _, _ in classes]
    assert ids == sorted(ids, reverse=True)


@pytest.mark.parametrize("shape", [(1000,), (1, 999), (1, 1, 1000), (1, 1001)])
def test_decoding_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"\(batch, 1000\).*Received: \("):
        keras_ghostnet.decode_predictions(np.zeros(shape))


@pytest.mark.parametrize("top", [0, 1001, -1, 1.5, "3"])
def test_decoding_refuses_other_numbers(top):
    with pytest.raises(ValueError, match=f"`top` must be 1 to 1000. Received: top={top!r}"):
        keras_ghostnet.decode_predictions(one_hot(0), top=top)


def test_decoding_refuses_what_is_no_number():
    with pytest.raises(ValueError, match=r"`preds` must be numbers\. Received: NaN"):
        keras_ghostnet.decode_predictions(np.full((1, 1000), np.nan))


@pytest.mark.parametrize(
    ("images", "data_format", "message"),
    [
        (np.zeros((2, 4, 4, 4)), None, r"\(batch, height, width, 3\). Received: \(2, 4, 4, 4\)"),
        (np.zeros((4, 4, 1)), None, r"RGB.*Received: \(4, 4, 1\)"),
        (np.zeros((1, 2, 4, 4, 3)), None, r"Received: \(1, 2, 4, 4, 3\)"),
        (np.zeros((4, 4)), None, r"Received: \(4, 4\)"),
        (np.zeros((4, 4, 3)), "channels_first", r"\(3, height, width\).*Received: \(4, 4, 3\)"),
        ([[[1, 2]]], None, r"Received: \(1, 1, 2\)"),
        (keras.KerasTensor((None, 4, 4, 1)), None, r"Received: \(None, 4, 4, 1\)"),
        ("cat.jpg", None, "Received: str"),
        (None, None, "Received: NoneType"),
        (np.full((4, 4, 3), np.nan), None, "from 0 to 255. Received: NaN or infinity"),
        (np.full((4, 4, 3), np.inf), None, "from 0 to 255. Received: NaN or infinity"),
        (np.full((4, 4, 3), "a"), None, "Received: values of type <U1"),
        (np.zeros((4, 4, 3)), 0, "`data_format` must be.*data_format=0"),
        (np.zeros((4, 4, 3)), "", "`data_format` must be.*data_format=''"),
    ],
    ids=str,
)
def test_what_are_no_images(images, data_format, message):
    with pytest.raises(ValueError, match=message):
        keras_ghostnet.preprocess_input(images, data_format)


def test_images_as_lists():
    pixels = [[[0, 128, 255], [1, 2, 3]]]
    np.testing.assert_array_equal(
        keras_ghostnet.preprocess_input(pixels),
        keras_ghostnet.preprocess_input(np.array(pixels, "uint8")),
    )
