"""The processor that `tests.speed.avx2` pretends: NumPy asks it, and tells what it found."""

import json
import pathlib
import shutil
import subprocess

import pytest

from tests.speed import avx2

FEATURES = """
import json
from numpy._core._multiarray_umath import __cpu_features__
print(json.dumps(__cpu_features__))
"""
CPU = pathlib.Path("/proc/cpuinfo")


@pytest.mark.skipif(
    not (
        shutil.which("cc") and CPU.exists() and {"avx2", "cpuid_fault"} < {*CPU.read_text().split()}
    ),
    reason="needs a C compiler and a processor that has AVX2 and lets CPUID fault",
)
def test_nothing_newer_than_avx2():
    result = avx2.run("-c", FEATURES, stdout=subprocess.PIPE, check=True)
    features = json.loads(result.stdout)
    assert features["AVX2"]
    assert features["FMA3"]
    assert not [name for name, there in features.items() if there and "AVX512" in name]
