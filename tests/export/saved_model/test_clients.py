"""The example clients against both protocols, with the served model's session behind them."""

import importlib.util
import json
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from keras_ghostnet.export.saved_model import layout
from tests.export.saved_model.conftest import TOP
from tests.export.saved_model.requests import ask
from tests.export.saved_model.servers import grpc_server, rest_server

EXAMPLES = pathlib.Path(__file__).parents[3] / "examples" / "serving"
DOCUMENT = EXAMPLES.parents[1] / "docs" / "serving.md"
SERVERS = {"client_rest": rest_server, "client_grpc": grpc_server}


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=SERVERS)
def service(request, ghostnet_session):
    """A client and the address of a server that speaks its protocol."""
    with SERVERS[request.param](ghostnet_session, "ghostnet") as address:
        yield load(request.param), address


@pytest.fixture
def paths(photos, tmp_path):
    paths = [tmp_path / f"{number}.img" for number in range(3)]
    for path, photo in zip(paths, photos, strict=False):
        path.write_bytes(photo)
    return [str(path) for path in paths]


def run(client, *arguments):
    return client.main([*arguments, "--timeout", "60"])


def test_answers(service, paths, photos, ghostnet_session, capsys):
    client, address = service
    assert run(client, "--server", address, "--model", "ghostnet", *paths) == 0
    expected = ask(ghostnet_session, "classify_bytes", image_bytes=photos[:3])
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == [path for path in paths for _ in range(TOP)]
    assert [line[1].encode() for line in lines] == expected["labels"].flatten().tolist()
    scores = [float(line[2]) for line in lines]
    np.testing.assert_allclose(scores, expected["scores"].flatten(), atol=6e-5)


def test_a_broken_file_fails_alone(service, paths, capsys):
    client, address = service
    pathlib.Path(paths[1]).write_bytes(b"hello")
    assert run(client, "--server", address, "--model", "ghostnet", *paths) == 1
    told = capsys.readouterr()
    assert told.err == f"{paths[1]}: Not an image that is served: neither JPEG nor PNG.\n"
    assert {line.split("\t")[0] for line in told.out.splitlines()} == {paths[0], paths[2]}


def test_the_server_s_refusal_is_told(service, paths):
    client, address = service
    with pytest.raises(SystemExit, match=r"no (model|servable)"):
        run(client, "--server", address, "--model", "other", *paths)


@pytest.mark.parametrize(
    ("name", "address"), [("client_rest", "http://127.0.0.1:9"), ("client_grpc", "127.0.0.1:9")]
)
def test_no_server(name, address, paths):
    with pytest.raises(SystemExit, match=re.escape(address)):
        load(name).main(["--server", address, "--model", "ghostnet", *paths])


def test_the_rest_request():
    content = json.loads(load("client_rest").body([b"\xff\xd8\xff", b""]))
    assert content == {
        "signature_name": "classify_bytes",
        "instances": [{"b64": "/9j/"}, {"b64": ""}],
    }


def test_the_grpc_request():
    sent = load("client_grpc").request("ghostnet", [b"\xff\xd8\xff", b""]).SerializeToString()
    message = predict_pb2.PredictRequest.FromString(sent)
    assert message.model_spec.name == "ghostnet"
    assert message.model_spec.signature_name == "classify_bytes"
    assert tf.make_ndarray(message.inputs["image_bytes"]).tolist() == [b"\xff\xd8\xff", b""]


def test_the_command_of_the_documents(ghostnet_version):
    """It mounts the folder where its settings say the models are, and names files that exist."""
    root = ghostnet_version.parents[1]
    (block,) = re.findall(r"docker run(?:.*\\\n)*.*", (EXAMPLES / "README.md").read_text())
    assert f"target={layout.MOUNT}" in block
    places = re.findall(rf"=({layout.MOUNT}/\S+)", block)
    assert places
    for place in places:
        assert (root / pathlib.PurePosixPath(place).relative_to(layout.MOUNT)).is_file()

    assert block in DOCUMENT.read_text()


@pytest.mark.usefixtures("short_networks")
def test_the_code_of_the_document(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    names = {}
    exec(block, names)
    assert str(names["path"]) == "serving/ghostnet_050/1"
    assert (names["path"] / "saved_model.pb").exists()
