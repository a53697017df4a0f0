"""Runs Python as on a processor that has AVX2 and nothing newer: no AVX-512, VNNI or AMX.

    python -m tests.speed.avx2 -m tests.speed.cpu_formats

Whatever asks the processor by CPUID (ONNX Runtime, XNNPACK, oneDNN, OpenVINO, NumPy, TensorFlow)
takes its AVX2 kernels. Linux on an Intel processor, or a virtual machine that passes CPUID faulting
on (`cpuid_fault` in /proc/cpuinfo).
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from keras_ghostnet.benchmark.arm.tools import ToolError, require_programs, run_program

SOURCE = pathlib.Path(__file__).with_suffix(".c")


def run(*arguments, **options):
    """Runs this Python, as `subprocess.run` does.

    Args:
        *arguments: Of Python.
        **options: Of `subprocess.run`.

    Raises:
        ToolError: If there is no C compiler.
    """
    require_programs("cc")
    with tempfile.TemporaryDirectory() as folder:
        library = pathlib.Path(folder, "avx2.so")
        run_program(["cc", "-O1", "-shared", "-fPIC", SOURCE, "-o", library], f"compile {SOURCE}")
        environment = {**os.environ, "LD_PRELOAD": str(library)}
        return subprocess.run([sys.executable, *arguments], env=environment, **options)


if __name__ == "__main__":
    print("as a processor with AVX2 and nothing newer\n", flush=True)
    try:
        sys.exit(run(*sys.argv[1:]).returncode)
    except ToolError as error:
        sys.exit(str(error))
