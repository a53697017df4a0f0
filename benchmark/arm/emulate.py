"""Runs a Python script on aarch64 under user-mode QEMU, as a Cortex-A76."""

import os

from keras_ghostnet.benchmark.arm import tools
from keras_ghostnet.export.device import run

# The big core of phones of the paper's time. QEMU's "max" would have SVE, which they lack.
CPU = "cortex-a76"

# QEMU before 8.1 shows the host's /proc/cpuinfo, on which XNNPACK crashes, unless the sysroot
# has its own: implementer and part are those of the Cortex-A76.
CPUINFO = """\
processor\t: 0
BogoMIPS\t: 100.00
Features\t: fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1
"""


def run_script(root, script, *arguments, packages=(), plugin=None, environment=None):
    """Runs a script with the sysroot's Python, NumPy and LiteRT.

    Args:
        root: The sysroot's folder (see `keras_ghostnet.benchmark.arm.sysroot`).
        script: A Python file of the host.
        *arguments: The script's.
        packages: Folders with packages besides, as `sysroot.get_packages` returns them.
        plugin: A TCG plugin with its arguments, as QEMU's `-plugin` takes it.
        environment: Further environment variables of the emulated process, a dict.

    Returns:
        What the script wrote to its standard output.

    Raises:
        tools.ToolError: If QEMU is missing or the script fails.
    """
    tools.require_programs("qemu-aarch64")
    command = ["qemu-aarch64", "-cpu", CPU, "-L", root]
    if plugin:
        command += ["-plugin", plugin]
    # -S: without the paths that the host's site.py would add, where it is found.
    command += [python(root), "-s", "-S", script, *arguments]
    return tools.run_program(
        command,
        f"run {script} on the emulated {CPU}",
        env={
            "PYTHONPATH": os.pathsep.join(map(str, (site(root), *packages))),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Its worker threads spin for as long as the machine happens to let them.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            # Of one process: a plugin counts what each does.
            run.UNGUARDED: "1",
            **(environment or {}),
        },
    )


def python(root):
    """The path of the sysroot's Python, `.../python3.N`: not a link, by which it finds itself."""
    return (root / "usr/bin/python3").resolve()


def site(root):
    """The folder in the sysroot with NumPy and LiteRT."""
    return root / "site"
