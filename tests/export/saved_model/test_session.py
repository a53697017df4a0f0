"""The session answers as a server does, wrong requests included."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ghostnet.export.saved_model.session import ServingSession, predict_request

IMAGE = np.zeros((1, 64, 64, 3), "float32")


def test_outputs_can_be_chosen(ghostnet_session, photos):
    request = predict_request({"image_bytes": photos[:2]}, "classify_bytes", "model")
    request.output_filter.append("labels")
    response = ghostnet_session.predict(request)
    assert list(response.outputs) == ["labels"]
    assert response.model_spec.name == "model"


@pytest.mark.parametrize(
    ("inputs", "signature", "message"),
    [
        ({"images": IMAGE}, "clasify", "no signature 'clasify'. Choose one of: .*classify_bytes"),
        ({"image": IMAGE}, "serving_default", r"takes \['images'\]. Received: \['image'\]"),
        ({"images": IMAGE.astype("uint8")}, "serving_default", "must be float32. Received: uint8"),
        ({"images": IMAGE[:, 1:]}, "serving_default", "Cannot feed value of shape"),
    ],
)
def test_wrong_requests(inputs, signature, message, ghostnet_session):
    with pytest.raises(ValueError, match=message):
        ghostnet_session.predict(predict_request(inputs, signature))


def test_an_unknown_output(ghostnet_session):
    request = predict_request({"images": IMAGE})
    request.output_filter.append("logits")
    with pytest.raises(ValueError, match=r"no output 'logits'\. Choose one of: outputs"):
        ghostnet_session.predict(request)


def test_pixels_of_no_height(ghostnet_session):
    request = predict_request({"pixels": np.zeros((1, 0, 5, 3), "uint8")}, "classify_uint8")
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 1 x 1 pixel"):
        ghostnet_session.predict(request)


def test_no_model(tmp_path):
    with pytest.raises(OSError, match="does not exist"):
        ServingSession(tmp_path)
