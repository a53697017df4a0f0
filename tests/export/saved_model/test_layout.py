"""The server's folder: versions, settings, and what is refused."""

import importlib
import os
import re
import sys

import keras
import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.config import model_server_config_pb2

from keras_ghostnet.export.saved_model import conversion, layout, warmup
from keras_ghostnet.export.saved_model.layout import export_version
from keras_ghostnet.export.saved_model.session import ServingSession


@pytest.fixture
def toy():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, name="predictions")(x), name="toy")


def served(root):
    """Name and place of every model that the server is told of."""
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((root / "models.config").read_text(), config)
    return {entry.name: entry.base_path for entry in config.model_config_list.config}


def content(root):
    return sorted(path.relative_to(root).as_posix() for path in root.glob("*/*"))


def test_the_folder(ghostnet_version):
    root = ghostnet_version.parents[1]
    assert sorted(os.listdir(root)) == ["batching.config", "ghostnet_050", "models.config"]
    assert os.listdir(root / "ghostnet_050") == ["1"]
    files = os.listdir(root / "ghostnet_050" / "1")
    assert {"saved_model.pb", "variables", "assets.extra"} <= set(files)
    assert served(root) == {"ghostnet_050": "/models/ghostnet_050"}


def test_versions_count_on(toy, tmp_path):
    paths = [export_version(toy, tmp_path) for _ in range(2)]
    paths += [export_version(toy, tmp_path, version=10), export_version(toy, tmp_path)]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        f"toy/{number}" for number in (1, 2, 10, 11)
    ]
    assert layout.versions(tmp_path / "toy") == [1, 2, 10, 11]


@pytest.mark.parametrize("name", ["7", "007"])
def test_a_version_is_not_overwritten(name, toy, tmp_path):
    (tmp_path / "toy" / name).mkdir(parents=True)
    with pytest.raises(FileExistsError, match="has a version 7, which is not overwritten"):
        export_version(toy, tmp_path, version=7)
    assert content(tmp_path) == [f"toy/{name}"]


def test_a_version_taken_meanwhile_is_not_overwritten(toy, tmp_path, monkeypatch):
    def slow(*arguments):
        write(*arguments)
        (tmp_path / "toy" / "1").mkdir()

    write = warmup.write
    monkeypatch.setattr(warmup, "write", slow)
    with pytest.raises(FileExistsError):
        export_version(toy, tmp_path)
    assert content(tmp_path) == ["toy/1"]
    assert not any((tmp_path / "toy" / "1").iterdir())


def test_a_failure_leaves_earlier_versions_alone(toy, tmp_path, monkeypatch):
    export_version(toy, tmp_path)
    monkeypatch.setattr(conversion, "_check", lambda *_: 1 / 0)
    with pytest.raises(ValueError, match="toy cannot be converted to a SavedModel: division by"):
        export_version(toy, tmp_path)
    assert content(tmp_path) == ["toy/1"]


def test_settings_of_one_s_own_are_kept(toy, tmp_path):
    settings = """
        model_config_list { config {
            name: "other" base_path: "/elsewhere" model_platform: "tensorflow"
            model_version_policy { specific { versions: 3 } }
        } }
    """
    (tmp_path / "models.config").write_text(settings)
    (tmp_path / "batching.config").write_text("max_batch_size { value: 8 }")
    for _ in range(2):
        export_version(toy, tmp_path)
    assert served(tmp_path) == {"other": "/elsewhere", "toy": "/models/toy"}
    assert "versions: 3" in (tmp_path / "models.config").read_text()
    assert (tmp_path / "batching.config").read_text() == "max_batch_size { value: 8 }"


def test_settings_that_cannot_be_read_are_told_first(toy, tmp_path):
    (tmp_path / "models.config").write_text("model_config_list { confg {} }")
    with pytest.raises(ValueError, match=r"models\.config is not a ModelServerConfig"):
        export_version(toy, tmp_path)
    assert os.listdir(tmp_path) == ["models.config"]


@pytest.mark.parametrize("version", [0, -1])
def test_versions_begin_at_1(version, toy, tmp_path):
    with pytest.raises(ValueError, match=f"version={version}"):
        export_version(toy, tmp_path, version=version)


def test_the_batching_parameters():
    """By the fields of TensorFlow Serving's `session_bundle_config.proto`, which no package has."""
    fields = ["max_batch_size", "batch_timeout_micros", "max_enqueued_batches"]
    fields += ["num_batch_threads", "thread_pool_name"]
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto", syntax="proto3", dependency=["google/protobuf/wrappers.proto"]
    )
    message = file.message_type.add(name="BatchingParameters")
    for number, name in enumerate(fields, 1):
        kind = "StringValue" if name == "thread_pool_name" else "Int64Value"
        message.field.add(
            name=name, number=number, label=1, type=11, type_name=f".google.protobuf.{kind}"
        )
    message.field.add(name="allowed_batch_sizes", number=6, label=3, type=3)
    pool = descriptor_pool.Default()
    descriptor = pool.AddSerializedFile(file.SerializeToString())
    found = message_factory.GetMessageClass(descriptor.message_types_by_name[message.name])()
    text_format.Parse(layout.BATCHING_PARAMETERS, found)
    assert found.max_batch_size.value == 32
    assert found.batch_timeout_micros.value == 2000
    assert found.max_enqueued_batches.value == 64


def test_warm_up_records(version, session, network):
    requests = warmup.read(version)
    names = [request.model_spec.signature_name for request in requests]
    assert names == ["classify_bytes", "classify_uint8", "embed", "embed_bytes", "serving_default"]
    for request in requests:
        assert request.model_spec.name == network.name
        outputs = session.predict(request).outputs
        if "errors" in outputs:
            assert list(outputs["errors"].string_val) == [b"", b""]
    assert (version / "assets.extra" / "tf_serving_warmup_requests").stat().st_size < 100_000


def test_an_exported_version_is_the_model(toy, tmp_path):
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype("float32")
    with ServingSession(export_version(toy, tmp_path)) as session:
        np.testing.assert_allclose(session(images), toy.predict(images, verbose=0), atol=1e-6)


def test_the_missing_extra_is_named(monkeypatch):
    package = "keras_ghostnet.export.saved_model"
    for name in ("protos", "session", "warmup", "layout"):
        monkeypatch.delitem(sys.modules, f"{package}.{name}")
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(ImportError, match=re.escape('pip install "keras_ghostnet[serving]"')):
        importlib.import_module(f"{package}.layout")
