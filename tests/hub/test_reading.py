"""Repositories of the hub: what is found, downloaded, refused; by a hub on loopback."""

import io
import json
import pathlib
import pickle
import re

import numpy as np
import pytest
from huggingface_hub import constants

from keras_ghostnet import specs
from keras_ghostnet.weights import downloads, hub, hub_client, transfer
from keras_ghostnet.weights.identification import identify_checkpoint
from tests.golden.checkpoints import Golden
from tests.weights import checkpoint_files, test_shards

NAME = "timm/ghostnet_100.in1k"
TEXT = f"hf://{NAME}"
CONFIG = {
    "architecture": "ghostnet_100",
    "num_classes": 1000,
    "pretrained_cfg": {
        "input_size": [3, 192, 192], "crop_pct": 0.95, "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
    },
}  # fmt: skip
SPEC = specs.get_spec("ghostnet_100")
CONTENT = b"weights" * 1000
INDEX = "model.safetensors.index.json"


def config(**changes):
    return json.dumps(CONFIG | changes).encode()


def fit(text=TEXT, classes=1000):
    return transfer.open_weights_for(text, SPEC, classes, 3)


def download(text=TEXT):
    """What is downloaded for a reference."""
    return hub.open_repository(text).weights().read_bytes()


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """timm's own file, rebuilt from its golden record."""
    golden = Golden("timm_ghostnet_100_224")
    return golden.write(tmp_path_factory.mktemp("timm")).read_bytes()


def test_a_repository_of_timm(hub_server, weights, capsys, monkeypatch):
    commit = hub_server.add(NAME, {"model.safetensors": weights, "config.json": config(),
                                   "pytorch_model.bin": b"never asked for"})  # fmt: skip
    checkpoint = fit()
    assert (checkpoint.spec, checkpoint.classes, checkpoint.format) == (SPEC, 1000, "safetensors")
    told = capsys.readouterr().out
    assert f"{TEXT}: commit {commit}\n" in told
    assert "normalized by other figures" in told
    assert not hub_server.asked("pytorch_model.bin")
    published = hub.open_repository(TEXT).published
    assert (published.size, published.crop, published.std) == (192, 0.95, (0.25,) * 3)
    # Then without the hub, by the branch's name and by the commit: from its client's cache.
    before = len(hub_server.requests)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.open_repository(TEXT).text == f"{TEXT}@{commit}"
    assert "from the cache" in capsys.readouterr().out
    assert pathlib.Path(fit(f"{TEXT}@{commit}").path).read_bytes() == weights
    assert len(hub_server.requests) == before


@pytest.fixture(scope="session")
def in_shards(tmp_path_factory):
    """The same weights as transformers cuts them: two files and their index."""
    folder = tmp_path_factory.mktemp("shards")
    test_shards.write(folder, Golden("timm_ghostnet_100_224").tensors(), count=2)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_weights_in_several_files(hub_server, in_shards, capsys, monkeypatch):
    assert set(in_shards) == {INDEX, "model-00001-of-00002.safetensors",
                              "model-00002-of-00002.safetensors"}  # fmt: skip
    hub_server.add(NAME, in_shards | {"pytorch_model.bin": b"never asked for"})
    expected = Golden("timm_ghostnet_100_224").tensors()
    for offline in (False, True):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        checkpoint = fit()
        assert (checkpoint.spec, checkpoint.classes) == (SPEC, 1000)
        for name, value in expected.items():
            np.testing.assert_array_equal(checkpoint.tensors[name], value)
    assert not hub_server.asked("pytorch_model.bin")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({INDEX: b"{}"}, f"{INDEX}: found a JSON file without a weight_map"),
        ({"model-00002-of-00002.safetensors": None}, "lists model-00002-of-00002.safetensors, whi"),
        ({INDEX: json.dumps({"weight_map": {"a": "../a"}}).encode()}, "names of files beside it"),
    ],
)
def test_shards_that_cannot_be_used(hub_server, in_shards, change, message):
    files = {name: data for name, data in (in_shards | change).items() if data is not None}
    hub_server.add(NAME, files)
    with pytest.raises(ValueError, match=re.escape(message)):
        fit()
    assert not hub_server.asked(".safetensors") - hub_server.asked(INDEX)


