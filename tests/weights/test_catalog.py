"""The registry's entries, and the download with its hash, over a server on this machine."""

import dataclasses
import functools
import hashlib
import http.server
import os
import pathlib
import threading

import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import specs, weights
from keras_ghostnet.weights import catalog, downloads
from tests.golden.checkpoints import Golden
from tests.weights import checkpoint_files

ENTRIES = list(weights.REGISTRY.values())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache for downloads."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


@pytest.fixture
def server(tmp_path):
    """A folder, and the address at which a server on this machine serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        service.handle_error = lambda *request: None  # clients may have heard enough
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{service.server_port}/"
        service.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def entry(server, cache, monkeypatch):
    """An entry of the registry whose file lies on the server; a function of its hash."""
    folder, address = server

    def make(hash_of):
        checkpoint_files.write_keras2_h5(
            folder / "w.h5", Golden("kecam_ghostnet_050_224").tensors()
        )
        content = (folder / "w.h5").read_bytes()
        made = catalog.WeightsEntry(
            "ghostnet_050", "imagenet", address + "w.h5", hash_of(content), "keras2_h5", 66.88,
            None, "Apache-2.0", "this test",
        )  # fmt: skip
        monkeypatch.setitem(catalog.REGISTRY, ("ghostnet_050", "imagenet"), made)
        return made

    return make


# Of the paper's table, arXiv 2211.06088.
REPGHOST = {
    "repghostnet_050": 66.9, "repghostnet_058": 68.9, "repghostnet_080": 72.2,
    "repghostnet_100": 74.2, "repghostnet_111": 75.1, "repghostnet_130": 76.4,
    "repghostnet_150": 77.5, "repghostnet_200": 78.8,
}  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e.model}-{e.tag}")
def test_entry(entry):
    spec = specs.get_spec(entry.model)
    assert entry.url.startswith("https://")
    assert entry.format in ("keras2_h5", "torch", "paddle", "safetensors")
    if entry.hash is not None:
        algorithm, _, digest = entry.hash.partition(":")
        assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size
    # What "as published" means: top-1 of the paper's table, which trained again gave +-0.7.
    paper = {"ghostnet_050": 66.2, "ghostnet_100": 73.9, "ghostnet_130": 75.7}
    paper |= {"ghostnetv2_100": 75.3, "ghostnetv2_130": 76.9, "ghostnetv2_160": 77.8}
    if spec.family == "repghostnet":
        paper[spec.name] = REPGHOST[spec.name]
    if "ssld" not in entry.tag and spec.name in paper:
        assert abs(entry.top1 - paper[spec.name]) < 0.7
    assert entry.top5 is None or entry.top1 < entry.top5 < 100
    assert entry.license == ("MIT" if spec.family == "repghostnet" else "Apache-2.0")


def test_transforms_are_those_of_the_published_accuracies():
    assert {(e.transform.size, e.transform.resize) for e in ENTRIES} == {(224, 256)}
    assert {e.transform.crop for e in ENTRIES} == {0.875}


def test_every_width_of_the_paper_and_four_g_ghostnets_have_imagenet_weights():
    models = {model for model, tag in weights.REGISTRY if tag == "imagenet"}
    assert models == {
        "ghostnet_050", "ghostnet_100", "ghostnet_130", "g_ghost_regnetx_032",
        "g_ghost_regnetx_040", "g_ghost_regnetx_080", "g_ghost_regnetx_160",
        "ghostnetv2_100", "ghostnetv2_130", "ghostnetv2_160", "ghostnetv3_100", *REPGHOST,
    }  # fmt: skip
    assert "ssld" in catalog.list_tags("ghostnet_130")


def md5(content):
    return "md5:" + hashlib.md5(content).hexdigest()


def test_download_with_the_published_hash(entry, cache, capsys):
    entry(md5)
    model = keras_ghostnet.GhostNet(0.5, weights="imagenet")
    stem = Golden("kecam_ghostnet_050_224").tensors()["stem_conv/stem_conv/kernel:0"]
    np.testing.assert_array_equal(model.get_layer("stem_conv").kernel.numpy(), stem)
    assert "sha256" not in capsys.readouterr().out
    assert len(list((cache / "models").iterdir())) == 1


def test_second_use_needs_no_network(entry, server):
    entry(md5)
    catalog.download_weights("ghostnet_050", "imagenet")
    (server[0] / "w.h5").unlink()
    keras_ghostnet.GhostNet(0.5, weights="imagenet")


def test_download_with_another_hash_is_refused(entry, cache):
    entry(lambda content: "md5:" + "0" * 32)
    with pytest.raises(ValueError, match=r"(?s)published hash md5:0000.*Nothing was loaded"):
        keras_ghostnet.GhostNet(0.5, weights="imagenet")
    assert not list((cache / "models").iterdir())


def test_a_file_in_the_cache_that_is_another_is_downloaded_again(entry, cache, server):
    entry(md5)
    path = catalog.download_weights("ghostnet_050", "imagenet")
    with open(path, "r+b") as file:
        file.write(b"other")
    assert catalog.download_weights("ghostnet_050", "imagenet") == path
    assert pathlib.Path(path).read_bytes() == (server[0] / "w.h5").read_bytes()


def test_a_larger_file_is_refused(entry, cache, monkeypatch):
    made = dataclasses.replace(entry(md5), max_bytes=10_000)
    monkeypatch.setitem(catalog.REGISTRY, ("ghostnet_050", "imagenet"), made)
    with pytest.raises(ValueError, match=r"bytes or more, where at most 10,000 are expected"):
        catalog.download_weights("ghostnet_050", "imagenet")
    assert not list((cache / "models").iterdir())


def test_a_link_in_the_cache_is_not_followed(entry, cache, tmp_path):
    entry(md5)
    path = pathlib.Path(catalog.download_weights("ghostnet_050", "imagenet"))
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    path.unlink()
    path.symlink_to(mine)
    catalog.download_weights("ghostnet_050", "imagenet")
    assert mine.read_text() == "mine"
    assert not path.is_symlink()


def test_the_first_hash_is_remembered(entry, cache, server):
    """Of an entry without a published hash: in the cache, and when it is downloaded again."""
    entry(lambda content: None)
    path = pathlib.Path(catalog.download_weights("ghostnet_050", "imagenet"))
    content = path.read_bytes()
    path.write_bytes(content + b"more")
    with pytest.raises(ValueError, match=rf"not the file that was downloaded.*delete {path} to"):
        catalog.download_weights("ghostnet_050", "imagenet")
    path.unlink()
    (server[0] / "w.h5").write_bytes(content + b"more")
    with pytest.raises(
        ValueError, match=r"has not the hash of its first download, sha256:.*delete"
    ):
        catalog.download_weights("ghostnet_050", "imagenet")
    assert not path.exists()
    (server[0] / "w.h5").write_bytes(content)
    assert catalog.download_weights("ghostnet_050", "imagenet") == str(path)


def test_a_cache_that_cannot_be_written_to(entry, tmp_path, monkeypatch):
    """Not even by root, as which tests may run."""
    entry(md5)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"cannot be kept in .*file/models.*KERAS_HOME"):
        catalog.download_weights("ghostnet_050", "imagenet")


def test_a_download_that_breaks_off(entry, cache, monkeypatch):
    entry(md5)
    monkeypatch.setattr(QuietHandler, "copyfile", lambda self, source, out: out.write(bytes(9)))
    with pytest.raises(OSError, match="could not be downloaded"):
        catalog.download_weights("ghostnet_050", "imagenet")
    assert not list((cache / "models").iterdir())


def test_without_a_published_hash_the_received_one_is_printed(entry, server, capsys):
    entry(lambda content: None)
    keras_ghostnet.GhostNet(0.5, weights="imagenet")
    received = hashlib.sha256((server[0] / "w.h5").read_bytes()).hexdigest()
    assert f"sha256:{received}" in capsys.readouterr().out


def test_the_hash_of_a_file_found_in_the_cache_is_not_printed(entry, capsys):
    entry(lambda content: None)
    path = catalog.download_weights("ghostnet_050", "imagenet")
    capsys.readouterr()
    assert catalog.download_weights("ghostnet_050", "imagenet") == path
    assert "sha256" not in capsys.readouterr().out


def test_part_of_a_download_in_the_cache_is_named(entry):
    entry(lambda content: None)
    path = catalog.download_weights("ghostnet_050", "imagenet")
    os.truncate(path, 1000)
    with pytest.raises(ValueError, match=r"delete .*\.h5 to download it again"):
        keras_ghostnet.GhostNet(0.5, weights="imagenet")


def test_no_network(entry, server, monkeypatch):
    made = entry(md5)
    (server[0] / "w.h5").unlink()
    with pytest.raises(OSError, match=r"could not be downloaded from http.*`--set weights=PATH`"):
        keras_ghostnet.GhostNet(0.5, weights=made.tag)


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("imagenett", "Did you mean 'imagenet'"),
        ("no/such/file.pth", "there is no file 'no/such/file.pth'"),
        ("nosuch.h5", "there is no file 'nosuch.h5'"),
        (7, "Received: 7 of type int"),
    ],
)
def test_unknown_weights(tag, message):
    with pytest.raises((ValueError, OSError), match=message):
        keras_ghostnet.GhostNet(0.5, weights=tag)


def test_model_without_registered_weights():
    with pytest.raises(ValueError, match="no registered weights"):
        keras_ghostnet.GhostNet(0.75, weights="imagenet")


@pytest.mark.parametrize(
    "bad",
    [
        dict(classes=0),
        dict(classes=10),
        dict(pooling="mean"),
        dict(input_shape=(8, 8, 3)),
        dict(input_shape=(224, 224, 1)),
        dict(classifier_activation="sigmoid"),
    ],
    ids=str,
)
def test_nothing_is_downloaded_before_the_arguments_are_checked(monkeypatch, bad):
    monkeypatch.setattr(downloads, "download", lambda *a, **k: pytest.fail("downloaded"))
    with pytest.raises(ValueError, match=r"Received|classes=10|takes 1"):
        keras_ghostnet.GhostNet(0.5, weights="imagenet", **bad)
