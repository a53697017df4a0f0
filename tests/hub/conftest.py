"""A hub on loopback, its client's cache in a folder of the test, and no waiting."""

import contextlib
import json

import pytest
from huggingface_hub import constants

import keras_ghostnet
from keras_ghostnet.benchmark.networks.random_weights import random_images, settle_batch_norms
from keras_ghostnet.weights import hub_client
from tests.hub.server import Hub
from tests.short_networks import short_networks

LABELS = ["ant", "<b>*bee*</b>", "wasp | [x](y)"]  # one of them as a stranger may call it
RUN = {
    "name": "smoke",
    "model": "ghostnet_050",
    "data": "/home/me/photos",
    "crop": 0.9,
    "epochs": 2,
    "weights": "hf://timm/ghostnet_050@main",
}


@contextlib.contextmanager
def hub_on_loopback(folder, patch):
    """A hub, to which the client of this process talks meanwhile; its cache is in a folder."""
    server = Hub()
    template = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    patch.setattr(constants, "ENDPOINT", server.endpoint)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no_token"))
    patch.setattr(hub_client.time, "sleep", lambda seconds: None)
    yield server
    server.close()


@pytest.fixture
def hub_server(monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with hub_on_loopback(tmp_path, monkeypatch) as server:
        yield server


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory):
    """The folder of a run: a short GhostNet of three classes for images of 32 pixels."""
    folder = tmp_path_factory.mktemp("hub") / "run"
    folder.mkdir()
    with short_networks():
        model = keras_ghostnet.GhostNet(0.5, classes=3, input_shape=(32, 32, 3))
    settle_batch_norms(model, random_images(8, 32, 32))
    model.save(folder / "model.keras")
    described = {"run": RUN, "classes": LABELS}
    (folder / "config.json").write_text(json.dumps(described))
    best = {"val_loss": 0.5, "val_accuracy": 0.875, "val_top5": 1.0}
    (folder / "metrics.json").write_text(json.dumps({"best": best, "last": best}))
    (folder / "metrics.csv").write_text("epoch\n1\n")
    (folder / "last.keras").write_bytes(b"not to be uploaded")
    return folder