def test_shards_that_are_too_large_together(hub_server, in_shards, monkeypatch):
    hub_server.add(NAME, in_shards)
    largest = max(len(data) for data in in_shards.values())
    monkeypatch.setattr(downloads, "MAX_BYTES", largest + 1)
    with pytest.raises(ValueError, match=r"the files of .* have .* They were not downloaded"):
        fit()


def test_a_revision_stays_where_its_branch_moves_on(hub_server):
    first = hub_server.add(NAME, {"config.json": config()})
    pinned = hub.open_repository(TEXT).text
    second = hub_server.add(NAME, {"config.json": config(), "more": b""})
    hub_server.repositories[NAME].names["v1/beta"] = first
    assert pinned == f"{TEXT}@{first}"
    assert hub.open_repository(pinned).commit == first
    assert hub.open_repository(TEXT).commit == second
    assert hub.open_repository(f"{TEXT}@v1/beta").commit == first


def test_pickles_are_read_without_being_run(hub_server, tmp_path):
    golden = Golden("huawei_ghostnet_100_224")
    checkpoint_files.write_torch_zip(tmp_path / "x.pth", golden.tensors())
    hub_server.add(NAME, {"state_dict_73.98.pth": (tmp_path / "x.pth").read_bytes()})
    assert fit().format == "torch"
    hub_server.add("org/evil", {"pytorch_model.bin": pickle.dumps(Bomb(tmp_path / "ran"))})
    with pytest.raises(ValueError, match=r"pytorch_model\.bin"):
        fit("hf://org/evil")
    assert not (tmp_path / "ran").exists()


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return io.open, (str(self.path), "w")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"config.json": config(architecture="resnet50")},
         "is a 'resnet50', and no network of this package; nothing was downloaded"),
        ({"config.json": json.dumps({"architectures": ["ViTForImageClassification"]}).encode()},
         "is a 'ViTForImageClassification'"),
        ({"config.json": config(architecture="ghostnet_050")},
         r"are of ghostnet_050 \(width 0.5\) \(by its config.json\), but the model is"),
        ({"config.json": config(num_classes=7)}, "are for 7 classes"),
        ({"config.json": config(input_size=[1, 224, 224])}, "takes 1 channels"),
        ({"config.json": config(crop_pct="all of it")}, "`crop_pct` is"),
        ({"config.json": config(label_names=["a", "b"])}, "2 names of 1000 classes"),
        ({"config.json": b"[" * 100_000}, "config.json cannot be used"),
        ({"config.json": b"\xff\xfe"}, "config.json cannot be used"),
        ({"README.md": b"# words"}, "holds no weights that can be read: README.md"),
        ({"a.pth": b"x", "b.pth": b"y"}, "holds 2 files of weights: a.pth, b.pth"),
        ({"../model.safetensors": b"x", "sub/model.safetensors": b"y"}, "holds no weights"),
        ({"model.safetensors": b"no such file"}, "unknown content"),
    ],
)  # fmt: skip
def test_what_does_not_fit(hub_server, files, message):
    config_only = {"model.safetensors": b"x" * 50} if list(files) == ["config.json"] else {}
    hub_server.add(NAME, files | config_only)
    with pytest.raises(ValueError, match=message):
        fit()
    assert hub_server.asked("resolve/") <= 4  # `config.json`, and weights only as they are read
    if config_only:
        assert not hub_server.asked("model.safetensors")


