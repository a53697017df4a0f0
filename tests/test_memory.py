"""The C library keeps freed memory once it is told to."""

import os
import platform
import subprocess
import sys

import pytest

from keras_ghostnet.memory import SETTINGS, TUNABLES

BATCH, BATCHES = 19 << 20, 3  # bytes, about those of 32 images, and what a pipeline holds of them
ROUNDS = 10
PROGRAM = f"""
import resource
from keras_ghostnet.memory import keep_freed_memory
if {{told}}:
    keep_freed_memory()

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range({ROUNDS}):
        [b"x" * {BATCH} for _ in range({BATCHES})]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

pages()
print(pages())
"""
NONE = {name: value for name, value in os.environ.items() if name not in (*SETTINGS, TUNABLES)}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc is what is told")
@pytest.mark.parametrize(
    ("told", "environment", "kept"),
    [
        (False, {}, False),
        (True, {}, True),
        (True, {"MALLOC_TRIM_THRESHOLD_": "65536"}, False),
        (True, {TUNABLES: "glibc.malloc.trim_threshold=65536"}, False),
    ],
)
def test_freed_memory_is_not_filled_with_zeros_again(told, environment, kept, tmp_path):
    program = tmp_path / "ghostnet"  # by which name the package imports no Keras
    program.write_text(PROGRAM.format(told=told))
    done = subprocess.run(
        [sys.executable, program],
        env={**NONE, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    pages = ROUNDS * BATCHES * BATCH / os.sysconf("SC_PAGE_SIZE")
    assert (int(done.stdout) < pages / 10) == kept
