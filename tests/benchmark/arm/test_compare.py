"""The table in instructions; what is marked runs the emulator itself."""

import dataclasses
import shutil

import pytest
from rich.console import Console

from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.arm import compare, count
from keras_ghostnet.benchmark.comparison import entries, results
from keras_ghostnet.benchmark.comparison.compare import Options
from tests.benchmark.comparison.samples import measurement, measurements

QEMU = dict(runtime="litert", unit="instructions", device=compare.DEVICE)
PAPER = measurements(**QEMU)  # as many instructions as the published latencies


def compared(found):
    """The comparison of measurements."""
    (only,) = entries.comparisons(found)
    return only


def counted(fmt="fp32", **millions):
    """Rows of the table by name, with their instructions."""
    return [
        measurement(paper_table.get_row(name), fmt, median=1e6 * number, **QEMU)
        for name, number in millions.items()
    ]


def printed(found):
    console = Console(width=compare.WIDTH, record=True)
    console.print(compare.table(compared(found)))
    return console.export_text()


def cells(text, name):
    """The row of a network: its cells, with a blank for those that are empty."""
    line = next(line for line in text.splitlines() if line.split()[:1] == [name])
    return " ".join(line.split()[1:]).replace(compare.NOTHING, "_")


def test_ratios_and_errors():
    found = counted(ghostnet_100=80, mobilenet_v3_large_100=100, shufflenet_v2_050=40)
    found += counted("int8", mobilenet_v3_large_100=50)
    found[-1] = dataclasses.replace(found[-1], parts=22)
    text = printed(found)
    # 46.4 / 31.1 = 1.492; 1.25 / 1.492 = 0.838.
    mobilenet = "46.4 1.49 100.0 1.25 -16 % 50.0 (22 parts) _ _"
    assert cells(text, "mobilenet_v3_large_100") == mobilenet
    assert cells(text, "ghostnet_100") == "31.1 1.00 80.0 1.00 +0 % _ _ _"
    assert cells(text, "shufflenet_v2_050") == "_ _ 40.0 0.50 _ _ _ _"
    assert "not time" in text


def test_the_whole_table_fits():
    found = [dataclasses.replace(one, median=1e7 * one.median, parts=41) for one in PAPER]
    text = printed(found)
    for row in paper_table.rows():
        assert cells(text, row.name).count("(41 parts)") == 2
        assert cells(text, row.name).count("+0 %") == (2 if row.arm_ms else 0)
    assert "\N{HORIZONTAL ELLIPSIS}" not in text


def test_what_came_after_the_paper_stands_beside_its_accuracy():
    (only,) = entries.comparisons(counted(ghostnet_100=80, repvit_m0_9=200), "since")
    console = Console(width=compare.WIDTH, record=True)
    console.print(compare.table(only))
    text = console.export_text()
    assert cells(text, "repvit_m0_9") == "79.1 200.0 2.50"
    assert "(paper)" not in text


