"""Building the sysroot; what is marked runs the emulator itself."""

import pathlib

import pytest

from keras_ghostnet.benchmark.arm import sysroot, tools


def test_missing_programs_are_named_with_their_packages(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(tools.ToolError, match=r"qemu-aarch64.*apt-get install gcc.* qemu-user"):
        tools.require_programs("cc", "qemu-aarch64")


def test_a_program_that_fails_is_shown():
    with pytest.raises(tools.ToolError, match=r"(?s)Could not read.*code 3.*Ask.\nwhy"):
        tools.run_program(["sh", "-c", "echo why >&2; exit 3"], "read", " Ask.")


def test_the_cache_follows_the_standard_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert sysroot.cache() == tmp_path / "keras_ghostnet" / "arm"


def test_glibc_s_version():
    packages = [pathlib.Path("libc-bin_2.1-1_arm64.deb"), pathlib.Path("libc6_2.36-9+u1_arm64.deb")]
    assert sysroot._glibc_minor(packages) == 36
    with pytest.raises(tools.ToolError, match="libc6"):
        sysroot._glibc_minor(packages[:1])


@pytest.mark.arm
def test_sources_without_arm64_leave_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    empty = tmp_path / "sources.list"
    empty.touch()
    assert sysroot.main(["--sources", str(empty)]) == 1
    assert "--sources FILE" in capsys.readouterr().err
    assert list(sysroot.cache().iterdir()) == []


@pytest.mark.arm
def test_it_holds_python_for_aarch64_and_is_built_once():
    root = sysroot.get_sysroot()
    header = (root / "usr/bin/python3").resolve().read_bytes()[:20]
    assert header[18:] == b"\xb7\x00"  # EM_AARCH64
    built = root.stat().st_mtime
    assert sysroot.get_sysroot() == root
    assert root.stat().st_mtime == built
