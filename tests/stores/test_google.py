"""Google Cloud Storage, by an emulator on loopback (make test-stores installs it)."""

import pytest

from keras_ghostnet import stores
from tests.stores.test_publishing import NEW, OLD, publish, published

pytestmark = pytest.mark.stores


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    server = emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    port = server._api._httpd.server_address[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    # Otherwise gcsfs asks for the kind of the bucket by gRPC, which the emulator does not speak.
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    import fsspec

    monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
    yield "gs://bucket"
    server.stop()


def test_what_is_published_is_read(bucket):
    publish(f"{bucket}/run", OLD)
    publish(f"{bucket}/run", NEW)
    assert published(f"{bucket}/run") == NEW


def test_the_earlier_of_two_writers_stops(bucket):
    publish(f"{bucket}/run", OLD)
    first, second = stores.Mirror(f"{bucket}/run"), stores.Mirror(f"{bucket}/run")
    first.publisher.claim()
    with pytest.raises(stores.StoreError, match="Another process has written"):
        second.publisher.claim()


def test_what_is_not_there(bucket):
    with pytest.raises(FileNotFoundError, match="There is no gs://bucket/nothing"):
        stores.fetch(f"{bucket}/nothing")
    with pytest.raises(stores.StoreError, match="there is no bucket nowhere"):
        stores.require_writable("gs://nowhere/run")
