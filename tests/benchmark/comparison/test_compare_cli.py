"""`ghostnet compare` as a user runs it."""

import json
import pathlib
import re
import shutil

import pytest

from keras_ghostnet.benchmark.comparison import compare as comparing
from keras_ghostnet.benchmark.comparison import cpu, kit, results, throughput
from keras_ghostnet.export import formats
from keras_ghostnet.export.device import run
from keras_ghostnet.export.device.conditions import Conditions
from tests.benchmark.comparison.samples import measurements
from tests.export.command import ghostnet

ROWS = "mobilenet_v1_050,mobilenet_v2_035"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def compare(cache, tmp_path):
    """Runs the command with small images, and into a folder of the test."""

    def command(*arguments):
        return ghostnet(
            *("compare", "--models", ROWS, "--resolution", 64, "--calls", 10),
            *("--cache", cache, "--target", "none", "--out", tmp_path / "out", *arguments),
        )

    return command


def measured(tmp_path, runtime="litert"):
    """What is in the device's CSV."""
    return results.read_measurements(
        tmp_path / "out" / results.file_name(Conditions().device, runtime)
    )


def test_rows_and_models_of_one_s_own(compare, run_dir, cache, tmp_path, capfd):
    assert compare("--models", f"mobilenet_v1_050,{run_dir}", "--batch", 4) == 0
    out, _ = capfd.readouterr()
    assert "exported 4 files; 0 were in" in out
    assert "mobilenet_v1_050" in out
    found = measured(tmp_path)
    keys = {(one.model, one.format, one.batch) for one in found}
    names = ("mobilenet_v1_050", str(run_dir))
    assert keys == {(n, f, b) for n in names for f in ("fp32", "int8") for b in (1, 4)}
    assert {(one.threads, one.calls, one.unit) for one in found} == {(1, 10, "ms")}
    assert {(one.model, one.size) for one in found} == set(zip(names, (64, 64), strict=True))
    assert len({one.run for one in found}) == 1
    first = found[0]
    assert (first.model, first.parameters) == ("mobilenet_v1_050", 1_331_592)
    assert first.sha256 in {json.loads(p.read_text())["sha256"] for p in cache.glob("*.json")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "compare.html",
        results.file_name(Conditions().device, "litert"),
    }

    mine = next(cache.glob("small_int8_*.tflite"))
    shutil.copy(mine, tmp_path / "mine_int8.tflite")
    assert compare("--models", f"mobilenet_v1_050,{tmp_path / 'mine_int8.tflite'}") == 0
    assert "exported 0 files; 2 were in" in capfd.readouterr().out
    new = measured(tmp_path)[len(found) :]
    assert [(one.model, one.format) for one in new] == [
        ("mobilenet_v1_050", "fp32"),
        ("mobilenet_v1_050", "int8"),
        (str(tmp_path / "mine"), "int8"),
    ]


def test_runs_of_one_s_own_alone(run_dir, cache, tmp_path, monkeypatch, capfd):
    """The table and exit code 0, with their accuracy and without, and from the CSV as well."""
    monkeypatch.chdir(tmp_path)
    for name, accuracy in {"a": 0.75, "b": 0.85}.items():
        shutil.copytree(run_dir, f"runs/{name}", ignore=shutil.ignore_patterns("photos"))
        config = json.loads((run_dir / "config.json").read_text())
        config["run"] |= {"data": "photos", "image_size": 32}
        config["examples"] = {"train": 180, "val": 20}
        pathlib.Path("runs", name, "config.json").write_text(json.dumps(config))
        metrics = {"best": {"val_accuracy": accuracy}, "last": {"val_accuracy": 0.5}}
        pathlib.Path("runs", name, "metrics.json").write_text(json.dumps(metrics))
    options = ("--calls", 10, "--cache", cache, "--target", "none")
    measuring = ("compare", "--models", "runs/a,runs/b/", "--formats", "fp32", *options)
    csv = results.file_name(Conditions().device, "litert")

    assert ghostnet(*measuring, "--out", "own") == 0
    out = capfd.readouterr().out
    assert re.search(r"runs/a .* 75\.0", out)
    assert re.search(r"runs/b .* 85\.0", out)
    assert "Top-1 of run: on 20 held-out images of photos." in " ".join(out.split())
    assert "Done: own/compare.html, own/compare.png" in out
    assert ghostnet("compare", "--from", f"own/{csv}", "--out", "again") == 0
    assert re.search(r"runs/b .* 85\.0", capfd.readouterr().out)
    assert pathlib.Path("again/compare.png").is_file()

    assert ghostnet(*measuring, "--resolution", 48, "--out", "larger") == 0
    out = capfd.readouterr().out
    assert "runs/a" in out
    assert "75.0" not in out  # which is that of images of 32 pixels
    assert "No compare.png: it takes two networks" in out
    assert {one.size for one in results.read_measurements(f"larger/{csv}")} == {48}
    assert ghostnet("compare", "--from", f"larger/{csv}", "--out", "again") == 0
    assert not pathlib.Path("again/compare.png").exists()


