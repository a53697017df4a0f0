"""What `--device` stands for."""

import re

import pytest

from keras_ghostnet.export import devices, export, formats
from keras_ghostnet.export.graph.lowering import Lowering
from keras_ghostnet.export.tflite import tuning
from tests.export.command import ghostnet


@pytest.mark.parametrize("device", devices.DEVICES, ids=lambda device: device.name)
def test_formats_and_options_exist(device):
    chosen = [formats.get_format(name) for name in device.formats]
    assert set(device.options) <= {name for fmt in chosen for name in fmt.options}


def test_a_device_picks_formats_and_options(run_dir, tmp_path):
    assert ghostnet("export", run_dir, "--device", "tf-serving", "--out", tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "small", "small.keras", "models.config", "batching.config"
    }  # fmt: skip


def test_what_does_not_fit(run_dir, tmp_path, capfd):
    assert ghostnet("export", run_dir, "--device", "androit", "--out", tmp_path / "out") == 1
    assert "no device 'androit'. Did you mean 'android'" in capfd.readouterr().err
    with pytest.raises(ValueError, match="Name a device or formats"):
        export(run_dir, tmp_path / "out", "tflite_fp32", device="x86")
    assert not (tmp_path / "out").exists()


def test_the_list_names_all_and_why(capsys):
    assert ghostnet("devices") == 0
    out = capsys.readouterr().out
    for device in devices.DEVICES:
        assert re.search(rf"^ ?{device.name} ", out, re.MULTILINE)
    assert ghostnet("devices", "nvidia") == 0
    assert "--runtime tensorrt" in capsys.readouterr().out


def test_what_is_fastest_here(run_dir, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(tuning, "tune", lambda *_: Lowering())  # test_tuning.py has the search
    names = "tflite_fp32,onnx_fp32"
    words = ("--formats", names, "--target", "measured", "--out", tmp_path)
    assert ghostnet("export", run_dir, *words) == 0
    out = capfd.readouterr().out
    found = dict(re.findall(r"^ ?(\w+) .* ([\d.]+) +passed", out, re.MULTILINE))
    assert set(found) == set(names.split(","))
    fastest = min(found, key=lambda name: float(found[name]))
    assert f"Fastest here, in one thread: {fastest}\n" in out
    assert re.search(rf"Next: ghostnet predict \S*{fastest.partition('_')[2]}", out)
