"""Comparing with the emulated machine; what is marked runs the emulator itself."""

import pathlib

import numpy as np
import pytest

from keras_ghostnet.benchmark.arm import check, emulate, sysroot
from keras_ghostnet.export.device import run


def test_float_difference_is_relative_to_the_spread():
    reference = np.array([[20.0, -20.0]], "float32")
    found = check.compare_outputs(reference + np.float32([[1e-3, 0]]), reference, step=0)
    assert found.difference == pytest.approx(5e-5, rel=1e-2)
    assert not found.passed
    assert check.compare_outputs(reference + np.float32([[1e-4, 0]]), reference, step=0).passed


def test_integer_difference_is_in_steps():
    reference = np.array([[0.5, -0.25]], "float32")
    one, two = (reference + np.float32([[0.25 * steps, 0]]) for steps in (1, 2))
    assert check.compare_outputs(one, reference, step=0.25).passed
    found = check.compare_outputs(two, reference, step=0.25)
    assert (found.difference, found.passed) == (2, False)


def test_nan_does_not_pass():
    reference = np.array([[1.0, 2.0]])
    assert not check.compare_outputs(np.array([[np.nan, 2.0]]), reference, step=0).passed


@pytest.mark.parametrize(("dtype", "unit"), [("float32", 2**-24), ("float16", 2**-11)])
def test_networks_that_amplify_rounding_may_differ_more(dtype, unit):
    """By four times that, between what any network may and four times as much."""
    images = np.ones((2, 8, 8, 3))
    least = check.MAX_ERRORS[dtype]

    def allowed(gain):
        """Of a network with outputs of a deviation of 1 that moves by `gain` units."""

        def model(x):
            return np.array([[-1.0], [1.0]]) + gain * np.abs(x - 1).max()

        return check.allowed_error(model, images, model(images), dtype)

    assert allowed(0) == least
    assert allowed(least / 2 / unit) == pytest.approx(2 * least)
    assert allowed(1e3 * least / unit) == 4 * least
    assert check.allowed_error(None, images.astype("int8"), None, dtype) == least


def test_files_of_half_precision_have_to_be_computed_so():
    path = pathlib.Path("net.tflite")
    half, single = (
        ("libpywrap_litert_common.so", f"xnn_f{bits}_gemm_minmax_ukernel_6x16__{isa}")
        for bits, isa in ((16, "neonfp16arith"), (32, "neonfma"))
    )
    other = ("libc.so.6", None)
    check._require_half_kernels(path, {half: 5, other: 3})
    for functions in ({single: 5}, {half: 5, single: 1}, {other: 3}):
        with pytest.raises(ValueError, match=r"net\.tflite was not computed in half precision"):
            check._require_half_kernels(path, functions)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_inputs_use_the_whole_range(dtype, paths):
    images = check._inputs(run.Model(paths[dtype]))
    assert images.shape == (4, 32, 32, 3)
    assert images.dtype == dtype
    low, high = (-128, 127) if dtype == "int8" else (-2.2, 2.7)
    spread = (images.max().astype(float) - images.min()) / (high - low)
    assert 0.8 < spread <= 1
    assert images.min() >= low
    assert images.max() <= high


@pytest.fixture(scope="module")
def root():
    return sysroot.get_sysroot()


@pytest.mark.arm
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_arm_computes_the_same(dtype, paths, root):
    found = check.check_on_arm(paths[dtype], root)
    assert found.passed
    assert found.unit == ("steps" if dtype == "int8" else "deviations")
    if dtype == "float16":  # as half precision rounds, and not float32
        assert found.limit / 100 < found.difference


@pytest.mark.arm
@pytest.mark.parametrize("name", ["ncnn_fp32", "ncnn_fp16", "mnn_fp32", "mnn_fp16"])
def test_arm_computes_the_same_in_other_runtimes(name, mobile, root):
    """In half precision, where the file is of it: otherwise the check refuses it."""
    assert check.check_on_arm(mobile[name], root).passed


@pytest.mark.arm
def test_what_is_not_computed_in_half_precision_is_refused(mobile, root, monkeypatch):
    monkeypatch.setattr(emulate, "CPU", "cortex-a72")  # which has none
    with pytest.raises(ValueError, match="not computed in half precision"):
        check.check_on_arm(mobile["mnn_fp16"], root)


@pytest.mark.arm
def test_other_weights_are_told(paths, root, capsys):
    assert check.main([str(paths["float32"])]) == 0
    assert check.main([str(paths["float32"]), "--reference", str(paths["other"])]) == 1
    assert "DIFFERENT" in capsys.readouterr().out


@pytest.mark.arm
def test_scripts_see_a_cortex_a76_and_the_sysroot_alone(root, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import platform, sys\nprint(platform.machine(), *sys.path, sep='\\n')")
    machine, _, *folders = emulate.run_script(root, script).splitlines()
    assert machine == "aarch64"
    assert all(folder.startswith(str(root)) for folder in folders)


@pytest.mark.arm
def test_a_failing_script_is_shown(root, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit('the reason')")
    with pytest.raises(RuntimeError, match="the reason"):
        emulate.run_script(root, script)
