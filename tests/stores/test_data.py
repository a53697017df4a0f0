"""Images in a store: the same examples, batches and fingerprints as from a disk, or a clear end."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse

import pytest
from rich.console import Console

from keras_ghostnet import stores
from keras_ghostnet.training.data import Pipeline, make_records, objects, open_source
from keras_ghostnet.training.data import stored_listing as listing
from tests.stores.server import Fault
from tests.training import runs
from tests.training.batches import assert_same, collect
from tests.training.photographs import write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "photographs")


@pytest.fixture(scope="module")
def records(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("records")
    make_records(folder, output, shards=3)
    return output


pytestmark = pytest.mark.stores


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(objects, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")


@pytest.fixture
def photographs(store, folder):
    return put(store, folder, "photos")


def put(store, folder, name):
    """A folder's copy in the store."""
    url = stores.join(store.url, name)
    store.files.put(f"{folder}/", f"{url}/", recursive=True)
    store.requests.clear()
    return url


def pipeline(source, **options):
    return Pipeline(source, image_size=(24, 32), **{"training": True, "seed": 3, **options})


@pytest.mark.parametrize("kind", ["folder", "records"])
def test_the_same_batches_as_from_a_disk(store, request, kind):
    path = request.getfixturevalue(kind)
    url = put(store, path, kind)
    for split in ("train", "val"):
        local, stored = open_source(path, split), open_source(url, split)
        assert stored.fingerprint == local.fingerprint
        assert stored.class_names == local.class_names
        assert stored.key(3) == local.key(3).replace(str(path), url)
        options = {"training": split == "train"}
        assert_same(
            collect(pipeline(stored, **options), global_batch=8),
            collect(pipeline(local, **options), global_batch=8),
        )


def test_foreign_records_are_looked_through_once(store, records):
    """Whole and compressed ones; the index is kept beside them, or else in the cache."""
    local = open_source(records, "train")
    url = put(store, records, "records")
    for path in store.files.find(url.removeprefix("s3://")):
        if path.endswith(".idx") or path.endswith("manifest.json"):
            store.files.rm_file(path)
    source = open_source(url, "train")
    assert source.fingerprint == local.fingerprint
    assert store.files.cat(f"{url}/train-00000-of-00003.idx").split(b"\n")[0].startswith(b"0 ")
    store.requests.clear()
    assert open_source(url, "train").fingerprint == local.fingerprint
    assert store.asked("GET", "train-00001-of-00003") == 1  # its index
    for path in store.files.find(url.removeprefix("s3://")):
        if path.endswith(".idx"):
            store.files.rm_file(path)
    denied = Fault(403, "AccessDenied")
    store.faults.append(lambda method, path, _: denied if method == "PUT" else None)
    for _ in range(2):
        store.requests.clear()
        assert open_source(url, "train").fingerprint == local.fingerprint
    assert not store.asked("GET", "train-00001-of-00003")
    store.faults.clear()
    name = "train-00001-of-00003"
    store.files.pipe(f"{url}/{name}", gzip.compress((records / name).read_bytes()))
    source = open_source(url, "train")
    assert source.fingerprint == local.fingerprint
    assert_same(collect(pipeline(source), global_batch=4), collect(pipeline(local), global_batch=4))
    assert source.reader.read(7) == local.reader.read(7)


@pytest.mark.parametrize("kind", ["5xx", "slow", "cut"])
def test_what_is_asked_again_changes_no_batch(store, photographs, folder, kind):
    fault = {"5xx": Fault(503, "SlowDown"), "slow": Fault(delay=0.2), "cut": Fault(cut=True)}[kind]
    source = open_source(photographs, "train")
    expected = collect(pipeline(open_source(folder, "train")), global_batch=8)
    store.faults.append(
        lambda method, path, count: fault if path.endswith(".jpg") and count < 2 else None
    )
    stored = pipeline(source)
    assert_same(collect(stored, global_batch=8), expected)
    assert not len(stored.bad)


