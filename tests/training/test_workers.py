"""`ghostnet train` with two workers over TFRecords, as a user starts them."""

import json
import shutil
import signal

import pytest

from keras_ghostnet.training.data import make_records
from tests.training import runs

# A model with few batch norms, as each of them takes messages between the workers.
SETTINGS = (
    *runs.SETTINGS,
    "model=g_ghost_regnetx_002",
    "epochs=2",
    # Next to nothing: in float32 every rounding grows with each update of so small a problem.
    # That updates are equal is shown in float64, in test_distribution.py.
    "learning_rate=1e-9",
    "synchronized_bn=all",
    "dropout_rate=0",  # its masks differ between replicas
)
OPTIONS = ("--checkpoint-steps", "1000", "--checkpoint-minutes", "1e-6", "--keep", "2")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_records(runs.write_photos(folder / "photos"), folder / "records", shards=3)
    return folder / "records"


def metrics(run_dir):
    return json.loads((run_dir / "metrics.json").read_text())


@pytest.mark.workers
def test_stopped_and_continued_as_one_process(records, tmp_path):
    run_dir, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    words = runs.command(
        records, run_dir, "--strategy", "multi_worker", *OPTIONS, settings=SETTINGS
    )
    # A worker that is not the chief gets a folder of its own, to see what it writes: nothing.
    other = [str(elsewhere) if word == str(run_dir) else word for word in words]
    chief, worker = runs.cluster(2)
    with runs.started(words, [chief]) as (one,), runs.started(other, [worker]) as (two,):
        runs.wait_for_step(1, run_dir, one)  # there by its time, within an epoch of three steps
        two.send_signal(signal.SIGTERM)
        for process in (one, two):
            output, errors = process.communicate(timeout=300)
            assert (process.returncode, errors) == (130, "")
            assert "the same command resumes there" in output
    assert not elsewhere.exists()
    assert not (run_dir / "metrics.json").exists()
    assert len(list((run_dir / "checkpoints").glob("*.json"))) <= 3

    alone = shutil.copytree(run_dir, tmp_path / "alone")
    done = runs.train(records, alone, settings=SETTINGS)
    assert done.returncode == 0, done.stderr
    assert "The number of replicas was 2, is 1" in done.stdout

    with runs.started(words, runs.cluster(2)) as processes:
        outputs = [process.communicate(timeout=600) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], outputs
    assert "Resuming after" in outputs[0][0]
    output, errors = outputs[1]
    assert all(line.startswith("Waiting for the workers") for line in output.splitlines())
    assert not errors

    done = runs.train(records, tmp_path / "one", settings=SETTINGS)
    assert done.returncode == 0, done.stderr
    expected = metrics(tmp_path / "one")
    for found in (metrics(run_dir), metrics(alone)):
        for row in ("last", "best"):
            for name in expected[row].keys() - {"images_per_second"}:
                assert found[row][name] == pytest.approx(expected[row][name], rel=1e-4), name