def test_the_correlation_is_of_rows_with_a_published_latency():
    def correlation(found):
        return compare.correlation(compared(found), lambda entry: entry.value("fp32"))

    assert correlation(PAPER) == (pytest.approx(1), 14)
    found = counted(ghostnet_050=3, ghostnet_100=2, ghostnet_130=1, shufflenet_v2_050=9)
    assert correlation(found) == (pytest.approx(-1), 3)
    assert correlation(found[1:]) == (None, 2)
    assert correlation(counted("int8", ghostnet_050=3)) == (None, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "ghostnet_10"], "ghostnet_100"),
        (["--models", "ghostnet_100,regnetx_002"], "no regnetx_002"),
        (["--models", "none.tflite"], "no file none.tflite"),
        (["--formats", "int4"], "no format 'int4'"),
        (["--model", "none.tflite"], "none.tflite"),
    ],
)
def test_what_is_not_there_is_told(arguments, message, tmp_path, capsys):
    assert compare.main([*arguments, "--out", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_no_models_are_told(capsys):
    with pytest.raises(SystemExit):
        compare.main(["--models", ","])
    assert "names nothing" in capsys.readouterr().err


def test_folders_and_programs_are_checked_before_long_work(tmp_path, monkeypatch, capsys):
    taken = tmp_path / "file"
    taken.touch()
    assert compare.main(["--out", str(taken)]) == 1
    assert "--out" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compare.main(["--out", str(tmp_path)]) == 1
    assert "apt-get install qemu-user" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,model\nx,y\n", "not a table of measurements"),
        ("schema,run\n0,x\n", "another version"),
    ],
)
def test_another_table_is_left_alone(text, message, tmp_path, capsys):
    csv = tmp_path / results.file_name(compare.DEVICE, compare.EMULATOR)
    csv.write_text(text)
    assert compare.main(["--out", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
    assert csv.read_text() == text


@pytest.fixture
def command(tmp_path, capsys):
    """Runs the command into a folder; returns exit code, output and what the CSV has."""
    out = tmp_path / "out"

    def run(*models):
        code = compare.main(["--models", ",".join(map(str, models)), "--out", str(out)])
        csv = out / results.file_name(compare.DEVICE, compare.EMULATOR)
        return code, capsys.readouterr().out, results.read_measurements(csv)

    return run


@pytest.mark.arm
def test_what_was_counted_is_kept(command, paths, tmp_path, monkeypatch):
    real, calls = count.count_instructions, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(count, "count_instructions", interrupted)
        code, _, found = command(paths["float32"], paths["int8"])
    assert code == compare.INTERRUPTED
    assert [(one.format, one.unit, one.runtime) for one in found] == [
        ("fp32", "instructions", "litert")
    ]
    code, text, found = command(paths["float32"], paths["int8"])
    assert (code, len(found)) == (0, 2)
    assert "counted 1 files; 1 were in" in text
    totals = {one.format: one.median for one in found}
    assert totals["int8"] == pytest.approx(real(paths["int8"]).total, rel=0.02)

    other = shutil.copy(paths["int8"], tmp_path / "other_int8.tflite")
    _, text, found = command(other)
    assert "counted 0 files; 1 were in" in text
    assert (found[2].model, found[2].median) == (str(tmp_path / "other"), totals["int8"])
    assert len(command(other)[2]) == 3

    monkeypatch.setattr(count, "qemu_version", lambda: "0.1")
    _, text, found = command(other)
    assert "counted 1 files" in text
    assert found[3].versions.endswith("; qemu 0.1")


@pytest.mark.arm
def test_rows_of_the_table(tmp_path):
    """27 million instructions of a plain GhostNet 0.5 in int8 were counted by other means."""
    names = ("ghostnet_050", "mobilenet_v2_035")
    options = Options(models=names, formats=("int8",), target="none", cache=tmp_path)
    found = compare.count_table(options, tmp_path / "out", Console())
    assert [one.model for one in found] == [*names]
    assert (found[0].parts, found[0].parameters) == (1, 2_587_292)
    assert found[0].median == pytest.approx(27e6, rel=0.05)
    assert results.read_measurements(tmp_path / "out" / "cortex-a76-qemu-user-qemu.csv") == found


def test_several_runtimes_at_once():
    found = counted(ghostnet_100=80, mobilenet_v3_large_100=100, shufflenet_v2_050=40)
    found += [
        dataclasses.replace(one, runtime="ncnn", format=fmt, median=factor * one.median, run=fmt)
        for one in found
        for fmt, factor in (("fp32", 0.8), ("fp16", 0.5))
    ]
    text = printed(found)  # counted at other times, too
    assert cells(text, "ghostnet_100") == "31.1 1.00 80.0 40.0 64.0"
    lines = [" ".join(line.split()) for line in compare.correlations(compared(found))]
    assert lines[3].startswith("instructions, each network's best: needs 3 rows")


@pytest.mark.arm
def test_one_file_tells_its_functions(paths, capsys):
    assert compare.main(["--model", str(paths["float32"])]) == 0
    assert "xnn_f32" in capsys.readouterr().out
