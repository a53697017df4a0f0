"""Pages as folders: what is in them, and what others may hand over; browsers run them elsewhere."""

import base64
import hashlib
import http.client
import json
import re
import shutil
import socket
import tarfile
import urllib.request

import numpy as np
import pytest

from keras_ghostnet.export import exporting, predict, sidecar, verify, web
from keras_ghostnet.export.artifacts import ArtifactError
from keras_ghostnet.export.web import browser, inspection, litert, page_files, server
from tests.export.command import export, ghostnet

NAME = "small_fp32.web"


@pytest.fixture(scope="module")
def folder(run_dir, tmp_path_factory):
    """A page that was exported where there is no browser."""
    out = tmp_path_factory.mktemp("web")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        assert export(run_dir, out, names="web") == 0
    return out


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copied")


def test_without_a_browser_that_is_said(folder, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert browser.find() is None
    said = web.ran_in(folder / NAME)
    assert "Not verified in a browser: install Chromium (Debian: apt-get install chromium)" in said


def test_the_page_is_described(folder):
    page = json.loads((folder / NAME / "model.json").read_text())
    assert page["labels"] == ["ant", "bee"]
    assert (page["size"], page["crop"], page["outputs_are"]) == ([32, 32], 1.0, "logits")
    np.testing.assert_allclose(page["mean"], [0.485, 0.456, 0.406])
    for kind in page["runtime"].values():
        for file in kind.values():
            assert file["url"].startswith("https://cdn.jsdelivr.net/npm/@litertjs/core@2.5.3/wasm/")
            assert file["integrity"].startswith("sha384-")


def test_nothing_else_is_loaded_or_run(folder):
    """The policy allows the page's own files, and the pinned library."""
    html = (folder / NAME / "index.html").read_text()
    policy = dict(
        part.strip().split(" ", 1)
        for part in re.search(r'Policy" content="(.*?)"', html)[1].split(";")
    )
    imports = re.search(r'<script type="importmap">(.*?)</script>', html)[1]
    digest = base64.b64encode(hashlib.sha256(imports.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy["script-src"]
    assert "unsafe-inline" not in html
    assert "'unsafe-eval'" not in html
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self' https://cdn.jsdelivr.net/npm/@litertjs/"
    assert json.loads(imports)["integrity"].keys() == set(json.loads(imports)["imports"].values())
    vendored = page_files.contents(True)["index.html"].decode()
    assert "cdn.jsdelivr.net" not in vendored


def test_it_is_verified_and_predicts(folder, run_dir):
    (result,) = verify(folder)
    assert result.error is None
    (photo, *_) = sorted((run_dir / "photos" / "val" / "bee").iterdir())
    assert predict(folder / NAME, photo)[0].classes[0][0] == "bee"


def add_script(page):
    (page / "more.js").write_text("alert(1)")


def change_script(page):
    (page / "app.js").write_text((page / "app.js").read_text() + "\n")


def rename_labels(page):
    path = page / "model.json"
    path.write_text(path.read_text().replace('"ant"', '"bee"'))


def point_elsewhere(page):
    path = page / "model.json"
    path.write_text(path.read_text().replace("cdn.jsdelivr.net", "example.org"))


FOREIGN = {
    add_script: "more.js is missing, changed, or of somebody else",
    change_script: "app.js is missing, changed, or of somebody else",
    point_elsewhere: "model.json names another LiteRT.js",
}


@pytest.mark.parametrize("change", FOREIGN, ids=lambda change: change.__name__)
def test_files_of_others(change, copied):
    change(copied / NAME)
    with pytest.raises(ValueError, match=re.escape(FOREIGN[change])):
        inspection.describe(copied / NAME)


def test_labels_of_others(copied):
    path = copied / NAME
    rename_labels(path)
    sidecar.write(path, sidecar.read(sidecar.path_of(path)), sidecar.path_of(path))
    with pytest.raises(ArtifactError, match=r"its model\.json is not that of an export"):
        verify(copied)


def test_libraries_that_are_not_there_or_others(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"npm pack @litertjs/core@2\.5\.3 @litertjs/w"):
        litert.vendor(tmp_path, tmp_path / "page")
    path = tmp_path / "index.js"
    path.write_text("// another")
    with tarfile.open(tmp_path / "litertjs-core-2.5.3.tgz", "w:gz") as archive:
        archive.add(path, "package/dist/index.js")
    with pytest.raises(ValueError, match=r"is not that of version 2\.5\.3: its SHA-384 is .*npm"):
        litert.vendor(tmp_path, tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_the_server_answers_this_machine_alone(tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "a.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret").write_text("secret")
    with server.serving(tmp_path / "page") as address:
        with urllib.request.urlopen(f"{address}a.wasm") as answer:
            assert answer.headers["Content-Type"] == "application/wasm"
            assert answer.read() == b"\0asm"
        host = address.removeprefix("http://").strip("/")
        assert host.startswith("127.0.0.1:")
        connection = http.client.HTTPConnection(host)
        connection.request("GET", "/../secret")
        assert connection.getresponse().status == 404


def test_demo_serves_the_page(run_dir, tmp_path, monkeypatch, capsys):
    """Until Ctrl-C, as which the first wait ends here."""
    monkeypatch.setenv("PATH", "")
    seen = []

    def visit():
        seen.append(re.search(r"http://127\.0\.0\.1:\d+/", capsys.readouterr().out)[0])
        with urllib.request.urlopen(seen[0]) as answer:
            assert b"<title>Image classifier</title>" in answer.read()
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_ghostnet.cli.demo.wait", visit)
    assert not ghostnet("demo", run_dir, "--out", tmp_path)
    assert seen
    assert (tmp_path / NAME / "index.html").exists()


def test_ports_that_cannot_be_served(run_dir, monkeypatch, capfd):
    """Told before the page is made."""
    monkeypatch.setattr(exporting, "export", lambda *_, **__: 1 / 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert ghostnet("demo", run_dir, "--port", port) == 1
    assert f"Port {port} cannot be served: Address already in use" in capfd.readouterr().err
    assert ghostnet("demo", run_dir, "--port", 99999) == 1
    assert "from 1 to 65535. Received: 99999" in capfd.readouterr().err