@pytest.mark.parametrize(
    "text",
    ["hf://ghostnet", "hf://a/b/c", "hf://a/b@", "hf://../b", "hf://a/..", "hf://a/b@../x",
     "hf://a/b c", "hf://a/b@-x", "HF://a/b"],
)  # fmt: skip
def test_names_of_no_model(hub_server, text):
    with pytest.raises((ValueError, FileNotFoundError), match=r"names no model|there is no file"):
        fit(text)
    assert not hub_server.requests


def test_no_such_model_or_revision(hub_server):
    hub_server.add(NAME, {"config.json": config()})
    with pytest.raises(ValueError, match=r"no model timm/ghost .*`hf auth login`.*HF_TOKEN"):
        fit("hf://timm/ghost")
    with pytest.raises(ValueError, match=f"{TEXT} has no revision 'v2'"):
        fit(f"{TEXT}@v2")


def test_private_and_gated(hub_server, monkeypatch):
    hub_server.add("org/secret", {"model.safetensors": CONTENT}, private=True)
    hub_server.add("org/gated", {"model.safetensors": CONTENT}, gated=True)
    with pytest.raises(ValueError, match=r"or it is private.*hf auth login"):
        fit("hf://org/secret")
    with pytest.raises(
        OSError, match=re.escape(f"Ask for access at {hub_server.endpoint}/org/gated")
    ):
        fit("hf://org/gated")
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    assert download("hf://org/secret") == CONTENT


def test_an_overloaded_hub_is_asked_again(hub_server):
    hub_server.add(NAME, {"model.safetensors": CONTENT})
    hub_server.faults.append(lambda method, path, count: 503 if count < 1 else None)
    assert download() == CONTENT


def test_a_hub_that_stays_down(hub_server):
    hub_server.add(NAME, {"config.json": config()})
    hub_server.faults.append(lambda *_: 500)
    with pytest.raises(OSError, match=r"cannot be reached \(status 500\)\. Check the network"):
        fit()
    assert len(hub_server.requests) == hub_client.ATTEMPTS
    hub_server.close()
    with pytest.raises(OSError, match="cannot be reached"):
        fit()


def test_connections_that_are_cut(hub_server):
    hub_server.add(NAME, {"model.safetensors": CONTENT})
    hub_server.faults.append(
        lambda method, path, count: (
            "cut" if method == "GET" and path.endswith("model.safetensors") and count < 2 else None
        )
    )
    assert download() == CONTENT


def test_files_that_are_not_as_listed(hub_server):
    hub_server.add(NAME, {"model.safetensors": CONTENT, "config.json": config()})
    listed = hub_server.repositories[NAME].listed
    listed["model.safetensors"] = {"lfs": {"sha256": "0" * 64, "size": 9, "pointerSize": 9}}
    for _ in range(2):  # nothing of it is left in the cache
        with pytest.raises(downloads.HashError, match=r"model\.safetensors has not the hash"):
            fit()
    listed["model.safetensors"] = {"lfs": {"sha256": "0" * 64, "size": 2**40, "pointerSize": 9}}
    before = len(hub_server.requests)
    with pytest.raises(ValueError, match="has 1,099,511,627,776 bytes, where at most"):
        fit()
    assert not any("model.safetensors" in path for _, path in hub_server.requests[before:])
    listed.clear()
    assert download() == CONTENT
    listed["config.json"] = {"blobId": "0" * 40}
    with pytest.raises(downloads.HashError, match=r"config\.json"):
        fit()


def test_without_the_client(hub_server, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r'pip install "keras_ghostnet\[hub\]"'):
        fit()


def test_a_cache_that_cannot_be_written(hub_server, tmp_path, monkeypatch):
    hub_server.add(NAME, {"config.json": config()})
    (tmp_path / "file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"cannot be kept in .*HF_HOME"):
        fit()


def test_the_golden_file_is_timm_s(weights, tmp_path):
    """What the tests above serve is what timm's repository holds, by names and shapes."""
    (tmp_path / "model.safetensors").write_bytes(weights)
    assert identify_checkpoint(tmp_path).title == "timm's or Huawei's GhostNet"