def test_the_table_is_there_if_the_report_fails(tmp_path, monkeypatch, capfd):
    def fail(*_):
        raise ValueError("no font")

    monkeypatch.setattr(comparing, "write_report", fail)
    results.append_measurements(tmp_path / "device.csv", measurements())
    assert ghostnet("compare", "--from", tmp_path / "device.csv", "--out", tmp_path / "out") == 1
    assert "ghostnet_100" in capfd.readouterr().out


def test_an_interrupted_run_goes_on(compare, tmp_path, monkeypatch, capfd):
    rounds = run.rounds

    def interrupted(*arguments):
        yield next(rounds(*arguments))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "rounds", interrupted)
        assert compare("--formats", "fp32", "--calls", 20) == 130
    assert "Interrupted. What was done is kept" in capfd.readouterr().out
    (kept,) = (tmp_path / "out").iterdir()
    start, times, _ = json.loads(kept.read_text())
    assert compare("--formats", "fp32", "--calls", 20) == 0
    assert "Resuming the run of" in capfd.readouterr().out
    for one, before in zip(
        measured(tmp_path), *[group.values() for group in times.values()], strict=True
    ):
        assert (one.run, one.calls, len(before)) == (start, 20, 10)
    assert not kept.exists()


def test_a_device_s_csv_comes_back(compare, tmp_path, monkeypatch, capfd):
    assert compare("--formats", "fp32", "--export-only", tmp_path / "kit") == 0
    assert "ghostnet compare --from device.csv" in capfd.readouterr().out
    csv = tmp_path / "board.csv"
    arguments = [str(tmp_path / "kit" / kit.TABLE), "--csv", str(csv), "--device", "Board 5"]
    assert run.main([*arguments, "--calls", "10"]) == 0
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(run, "rounds", lambda *_: 1 / 0)
    capfd.readouterr()
    assert compare("--from", csv) == 0
    out = capfd.readouterr().out
    assert "Board 5" in out
    assert "mobilenet_v1_050" in out
    assert "Board 5" in (tmp_path / "out" / "compare.html").read_text()
    assert compare("--from", csv, "--suite", "gpu") == 1
    assert "has no network of the suite 'gpu'" in capfd.readouterr().err


def test_gpu_suite_in_small(compare, tmp_path, capfd):
    models = ("--suite", "gpu", "--models", "g_ghost_regnetx_002,regnetx_002")
    assert compare(*models, "--resolution", 32, "--batch", "2,1", "--calls", 1) == 0
    assert "tf.function" in capfd.readouterr().out
    found = measured(tmp_path, "tensorflow")
    names = ("g_ghost_regnetx_002", "regnetx_002")
    assert [(one.batch, one.model, one.format) for one in found] == [
        (batch, name, "fp32") for batch in (1, 2) for name in names
    ]
    small = found[0]
    assert small.parameters == 1_825_440
    assert small.bytes > 4 * small.parameters
    assert "keras 3" in small.versions


