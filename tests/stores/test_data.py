"""Images in a store: the same examples, batches and fingerprints as from a disk, or a clear end."""

import gzip
import io
import urllib.parse

import pytest
from rich.console import Console

from keras_ghostnet import stores
from keras_ghostnet.training.data import Pipeline, make_records, objects, open_source
from keras_ghostnet.training.data import stored_listing as listing
from tests.stores.server import Fault
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