def test_many_requests_at_once(store, photographs):
    loaded = pipeline(open_source(photographs, "train"), threads=1)
    store.faults.append(lambda method, path, _: Fault(delay=1.5) if ".jpg" in path else None)
    store.most_in_flight = 0
    collect(loaded, global_batch=2)
    assert store.most_in_flight == 16  # eight groups of two, on one core


def test_objects_that_are_gone_are_bad_examples(store, photographs, tmp_path):
    source = open_source(photographs, "train")
    store.files.rm_file(source.key(2).removeprefix("s3://"))
    store.files.pipe(source.key(5), b"")
    loaded = pipeline(source, bad_examples=tmp_path / "bad.csv")
    batch = collect(loaded, global_batch=16)
    assert sorted(batch["index"][batch["weight"] == 0]) == [2, 5]
    text = (tmp_path / "bad.csv").read_text()
    assert f"{source.key(2)},cannot be read: " in text
    assert "There is no s3://" in text


def test_one_that_is_denied_is_bad_and_a_store_that_denies_everything_is_not(store, photographs):
    """Also where the store calls both the same."""
    source = open_source(photographs, "train")
    denied = Fault(403, "AccessDenied")
    store.faults.append(
        lambda method, path, _: denied if path.split("?")[0].endswith("ant/002.jpg") else None
    )
    batch = collect(pipeline(source), global_batch=16)
    assert batch["index"][batch["weight"] == 0] == [2]
    loaded = pipeline(source)
    store.faults.append(lambda method, path, _: Fault(403, "ExpiredToken"))
    with pytest.raises(OSError, match="credentials have expired"), loaded.explained():
        list(loaded.batches(0, global_batch=4))
    assert not len(loaded.bad)


# Listings.

CLASSES, EACH = 50, 1000


def page(path):
    """A page of a listing of `many/train/CLASS/FILE.jpg`."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
    parts = query["prefix"].split("/")
    if query.get("delimiter"):
        names = ["train"] if len(parts) == 2 else [f"train/c{label:02}" for label in range(CLASSES)]
        content = "".join(
            f"<CommonPrefixes><Prefix>many/{name}/</Prefix></CommonPrefixes>" for name in names
        )
        more = ""
    else:
        label = int(query.get("continuation-token", "0"))
        content = "".join(
            f"<Contents><Key>many/train/c{label:02}/{number:04}.jpg</Key><Size>9</Size></Contents>"
            for number in range(EACH)
        )
        more = f"<NextContinuationToken>{label + 1}</NextContinuationToken>"
        more = more if label + 1 < CLASSES else ""
    text = (
        f"<ListBucketResult><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{content}"
        "</ListBucketResult>"
    )
    return Fault(200, content=text.encode())


def test_many_files_are_listed_once(store):
    url = stores.join(store.url, "many")
    store.faults.append(lambda method, path, _: page(path) if "prefix=many" in path else None)
    console = Console(file=io.StringIO(), width=200)
    folder = listing.open_folder(url, console)
    assert len(folder.tree.folders["train/c07"]) == EACH
    pages = CLASSES * EACH // 1000
    assert store.asked("list-type=2") <= pages + 5
    store.requests.clear()
    again = listing.open_folder(url, console)
    assert again.tree.folders == folder.tree.folders
    assert store.asked("list-type=2") == 2  # what lies in the folder and in `train`
    assert "50,000 files as listed at " in again.tree.note
    assert f"{url}/{listing.NAME}" in again.tree.note
    assert not console.file.getvalue()
    size = store.files.size(f"{url}/{listing.NAME}")
    assert size < 10 * CLASSES * EACH


# Records.

KILLED = """
import sys, time
from keras_ghostnet.training.data import records
def slowly(*args, make=records._record):
    time.sleep(0.01)
    return make(*args)
