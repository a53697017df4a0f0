"""The CSV of measurements."""

import csv
import dataclasses

import pytest

from keras_ghostnet.benchmark.comparison import results

ONE = results.Measurement(
    run="2024-05-01T10:00:00+00:00",
    model="ghostnet_100",
    format="fp32",
    runtime="litert",
    device='A "board", 4 cores',
    threads=1,
    size=224,
    batch=1,
    unit="ms",
    median=1 / 3,
    p10=0.1 + 0.2,
    p90=1e17,
    calls=100,
    bytes=20_700_000,
    parameters=5_182_508,
    macs=141_150_000,
    noisy=True,
    versions="keras_ghostnet 0.1.0; ai-edge-litert 2.3.0",
    sha256="0123",
    parts=3,
    conditions="cores 0,1 (in the end 1)",
    top1=100 * 17 / 20,
    images="20 held-out images of photos, 2024",
)
FILE = dataclasses.replace(
    ONE, model="runs/mine", parameters=None, macs=None, parts=None, sha256="", top1=None, images=""
)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "new" / "device.csv"
    results.append_measurements(path, [ONE])
    results.append_measurements(path, [FILE])
    assert results.read_measurements(path) == [ONE, FILE]
    header = path.read_text().splitlines()[0].split(",")
    assert header[:4] == ["schema", "run", "model", "format"]
    assert [entry.name for entry in path.parent.iterdir()] == ["device.csv"]


def test_a_missing_file(tmp_path):
    assert results.read_existing(tmp_path / "none.csv") == []
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none.csv"):
        results.read_measurements(tmp_path / "none.csv")


def test_the_first_schema_is_read_and_added_to(tmp_path):
    path = tmp_path / "device.csv"
    results.append_measurements(path, [ONE])
    header, line = rows(path)
    write(path, [header[:-2], ["1", *line[1:-2]]])
    old = dataclasses.replace(ONE, top1=None, images="")
    assert results.read_measurements(path) == [old]
    results.append_measurements(path, [ONE])
    assert results.read_measurements(path) == [old, ONE]


def rows(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def write(path, lines):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return path


def older_schema(lines):
    return [[*lines[0][:-2]], ["0", *lines[1][1:-2]]]


def newer_schema(lines):
    return [lines[0], ["3", *lines[1][1:]]]


def mixed_schema(lines):
    return [lines[0], ["1", *lines[1][1:]]]


def short_line(lines):
    return [*lines, lines[1][:9]]


def bad_number(lines):
    return [*lines, [*lines[1][:6], "one", *lines[1][7:]]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (older_schema, "another version of this package: schema 0, expected 2"),
        (newer_schema, "another version of this package: schema 3, expected 2"),
        (mixed_schema, "another version of this package: schema 1, expected 2"),
        (short_line, "line 3, is damaged"),
        (bad_number, "line 3, is damaged: invalid literal"),
        (lambda lines: [["model", "params_m"], ["a", "1"]], "not a table of measurements: its"),
        (lambda lines: [], "its columns are none"),
    ],
)
def test_files_that_are_refused_stay(change, message, tmp_path):
    path = tmp_path / "device.csv"
    results.append_measurements(path, [ONE])
    before = write(path, change(rows(path))).read_bytes()
    with pytest.raises(ValueError, match=message):
        results.read_measurements(path)
    with pytest.raises(ValueError, match=message):
        results.append_measurements(path, [ONE])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("column", "text"),
    [
        *(("median", text) for text in ("nan", "inf", "0", "-1", "1e999")),
        *(("threads", text) for text in ("-1", "0")),
        ("p10", "-0.5"),
    ],
)
def test_what_cannot_be_measured_is_no_result(column, text, tmp_path):
    path = tmp_path / "device.csv"
    results.append_measurements(path, [ONE])
    header, line = rows(path)
    line[header.index(column)] = text
    write(path, [header, line])
    with pytest.raises(ValueError, match=r"device\.csv, line 2, is damaged"):
        results.read_measurements(path)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "device.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is not a CSV"):
        results.read_measurements(tmp_path / "device.csv")


def test_the_newest_of_each_counts():
    later = dataclasses.replace(ONE, run="2024-05-02T09:00:00+00:00", median=0.5)
    others = [
        dataclasses.replace(ONE, **{name: value})
        for name, value in dict(format="int8", threads=4, batch=8, size=192, device="x").items()
    ]
    assert results.latest([later, *others, ONE]) == [later, *others]


def test_a_file_is_named_by_device_and_runtime():
    name = results.file_name("Intel(R) Xeon(R) CPU @ 2.60GHz", "litert")
    assert name == "intel-r-xeon-r-cpu-2-60ghz-litert.csv"
