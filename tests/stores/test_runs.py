"""Runs whose folder is in a store: resumed, killed, refused."""

import contextlib
import io
import re
import signal
import time

import pytest

from keras_ghostnet import cli, stores
from keras_ghostnet.training import classifiers
from tests.stores.server import Fault
from tests.training import runs

pytestmark = pytest.mark.stores


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return runs.write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """A run of the recipe's own network in a process of its own, never stopped, in a folder."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = runs.train(photos, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(classifiers, "build_classifier", runs.small_classifier)


def train(photos, url, *more):
    """Trains in this process: exit code, and what it printed."""
    words = runs.command(photos, url, *more)
    words.remove("--deterministic")  # which would hold for the tests after this one too
    printed, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        code = cli.main(cli.parse(["ghostnet", *words[1:]]))
    return code, printed.getvalue(), errors.getvalue()


def names(store, url):
    root = url.removeprefix("s3://") + "/"
    return {name.removeprefix(root) for name in store.files.find(url)}


def test_a_run_in_a_store(store, small, photos, tmp_path):
    url = f"{store.url}/runs/one"
    code, printed, errors = train(photos, url)
    assert (code, errors) == (0, "")
    assert f"{url}/model.keras" in printed
    assert "stores/mirrors" not in printed
    found = names(store, url)
    top = {name.partition("/")[0] for name in found}
    assert top == {
        ".ghostnet.json", "checkpoints", "config.json", "last.keras", "learning_curve.png",
        "metrics.csv", "metrics.json", "model.keras", "tensorboard", "training_batch.png",
    }  # fmt: skip
    steps = {name[11:] for name in found if name.startswith("checkpoints/")}
    assert steps >= {
        f"/step-0000000{step}.{x}" for step in (6, 8, 9) for x in ("json", "safetensors")
    }
    assert len(steps) <= 2 * 4  # the last three, and the best
    code, printed, errors = train(photos, url, "--set", "epochs=4")
    assert (code, errors) == (0, "")
    assert "Resuming after 3 epochs" in printed
    assert stores.fetch(url).joinpath("metrics.csv").read_text().count("\n") == 5
    (mirrors,) = (tmp_path / "cache" / "keras_ghostnet" / "stores" / "mirrors").iterdir()
    assert list(mirrors.iterdir()) == []


def test_another_recipe_is_refused_and_changes_nothing(store, small, photos):
    url = f"{store.url}/run"
    assert train(photos, url)[0] == 0
    before = store.files.cat(f"{url}/.ghostnet.json")
    code, _, errors = train(photos, url, "--set", "learning_rate=0.5")
    assert code == 1
    assert f"{url}/checkpoints holds checkpoints of another run" in errors
    assert store.files.cat(f"{url}/.ghostnet.json") == before


def killed(store, photos, url, writes):
    """Starts a run, and kills it when it writes to the store for the n-th time."""
    count = 0

    def kill(method, path, _):
        nonlocal count
        if method in ("PUT", "DELETE") and ".probe" not in path:
            count += 1
            if count == writes:
                process.kill()
                return Fault(cut=True)  # whether it was carried out or not
        return None

    store.faults.append(kill)
    with runs.started(runs.command(photos, url)) as (process,):
        _, errors = process.communicate(timeout=300)
    store.faults.remove(kill)
    assert process.returncode == -signal.SIGKILL, errors


@pytest.mark.parametrize("writes", [[8, 30], [19, 12, 2]])
def test_killed_runs_end_with_the_very_same_state(store, photos, whole, writes):
    url = f"{store.url}/run"
    for number in writes:
        killed(store, photos, url, number)
    done = runs.train(photos, url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "taken over" in done.stdout
    assert ".changed" not in str(names(store, url))
    assert ".pending.json" not in names(store, url)
    runs.assert_same_state(stores.fetch(url), whole)


def test_a_stopped_run(store, photos, whole):
    url = f"{store.url}/run"
    with runs.started(runs.command(photos, url)) as (process,):
        deadline = time.monotonic() + 200
        while "checkpoints" not in str(names(store, url)) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=200)
    assert (process.returncode, errors) == (130, "")
    assert "Stopped after step" in output
    done = runs.train(photos, url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "taken over" not in done.stdout
    runs.assert_same_state(stores.fetch(url), whole)


def test_a_run_goes_on_with_data_that_moved_to_a_store(store, photos, whole, tmp_path):
    """The very state of one whose data stayed on a disk."""
    with runs.started(runs.command(photos, tmp_path / "run")) as (process,):
        runs.wait_for_step(2, tmp_path / "run", process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=200)
    assert process.returncode == 130
    moved = f"{store.url}/moved/photos"
    store.files.put(f"{photos}/", f"{moved}/", recursive=True)
    store.files.rm(f"{moved}/train/class00/0.png")
    done = runs.train(moved, tmp_path / "run")
    assert done.returncode == 1
    assert "train had 24 images, has 23" in done.stderr
    store.files.put(f"{photos}/train/class00/0.png", f"{moved}/train/class00/0.png")
    done = runs.train(moved, tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Resuming after" in done.stdout
    runs.assert_same_state(tmp_path / "run", whole)


@pytest.mark.parametrize("stored", ["data", "run_dir"])
def test_expired_credentials_of_the_command(store, photos, tmp_path, stored):
    store.files.put(f"{photos}/", f"{store.url}/photos/", recursive=True)
    before = store.files.find(store.url)
    expired = Fault(400, "ExpiredToken")  # the status that S3 gives
    store.faults.append(lambda method, path, count: expired)
    place = f"{store.url}/{'photos' if stored == 'data' else 'run'}"
    done = runs.train(*((place, tmp_path / "run") if stored == "data" else (photos, place)))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert re.match(rf"ghostnet: {place}\S* cannot be \w+( to)?: the credentials have ex", line)
    assert "Renew them: AWS_ACCESS_KEY_ID" in line
    store.faults.clear()
    assert store.files.find(store.url) == before


def test_a_store_that_is_down_at_a_checkpoint(store, small, photos):
    url = f"{store.url}/run"
    store.faults.append(  # as often as it is asked within one publication
        lambda method, path, count: (
            Fault(503)
            if method == "PUT" and path.endswith("step-00000003.json") and count < 3
            else None
        )
    )
    code, printed, errors = train(photos, url)
    assert (code, errors) == (0, "")
    assert printed.count("Training goes on") == 1
    assert "asked several times" in printed
    assert len(stores.fetch(url).joinpath("metrics.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("fault", "code", "expected"),
    [
        (Fault(503), 75, "asked several times"),
        (Fault(403, "ExpiredToken"), 1, "credentials have expired"),
        (Fault(507, "InsufficientStorage"), 1, "is full"),
    ],
)
def test_a_store_that_fails_for_good(store, small, photos, fault, code, expected, tmp_path):
    url, failing = f"{store.url}/run", []

    def fail(method, path, count):
        failing.extend([path] if "step-00000006" in path else [])
        return fault if failing and method == "PUT" else None

    store.faults.append(fail)
    found, _, errors = train(photos, url)
    assert found == code
    assert expected in errors
    assert "What could not be published is kept in" in errors
    kept = errors.split("is kept in ")[1].strip().removesuffix(".")
    store.faults.clear()
    assert stores.fetch(url).joinpath("last.keras").exists()  # of before
    again, printed, _ = train(photos, kept)  # the kept one can be gone on with, too
    assert again == 0
    assert "Resuming" in printed


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(403, "AccessDenied"), "denies"),
        (Fault(403, "ExpiredToken"), "have expired"),
        (Fault(507, "InsufficientStorage"), "is full"),
        (Fault(405, "MethodNotAllowed"), "does not allow"),
    ],
)
def test_what_cannot_be_written_is_refused_before_training(store, small, photos, fault, expected):
    store.faults.append(lambda method, path, count: fault if method == "PUT" else None)
    code, printed, errors = train(photos, f"{store.url}/run")
    assert code == 1
    assert expected in errors
    assert "--run-dir" in errors
    assert errors.count("\n") == 1
    assert "epoch" not in printed


def test_a_bucket_that_is_not_there(store, small, photos):
    code, _, errors = train(photos, "s3://nowhere/run")
    assert (code, "there is no bucket nowhere" in errors) == (1, True)


def test_damaged_checkpoints(store, small, photos):
    url = f"{store.url}/run"
    assert train(photos, url)[0] == 0
    store.files.pipe(f"{url}/checkpoints/step-00000009.safetensors", b"damaged")
    store.files.rm(f"{url}/model.keras")
    code, printed, errors = train(photos, url, "--set", "epochs=4")
    assert (code, errors) == (0, "")
    assert "step-00000009.safetensors is damaged" in printed
    assert "The checkpoint of step 9 is broken and is passed over" in printed
    assert "There is no" in printed
    assert "model.keras was missing or damaged: written again" in printed
    assert stores.fetch(url).joinpath("model.keras").exists()


def test_a_second_run_takes_the_folder_over(store, small, photos, monkeypatch):
    """The first one stops with a message, and what the second one published stays."""
    url, begun = f"{store.url}/run", []

    def interfere(method, path, count):
        if method == "PUT" and "step-00000006" in path and not begun:
            begun.append(True)
            other = stores.Mirror(url, lambda text: None)
            other.publisher.claim()
            other.publisher.release()
        return None

    store.faults.append(interfere)
    code, _, errors = train(photos, url)
    assert code == 1
    assert f"Another process has written to {url}" in errors
    assert "is kept in" in errors


def test_workers_that_share_nothing_but_the_store(store, photos, tmp_path):
    """Two that are killed, and resume on another disk."""
    url = f"{store.url}/run"
    words = runs.command(photos, url, "--strategy", "multi_worker")

    def workers(place):
        folders = ({"XDG_CACHE_HOME": str(tmp_path / f"{place}{index}")} for index in range(2))
        return [task | folder for task, folder in zip(runs.cluster(2), folders, strict=True)]

    with runs.started(words, workers("before")) as processes:
        deadline = time.monotonic() + 300
        while "step-00000004.json" not in str(names(store, url)) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert "step-00000004.json" in str(names(store, url))
    with runs.started(words, workers("after")) as processes:
        outputs = [process.communicate(timeout=300) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], outputs
    assert "Resuming after 1 epochs" in outputs[0][0]
    assert "taken over" in outputs[0][0]
    assert all(line.startswith("Waiting for the workers") for line in outputs[1][0].splitlines())
    assert (stores.fetch(url) / "metrics.csv").read_text().count("\n") == 4
