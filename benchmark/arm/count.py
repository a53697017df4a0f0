"""Instructions per inference of artifacts on an emulated Cortex-A76, in LiteRT, ncnn and MNN.

`python -m keras_ghostnet.benchmark.arm.count MODEL.tflite ...` prints them. It is a count, not a
time: emulated time says nothing of a real processor's.
"""

import argparse
import bisect
import collections
import dataclasses
import functools
import hashlib
import pathlib
import re
import sys
import tempfile

from rich import box
from rich.table import Table

from keras_ghostnet import extras, files
from keras_ghostnet.benchmark.arm import emulate, inferences, sysroot, tools
from keras_ghostnet.benchmark.arm.symbols import Symbols
from keras_ghostnet.console import new_console
from keras_ghostnet.export.device import run

SOURCE = pathlib.Path(__file__).with_name("plugin.c")
INFERENCES = 2
FORK = ".fork"  # plugin.c's, of what was counted before the inferences


@dataclasses.dataclass(frozen=True)
class Count:
    """The instructions of one inference.

    Attributes:
        total: Their number.
        functions: A `collections.Counter` of `(library, function)`; where a library names no
            function, None stands for it.
    """

    total: float
    functions: collections.Counter


def count_instructions(path, root=None):
    """Counts the instructions of one inference with one thread.

    The file runs once and then `INFERENCES` times more, and what was counted before is subtracted
    (`inferences.py`).

    Args:
        path: A `.tflite` or `.mnn` file, or a `.ncnn` folder.
        root: The sysroot's folder; None for that of `sysroot.get_sysroot()`.

    Returns:
        A `Count`.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the host lacks LiteRT or the artifact's runtime.
        tools.ToolError: If a program is missing or fails.
    """
    extras.require("elftools", purpose="Naming functions", extra="arm")
    path = pathlib.Path(path).resolve(strict=True)
    library = plugin()
    root = root or sysroot.get_sysroot()
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, "counts")
        emulate.run_script(
            *(root, inferences.__file__, pathlib.Path(run.__file__).parent, path, INFERENCES),
            packages=sysroot.get_packages(path, root),
            plugin=f"{library},out={output}",
            environment={"PYTHONHASHSEED": "0"},
        )
        once, more = map(read_functions, (output.with_name(f"{output.name}{FORK}"), output))
    more.subtract(once)
    functions = collections.Counter(
        {key: value / INFERENCES for key, value in more.items() if value}
    )
    return Count(sum(functions.values()), functions)


def plugin():
    """QEMU's plugin that counts, compiled once for all.

    Returns:
        Its path.

    Raises:
        tools.ToolError: If a program is missing, or QEMU loads no plugins.
    """
    tools.require_programs("qemu-aarch64", "cc")
    if "-plugin" not in tools.run_program(["qemu-aarch64", "-h"], "ask QEMU for its options"):
        raise tools.ToolError(
            f"Counting needs a QEMU that loads plugins. Found: QEMU {qemu_version()}, built "
            "without (as in Debian 13). Debian 12's qemu-user 7.2 has them; of another build, put "
            "the folder of its qemu-aarch64 in front of PATH."
        )
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    library = sysroot.cache() / f"counter-{digest}.so"
    if not library.exists():
        with files.replacing(library) as partial:
            tools.run_program(
                ["cc", "-O2", "-shared", "-fPIC", "-o", partial, SOURCE], "compile QEMU's plugin"
            )
    return library


def qemu_version():
    """QEMU's version, such as `"7.2.22"`.

    Raises:
        tools.ToolError: If it is missing.
    """
    tools.require_programs("qemu-aarch64")
    text = tools.run_program(["qemu-aarch64", "--version"], "ask QEMU for its version")
    return re.search(r"version (\S+)", text)[1]


def read_functions(output):
    """The instructions that a process ran, by function.

    Args:
        output: The file that the plugin wrote.

    Returns:
        A `collections.Counter` of `(library, function)`, as in `Count`.

    Raises:
        tools.ToolError: If it is not there, or not whole.
    """
    return _named(_read(output))


def _read(output):
    """What the plugin wrote: a `Counter` of `(file, offset)`."""
    lines = output.read_text().splitlines() if output.exists() else []
    if not lines or lines[-1] != "end":
        raise tools.ToolError("QEMU's plugin wrote no counts, or not all: is the disk full?")
    maps = [parts for line in lines if len(parts := line.split(None, 5)) == 6]
    regions = sorted(
        (*(int(bound, 16) for bound in bounds.split("-")), int(offset, 16), name)
        for bounds, _, offset, _, _, name in maps
    )
    counts = collections.Counter()
    for line in lines:
        if line.startswith("block "):
            _, address, instructions = line.split()
            counts[_place(int(address, 16), regions)] += int(instructions)
    return counts


def _place(address, regions):
    """File and offset of an address; no file if none is mapped there."""
    index = bisect.bisect(regions, (address, float("inf"))) - 1
    start, end, offset, name = regions[index]
    return (name, address - start + offset) if start <= address < end else ("", 0)


def _named(places):
    """Counts by library and function instead of file and offset."""
    counts = collections.Counter()
    for (name, offset), instructions in places.items():
        if instructions:
            counts[pathlib.Path(name).name, _symbols(name).name(offset)] += instructions
    return counts


@functools.cache
def _symbols(name):
    return Symbols(pathlib.Path(name))


def _totals(counts):
    table = Table(box=box.SIMPLE_HEAD, title="instructions per inference, Cortex-A76")
    for column in ("model", "millions", "ratio"):
        table.add_column(column, justify="left" if column == "model" else "right")
    first = next(iter(counts.values())).total
    for path, result in counts.items():
        table.add_row(path, f"{result.total / 1e6:.2f}", f"{result.total / first:.3f}")
    return table


def _functions(path, result, number):
    table = Table(box=box.SIMPLE_HEAD, title=path)
    for column in ("millions", "fraction", "function"):
        left = column == "function"
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    for (library, name), instructions in result.functions.most_common(number):
        fraction = instructions / result.total
        table.add_row(f"{instructions / 1e6:.2f}", f"{fraction:.1%}", name or library or "unknown")
    return table


def main(argv=None):
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_ghostnet.benchmark.arm.count", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="an artifact")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="show the N largest")
    args = parser.parse_args(argv)
    console = new_console()
    try:
        counts = {path: count_instructions(path) for path in args.models}
    except (ImportError, OSError, tools.ToolError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    console.print(_totals(counts))
    if args.functions:
        for path, result in counts.items():
            console.print(_functions(path, result, args.functions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
