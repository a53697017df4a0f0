"""What was pushed, loaded by timm itself in PyTorch."""

import shutil

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet.benchmark.networks.random_weights import random_images, settle_batch_norms
from keras_ghostnet.hub import contents
from keras_ghostnet.model_reference import resolve_model
from tests import torch_libraries

pytestmark = pytest.mark.timm


def fine_tuned(name):
    backbone = keras_ghostnet.create_model(
        name, include_top=False, pooling="avg", input_shape=(64, 64, 3)
    )
    outputs = keras.layers.Dense(3, "softmax", name="predictions")(backbone.output)
    return keras.Model(backbone.input, outputs, name=name)


def whole(name):
    return keras_ghostnet.create_model(name, classes=3, input_shape=(64, 64, 3))


@pytest.mark.parametrize(
    ("name", "build"),
    [("ghostnet_050", whole), ("ghostnet_130", fine_tuned), ("repghostnet_050", whole),
     ("ghostnetv3_050", fine_tuned)],
)  # fmt: skip
def test_timm_loads_it(name, build, tmp_path):
    torch, timm = map(torch_libraries.load, ("torch", "timm"))
    model, images = build(name), random_images(4, 64, 64)
    settle_batch_norms(model, images)
    model.save(tmp_path / "model.keras")
    found = contents.collect(
        resolve_model(tmp_path / "model.keras"), tmp_path, "org/bees", None, None
    )
    (tmp_path / "copy").mkdir()
    for file in (contents.CONFIG, contents.WEIGHTS):
        shutil.copy(found.paths[file], tmp_path / "copy")
    theirs = timm.create_model(f"local-dir:{tmp_path / 'copy'}", pretrained=True).eval()
    config = theirs.pretrained_cfg
    assert (config["architecture"], theirs.num_classes) == (name, 3)
    assert tuple(config["input_size"]) == (3, 64, 64)
    with torch.no_grad():
        outputs = theirs(torch.from_numpy(np.moveaxis(images, -1, 1).copy())).softmax(-1)
    np.testing.assert_allclose(outputs.numpy(), model(images), rtol=1e-3, atol=1e-5)
