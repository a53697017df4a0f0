"""Access to a store: what its errors become, and what is asked again."""

import pytest

from keras_ghostnet import stores
from tests.stores.server import Fault

TOKEN = {
    "ExpiredToken": "have expired",
    "InvalidAccessKeyId": "not valid",
    "AccessDenied": "denies",
}


def read(url):
    system, key = stores.filesystem(url)
    with stores.explained(url):
        return system.cat_file(key)


def failing(store, status=None, **fault):
    store.faults.append(lambda method, path, count: Fault(status, **fault))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket/run", True),
        ("gs://bucket", True),
        ("HDFS://host/x", True),
        ("hf://timm/x", False),
        ("file:///tmp/x", False),
        ("runs/x", False),
        ("C:/runs", False),
        ("tfds:mnist", False),
    ],
)
def test_what_is_remote(path, expected):
    assert stores.is_remote(path) is expected


def test_what_is_written_is_read(store):
    url = stores.join(store.url, "a", "b")
    system, key = stores.filesystem(url)
    system.pipe_file(key, b"content")
    assert read(url) == b"content"


@pytest.mark.parametrize("code", TOKEN)
@pytest.mark.parametrize("method", ["GET", pytest.param("HEAD", marks=pytest.mark.stores)])
def test_credentials(store, code, method):
    failing(store, 403, code=code)
    system, key = stores.filesystem(f"{store.url}/a")
    with pytest.raises(stores.StoreError, match=TOKEN[code]), stores.explained(f"{store.url}/a"):
        system.info(key) if method == "HEAD" else system.cat_file(key)


def test_no_credentials(store, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(stores.StoreError, match=r"no credentials.*AWS_ACCESS_KEY_ID"):
        read(f"{store.url}/a")
    assert not store.requests


def test_missing_object_and_bucket(store):
    with pytest.raises(FileNotFoundError, match=f"There is no {store.url}/a"):
        read(f"{store.url}/a")
    with pytest.raises(stores.StoreError, match="there is no bucket nowhere"):
        read("s3://nowhere/a")
    with pytest.raises(stores.StoreError, match=r"there is no bucket nowhere.*--run-dir"):
        stores.require_writable("s3://nowhere/a", "--run-dir")


def test_a_store_that_fails_for_a_while(store):
    system, key = stores.filesystem(f"{store.url}/a")
    system.pipe_file(key, b"content")
    store.faults.append(lambda method, path, count: Fault(503) if count < 2 else None)
    assert read(f"{store.url}/a") == b"content"


@pytest.mark.stores
def test_a_store_that_stays_down(store):
    failing(store, 503)
    with pytest.raises(stores.StoreError, match="asked several times") as caught:
        read(f"{store.url}/a")
    assert caught.value.is_temporary


def test_connection_cut_within_a_body(store):
    content = bytes(range(256)) * 40
    system, key = stores.filesystem(f"{store.url}/a")
    system.pipe_file(key, content)
    cuts = []

    def cut(method, path, count):
        cuts.append(path)
        return Fault(cut=True) if method == "GET" and len(cuts) == 1 else None

    store.faults.append(cut)
    assert read(f"{store.url}/a") == content
    assert len(cuts) == 2


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(507, code="InsufficientStorage"), "is full"),
        pytest.param(
            Fault(405, code="MethodNotAllowed"), "does not allow", marks=pytest.mark.stores
        ),
        pytest.param(Fault(403, code="AccessDenied"), "denies", marks=pytest.mark.stores),
    ],
)
def test_places_that_cannot_be_written_to(store, fault, expected):
    store.faults.append(lambda method, path, count: fault if method == "PUT" else None)
    with pytest.raises(stores.StoreError, match=rf"cannot be written to: .*{expected}.*--out"):
        stores.require_writable(f"{store.url}/run")


def test_a_probe_leaves_nothing(store):
    stores.require_writable(f"{store.url}/run")
    assert store.files.find(store.url) == []


@pytest.mark.parametrize("url", ["s3://", "s3:///", "nosuch://bucket/a"])
def test_what_names_no_place(url):
    with pytest.raises(ValueError, match=r"no (place|store)"):
        stores.filesystem(url)