records._record = slowly
records.make_records(sys.argv[1], sys.argv[2], shards=8, workers=2)
"""


def contents(store, url):
    """Every object below a URL, by name."""
    key = url.removeprefix("s3://")
    return {name.removeprefix(f"{key}/"): store.files.cat(name) for name in store.files.find(key)}


def on_disk(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("is_stored", [False, True])
def test_records_are_the_same_in_a_store(store, folder, photographs, tmp_path, is_stored):
    """From a disk the very bytes; the manifest of those from a store has no times of its input."""
    make_records(folder, tmp_path / "local", shards=3)
    url = stores.join(store.url, "records")
    counts = make_records(photographs if is_stored else folder, url, shards=3)
    assert counts == {"train": 16, "val": 16}
    expected, found = on_disk(tmp_path / "local"), contents(store, url)
    manifests = [json.loads(each.pop("manifest.json")) for each in (expected, found)]
    assert found == expected
    if is_stored:
        for manifest in manifests:
            del manifest["settings"]["input"]
    assert manifests[0] == manifests[1]
    assert open_source(url, "val").fingerprint == open_source(tmp_path / "local", "val").fingerprint


def test_a_killed_writer_continues(store, folder, tmp_path):
    make_records(folder, tmp_path / "whole", shards=8)
    url = stores.join(store.url, "records")
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder), url])
    deadline = time.monotonic() + 120
    while store.asked("PUT", "manifest.json") < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = json.loads(store.files.cat(f"{url}/manifest.json"))["files"]
    assert 4 <= len(kept) < 16
    with pytest.raises(ValueError, match="is not finished: run ghostnet make-records again"):
        open_source(url, "train")
    lost = min(kept)
    store.files.pipe(f"{url}/{lost}", b"another size")
    store.requests.clear()
    make_records(folder, url, shards=8)
    assert contents(store, url) == on_disk(tmp_path / "whole")
    sent = {path.rpartition("/")[2] for method, path, _ in store.requests if method == "PUT"}
    assert sent & kept.keys() == {lost}


def test_records_need_a_place_that_can_be_written_to(store, folder):
    url = stores.join(store.url, "records")
    denied = Fault(403, "AccessDenied")
    store.faults.append(lambda method, path, _: denied if method == "PUT" else None)
    with pytest.raises(stores.StoreError, match="OUT names another place"):
        make_records(folder, url)
    store.faults.clear()
    store.files.pipe(f"{url}/precious.txt", b"1")
    with pytest.raises(FileExistsError, match="not empty, and has no manifest"):
        make_records(folder, url)
    assert contents(store, url) == {"precious.txt": b"1"}


def test_what_is_no_image_is_not_copied(store, photographs):
    url = stores.join(store.url, "records")
    store.files.pipe(f"{photographs}/train/ant/key.jpg", b"-----BEGIN PRIVATE KEY-----")
    with pytest.raises(ValueError, match=r"files that are no images.*: train/ant/key\.jpg\."):
        make_records(photographs, url)


# Runs.


def test_one_worker_looks_through_for_all(store, folder, tmp_path):
    """Two workers on records without an index: the chief writes it, the other reads it."""
    make_records(folder, tmp_path / "records", shards=1)
    url = put(store, tmp_path / "records", "records")
    for name in ("train-00000-of-00001", "validation-00000-of-00001"):
        store.files.rm_file(f"{url}/{name}.idx")
    store.requests.clear()
    words = runs.command(url, tmp_path / "run", "--strategy", "multi_worker", settings=(
        *runs.SETTINGS, "model=g_ghost_regnetx_002", "epochs=1", "batch_size=8",
    ))  # fmt: skip
    with runs.started(words, runs.cluster(2)) as processes:
        outputs = [process.communicate(timeout=900) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], outputs
    assert sum("are read through once" in output for output, _ in outputs) == 1
    assert store.asked("PUT", ".idx") == 2
    assert store.asked("GET", "train-00000-of-00001.idx") == 1  # by the other
