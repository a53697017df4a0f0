"""Several runtimes in one run: measured in turn, in one table, each network's best in front."""

import re
import subprocess
import sys

import pytest

from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.comparison import entries, pictures, report, results, runtimes
from keras_ghostnet.benchmark.comparison.terminal import table
from keras_ghostnet.console import new_console
from keras_ghostnet.export.device.conditions import Conditions
from tests.benchmark.comparison.samples import measurement
from tests.export.command import ghostnet

NAMES = ("ghostnet_100", "mobilenet_v3_large_100")
TIMES = {  # milliseconds of the first network; the second takes longer in all but one
    ("litert", "fp32"): 6.0,
    ("litert", "int8"): 5.0,
    ("onnxruntime", "fp32"): 7.0,
    ("openvino", "int8"): 4.0,
}


@pytest.fixture
def found():
    result = []
    for name in NAMES:
        row = paper_table.get_row(name)
        for (runtime, fmt), median in TIMES.items():
            factor = 1 if name == NAMES[0] else 0.5 if runtime == "onnxruntime" else 1.5
            figures = dict(median=factor * median, p10=factor * median, p90=factor * median)
            result.append(measurement(row, fmt, runtime=runtime, **figures))
    return result


def test_the_command_s_names(capsys):
    with pytest.raises(SystemExit):
        ghostnet("compare", "--help")
    assert ", ".join(runtimes.RUNTIMES) in " ".join(capsys.readouterr().out.split())


def test_a_kit_carries_the_runtimes_that_it_is_asked_for(run_dir, tmp_path, capfd):
    words = ("compare", "--models", run_dir, "--runtimes", "litert,ncnn,mnn", "--formats", "fp16")
    where = ("--cache", tmp_path / "cache", "--export-only", tmp_path / "kit")
    assert ghostnet(*words, *where) == 0
    assert "pip install numpy ai-edge-litert ncnn MNN\n" in capfd.readouterr().out
    script, csv = tmp_path / "kit" / "run.py", tmp_path / "device.csv"
    command = (
        sys.executable,
        script,
        tmp_path / "kit" / "models.json",
        "--csv",
        csv,
        "--calls",
        10,
    )
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = results.read_measurements(csv)
    assert [(one.runtime, one.format) for one in found] == [
        (name, "fp16") for name in ("litert", "ncnn", "mnn")
    ]
    (comparison,) = entries.comparisons(found)
    assert comparison.formats == ("litert fp16", "mnn fp16", "ncnn fp16")


def test_one_table_with_each_network_s_best(found):
    (comparison,) = entries.comparisons(found)
    assert str(comparison.conditions).endswith("LiteRT, ONNX Runtime, OpenVINO, 1 thread")
    assert comparison.formats == tuple(sorted(map(" ".join, TIMES)))
    best = {entry.row.name: entry.best for entry in comparison.entries}
    assert best == {NAMES[0]: "openvino int8", NAMES[1]: "onnxruntime fp32"}
    console = new_console()
    console.width = 100
    with console.capture() as capture:
        console.print(table(found))
    text = capture.get()
    assert re.search(r"ghostnet_100 .* 5\.00 int8 +7\.00 fp32 +\*4\.00 int8", text)
    assert re.search(r"mobilenet_v3_large_100 .* 7\.50 int8 +\*3\.50 fp32 +6\.00 int8", text)


def test_the_front_takes_each_network_s_best(found):
    (comparison,) = entries.comparisons(found)
    _, picture, *others = pictures.pictures_of(comparison)
    assert "best runtime" in picture.title
    assert [point.cost for point in picture.points] == [4.0, 3.5]
    assert [point.label for point in pictures.front(picture.points)] == ["MobileNetV3 Large 1.0x"]
    assert len(others) == len(TIMES)
    assert "best runtime" in report.render(found)


def test_runs_of_one_runtime_stay_apart(found):
    """Of other runs, times are not compared: the machine may have been another then."""
    apart = [measurement for measurement in found if measurement.runtime == "litert"]
    other = paper_table.get_row(NAMES[0])
    apart.append(measurement(other, "fp32", runtime="openvino", run="2026-02-02T03:04:05Z"))
    runtimes_of = [one.conditions.runtime for one in entries.comparisons(apart)]
    assert runtimes_of == ["openvino", "litert"]


def test_measured_in_turn(run_dir, tmp_path, capfd):
    words = ("compare", "--models", run_dir, "--runtimes", "litert,onnxruntime,openvino")
    where = ("--cache", tmp_path / "cache", "--out", tmp_path / "out", "--calls", 10)
    assert ghostnet(*words, "--formats", "fp32", *where) == 0
    assert "LiteRT, ONNX Runtime, OpenVINO, 1 thread" in " ".join(capfd.readouterr().out.split())
    name = results.file_name(Conditions().device, "litert-onnxruntime-openvino")
    found = results.read_measurements(tmp_path / "out" / name)
    assert [one.runtime for one in found] == ["litert", "onnxruntime", "openvino"]
    assert len({one.run for one in found}) == 1
    for one in found:
        assert f"{runtimes.RUNTIMES[one.runtime].package} " in one.versions
        assert one.median > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--runtimes", "openvin"), "no runtime 'openvin'. Did you mean 'openvino'"),
        (("--runtimes", "openvino", "--formats", "fp16"), "OpenVINO runs fp32, int8 here"),
        (("--runtimes", "litert,openvino", "--batch", "4"), "compared in LiteRT alone"),
        (("--runtimes", "openvino", "--export-only", "kit"), "runs litert, ncnn, mnn (--runtimes)"),
        (("--suite", "gpu", "--runtimes", "openvino"), "Runtimes are of the suites 'paper'"),
    ],
)
def test_what_does_not_fit(tmp_path, capfd, words, message):
    assert ghostnet("compare", *words, "--out", tmp_path / "out") == 1
    assert message in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