def test_more_threads_than_cores(compare, capfd):
    cores = len(Conditions().cores)
    assert compare("--formats", "fp32", "--threads", cores + 1) == 0
    assert f"{cores + 1} threads on {cores} core" in capfd.readouterr().out


REFUSED = {
    "unknown model": (["--models", "ghostnet_10"], "ghostnet_100"),
    "no such file": (["--models", "nowhere/model.tflite"], "There is no file nowhere/model.tflite"),
    "no such run": (["--models", "runs/nowhere"], "There is no model runs/nowhere"),
    "unknown format": (["--formats", "in8"], "Did you mean 'int8'"),
    "format of another suite": (["--formats", "bf16"], "no format 'bf16'"),
    "unknown target": (["--target", "avx"], "Did you mean 'avx2'"),
    "unknown suite": (["--suite", "papr"], "Did you mean 'paper'"),
    "no calls": (["--calls", 0], "Received: calls=0"),
    "no threads": (["--threads", "1,0"], "Received: threads=(1, 0)"),
    "a million threads": (["--threads", 2147483648], "`threads` must be numbers"),
    "no images": (["--batch", 0], "Received: batch=(0,)"),
    "small images": (["--resolution", 16], "`size` must be an integer in [32, 8000]"),
    "no folder": (["--out", "/proc/results"], "/proc/results cannot be written to"),
    "no cache": (["--cache", "/proc/cache"], "Choose another folder (--cache)"),
    "no such CSV": (["--from", "nowhere.csv"], "There is no file nowhere.csv"),
    "a file on a gpu": (["--suite", "gpu", "--models", __file__], "Compare it with --suite paper"),
    "a kit of the gpu suite": (["--suite", "gpu", "--export-only", "kit"], "suites 'paper'"),
    "a row of another suite": (["--models", "repvit_m0_9"], "of another: --suite since"),
}


@pytest.fixture
def no_long_work(monkeypatch):
    for suite in (cpu, throughput):
        monkeypatch.setattr(suite, "measure", lambda *_: 1 / 0)
    monkeypatch.setattr(cpu, "exports_of", lambda *_: 1 / 0)


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.usefixtures("no_long_work")
def test_bad_arguments(case, compare, capfd):
    arguments, message = REFUSED[case]
    assert compare(*arguments) == 1
    assert message in capfd.readouterr().err


def test_an_older_csv_is_told_before_the_export(compare, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(cpu, "exports_of", lambda *_: 1 / 0)
    path = tmp_path / "out" / results.file_name(Conditions().device, "litert")
    path.parent.mkdir()
    path.write_text("schema,run\n0,1\n")
    assert compare() == 1
    assert "schema 0, expected 2" in capfd.readouterr().err
    assert path.read_text() == "schema,run\n0,1\n"


def test_a_full_folder_for_a_kit(compare, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(cpu, "exports_of", lambda *_: 1 / 0)
    (tmp_path / "notes.txt").touch()
    assert compare("--export-only", tmp_path) == 1
    assert "holds something else" in capfd.readouterr().err


@pytest.mark.usefixtures("no_long_work")
def test_missing_packages(compare, monkeypatch, capfd):
    monkeypatch.setitem(formats.PACKAGES, "tflite", ("no_such_package",))
    assert compare() == 1
    assert 'pip install "keras_ghostnet[tflite]"' in capfd.readouterr().err
    monkeypatch.setattr(comparing, "REPORT_PACKAGES", ("no_such_package",))
    assert compare() == 1
    assert 'pip install "keras_ghostnet[compare]"' in capfd.readouterr().err


@pytest.mark.usefixtures("no_long_work")
def test_another_backend_cannot_export(compare, monkeypatch, capfd):
    monkeypatch.setattr(cpu.keras.backend, "backend", lambda: "jax")
    assert compare() == 1
    assert "set KERAS_BACKEND=tensorflow" in capfd.readouterr().err
