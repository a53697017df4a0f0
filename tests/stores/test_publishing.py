"""Folders that are published: whole at any moment, and never by two writers at once."""

import contextlib
import json
import pathlib
import re
import threading

import pytest

from keras_ghostnet import stores
from keras_ghostnet.stores import manifest
from tests.stores.server import Fault

OLD = {"model.keras": b"old model" * 1000, "logs/events": b"old", "gone.txt": b"gone"}
NEW = {"model.keras": b"new model" * 999, "logs/events": b"old", "checkpoints/2": b"new"}
WRITES = ("PUT", "POST", "DELETE")


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write(folder, files):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def publish(url, files):
    with stores.mirrored(url) as folder:
        write(folder, files)


def published(url):
    return contents(stores.fetch(url))


def objects(store, url):
    root = url.removeprefix("s3://") + "/"
    return {name.removeprefix(root) for name in store.files.find(url)}


def test_what_is_published_is_read(store):
    url = f"{store.url}/run"
    publish(url, OLD)
    assert published(url) == OLD
    assert objects(store, url) == {*OLD, manifest.NAME}
    publish(url, NEW)
    assert published(url) == NEW
    assert objects(store, url) == {*NEW, manifest.NAME}
    assert store.files.cat(f"{url}/model.keras") == NEW["model.keras"]


@pytest.mark.stores
def test_only_what_changed_is_sent(store):
    url = f"{store.url}/run"
    publish(url, OLD)
    store.requests.clear()
    publish(url, {**OLD, "new": b"x"})
    sent = [path for method, path, size in store.requests if method == "PUT" and size > 100]
    assert all(path.endswith(manifest.NAME) for path in sent)
    store.requests.clear()
    publish(url, {**OLD, "new": b"x"})
    assert not [
        path for method, path, _ in store.requests if method == "PUT" and ".probe" not in path
    ]


class Death:
    """A fault from a request that writes on; `lost`: that one is carried out, but not answered."""

    def __init__(self, step, lost):
        self.step, self.lost, self.count = step, lost, 0

    def __call__(self, method, path, _):
        if method not in WRITES or ".probe" in path:
            return None
        self.count += 1
        if self.count <= self.step:
            return None
        return Fault(403, "AccessDenied", carried_out=self.lost and self.count == self.step + 1)


@pytest.mark.stores
@pytest.mark.parametrize("lost", [False, True])
def test_a_writer_that_dies_at_any_request(store, lost):
    states, step, has_died = [], 0, True
    while has_died:
        url = f"{store.url}/run-{step}"
        publish(url, OLD)
        store.faults.append(Death(step, lost))
        with contextlib.suppress(stores.StoreError):
            publish(url, NEW)
        has_died = store.faults.pop().count > step
        found = published(url)
        assert found in (OLD, NEW)
        states.append(found == NEW)
        publish(url, {**found, "after": b"it"})  # finishes, removes what was left
        assert published(url) == {**found, "after": b"it"}
        assert objects(store, url) == {*found, "after", manifest.NAME}
        assert all(store.files.cat(f"{url}/{name}") == found[name] for name in found)
        step += 1
    assert states == sorted(states)
    assert set(states) == {False, True}
    assert step > 8


@pytest.mark.stores
def test_a_writer_that_tries_again(store):
    step, has_failed = 0, True
    while has_failed:
        url = f"{store.url}/run-{step}"
        publish(url, OLD)
        mirror = stores.Mirror(url)
        mirror.publisher.claim()
        write(mirror.folder, {**NEW, "logs/events": b"between"})
        store.faults.append(Death(step, lost=True))
        with contextlib.suppress(stores.StoreError):
            mirror.publisher.publish()
        has_failed = store.faults.pop().count > step
        write(mirror.folder, NEW)
        mirror.publish()
        mirror.close()
        assert published(url) == NEW
        assert objects(store, url) == {*NEW, manifest.NAME}
        step += 1
    assert step > 8


@pytest.mark.stores
def test_a_store_without_conditional_writes(store):
    url, lines = f"{store.url}/run", []
    store.faults.append(
        lambda method, path, count: (
            Fault(501, "NotImplemented")
            if method == "PUT" and path.endswith(manifest.NAME) and count == 0
            else None
        )
    )
    mirror = stores.Mirror(url, lines.append)
    write(mirror.folder, OLD)
    mirror.publish()
    mirror.close()
    assert published(url) == OLD
    assert len(lines) == 1
    assert "has no conditional writes" in lines[0]


@pytest.mark.stores
def test_what_cannot_be_published_is_kept(store):
    url = f"{store.url}/run"
    publish(url, OLD)
    store.faults.append(Death(2, False))
    with pytest.raises(stores.StoreError, match="is kept in /") as caught:
        publish(url, NEW)
    kept = re.search(r"is kept in (\S+)\.$", str(caught.value))[1]
    assert contents(pathlib.Path(kept)) == NEW


def test_the_earlier_of_two_writers_stops(store, tmp_path):
    url, lines = f"{store.url}/run", []
    publish(url, OLD)
    first, second = stores.Mirror(url, lines.append), None
    first.publisher.claim()
    write(first.folder, {**OLD, "first": b"1"})
    first.publisher.publish()
    second = stores.Mirror(url, lines.append)
    second.publisher.claim()
    assert "taken over" in lines[-1]
    write(first.folder, {**OLD, "first": b"2"})
    with pytest.raises(stores.StoreError, match="Another process has written"):
        first.publisher.publish()
    write(second.folder, {**OLD, "first": b"1", "second": b"2"})
    second.publisher.publish()
    assert published(url) == {**OLD, "first": b"1", "second": b"2"}
    first.close()
    second.close()


