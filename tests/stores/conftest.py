"""A store on loopback; the cache of this process in a folder of the test."""

import itertools

import pytest

BUCKETS = itertools.count()


@pytest.hookimpl(tryfirst=True)  # before those of other markers are chosen
def pytest_collection_modifyitems(items):
    """What asks the server is left to `make test-stores`, which installs it."""
    for item in items:
        if "store" in getattr(item, "fixturenames", ()):
            item.add_marker("stores")


@pytest.fixture(scope="session")
def _server():
    from tests.stores.server import Store

    server = Store()
    yield server
    server.close()


@pytest.fixture
def store(_server, monkeypatch, tmp_path):
    """The server, with an empty bucket whose URL is `store.url`."""
    import s3fs

    for name, value in _server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    s3fs.S3FileSystem.clear_instance_cache()
    _server.faults.clear()
    bucket = f"bucket-{next(BUCKETS)}"
    _server.files = s3fs.S3FileSystem()
    _server.files.mkdir(bucket)
    _server.url = f"s3://{bucket}"
    _server.requests.clear()
    _server.most_in_flight = 0
    yield _server
    _server.faults.clear()
    s3fs.S3FileSystem.clear_instance_cache()