@pytest.mark.stores
def test_two_that_begin_at_once(store):
    url = f"{store.url}/run"
    first, second = stores.Mirror(url), stores.Mirror(url)
    first.publisher.claim()
    with pytest.raises(stores.StoreError, match="Another process has written"):
        second.publisher.claim()
    first.close()
    second.close()


@pytest.mark.stores
def test_readers_while_it_is_written(store):
    url, stop, found = f"{store.url}/run", threading.Event(), []
    publish(url, OLD)

    def read():
        while not stop.is_set():
            found.append(published(url))

    reader = threading.Thread(target=read)
    reader.start()
    for files in (NEW, OLD, NEW):
        publish(url, files)
    stop.set()
    reader.join()
    assert found
    assert all(each in (OLD, NEW) for each in found)


@pytest.mark.stores
def test_a_damaged_object(store):
    url, lines = f"{store.url}/run", []
    publish(url, OLD)
    store.files.pipe(f"{url}/model.keras", b"other")
    with pytest.raises(stores.DamagedError, match=r"model\.keras is damaged"):
        stores.fetch(url)
    mirror = stores.Mirror(url, lines.append)
    assert contents(mirror.folder) == {n: c for n, c in OLD.items() if n != "model.keras"}
    assert "model.keras is damaged" in lines[0]
    write(mirror.folder, OLD)
    mirror.publish()
    mirror.close()
    assert published(url) == OLD


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"../x": {"bytes": 1, "sha256": "0" * 64, "key": "../x"}}},
        {"files": {"/etc/x": {"bytes": 1, "sha256": "0" * 64, "key": "/etc/x"}}},
        {"files": {"s3://b/x": {"bytes": 1, "sha256": "0" * 64, "key": "s3://b/x"}}},
        {"files": {"a\nb": {"bytes": 1, "sha256": "0" * 64, "key": "a\nb"}}},
        {"files": {"x": {"bytes": 1, "sha256": "0" * 64, "key": "../y"}}},
        {"files": {"x": {"bytes": -1, "sha256": "0" * 64, "key": "x"}}},
        {"files": {"x": {"bytes": 1 << 60, "sha256": "0" * 64, "key": "x"}}},
        {"files": {"x": {"bytes": 1, "sha256": "0" * 63, "key": "x"}}},
        {"files": []},
        {"format": 2},
        {"writer": 3},
    ],
)
def test_manifests_of_strangers(change):
    content = {"format": 1, "writer": None, "files": {}, **change}
    with pytest.raises(ValueError, match="is damaged"):
        manifest.parse(json.dumps(content).encode(), "s3://bucket/run")


@pytest.mark.stores
@pytest.mark.parametrize("hides", [False, True])
def test_a_store_without_listing(store, hides):
    url = f"{store.url}/run"
    publish(url, OLD)
    denied = Fault(403, "AccessDenied")
    store.faults.append(
        lambda method, path, count: denied if "list-type" in path else Fault(hides=hides)
    )
    assert published(url) == OLD
    publish(url, NEW)
    assert published(url) == NEW
    with pytest.raises(stores.StoreError, match="permission to list is needed"):
        publish(f"{store.url}/other", OLD)


@pytest.mark.stores
def test_a_folder_without_manifest(store, capsys):
    url = f"{store.url}/run"
    for name, content in OLD.items():
        store.files.pipe(f"{url}/{name}", content)
    assert published(url) == OLD
    with stores.mirrored(url) as folder:
        assert contents(folder) == OLD
        (folder / "more").write_bytes(b"1")
    assert "taken as they are" in capsys.readouterr().out
    assert published(url) == {**OLD, "more": b"1"}


@pytest.mark.stores
def test_one_file(store):
    url = f"{store.url}/a/model.keras"
    with stores.writable_file(url) as path:
        path.write_bytes(b"content")
    assert stores.fetch(url).read_bytes() == b"content"
    assert stores.fetch(url).name == "model.keras"
    run = f"{store.url}/run"
    publish(run, OLD)
    with stores.writable_file(f"{run}/a.tflite") as path:  # beside what is there
        path.write_bytes(b"1")
        path.with_name("a.tflite.json").write_bytes(b"2")
    assert published(run) == {**OLD, "a.tflite": b"1", "a.tflite.json": b"2"}
    mirror = stores.Mirror(run)
    mirror.publisher.claim()
    with (
        pytest.raises(stores.StoreError, match="is being written by process"),
        stores.writable_file(f"{run}/b.tflite"),
    ):
        pass


def test_files_beside(store):
    url = f"{store.url}/run"
    publish(url, OLD)
    path = stores.fetch(f"{url}/model.keras", ["gone.txt", "nothing"])
    assert contents(path.parent) == {name: OLD[name] for name in ("model.keras", "gone.txt")}
    assert contents(stores.fetch(f"{url}/logs").parent) == {"logs/events": b"old"}
    with pytest.raises(FileNotFoundError, match="There is no"):
        stores.fetch(f"{url}/nothing")


def test_other_stores():
    """What fsspec knows besides S3, by the example of the store in memory."""
    url = "memory://bucket/run"
    publish(url, OLD)
    publish(url, NEW)
    assert published(url) == NEW
