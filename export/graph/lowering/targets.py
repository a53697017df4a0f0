"""Which passes lower a deployment graph for which processor."""

import dataclasses
import pathlib
import platform

import keras

from keras_ghostnet.export.graph import for_tracing
from keras_ghostnet.export.graph.flatten import flatten
from keras_ghostnet.export.graph.lowering.columns import add_columns
from keras_ghostnet.export.graph.lowering.double import double_ghost_modules
from keras_ghostnet.export.graph.lowering.fill import fill_blocks
from keras_ghostnet.export.graph.lowering.pack import pack_pixels, pack_stem
from keras_ghostnet.export.graph.lowering.pad import pad_rows
from keras_ghostnet.export.graph.lowering.pool import average_windows
from keras_ghostnet.export.graph.lowering.split import split_concatenations
from keras_ghostnet.export.graph.lowering.stack import stack_rows
from keras_ghostnet.export.graph.lowering.strips import convolve_strips
from keras_ghostnet.export.graph.lowering.taps import add_taps
from keras_ghostnet.export.graph.lowering.widen import widen_convolutions
from keras_ghostnet.specs import suggest

NONE, HOST = "none", "host"
CPUINFO = pathlib.Path("/proc/cpuinfo")


@dataclasses.dataclass(frozen=True)
class Lowering:
    """Which passes a network goes through, in the order of the attributes.

    Attributes:
        double: Removes the concatenation of ghost modules of at most so many intrinsic maps, by
            doubling the convolution (`double.py`); 0 for none.
        fill: The maps of ghost modules are ordered so as to fill blocks of so many channels
            (`fill.py`); 0 for no change.
        split: Whether convolutions of a concatenation become sums of convolutions (`split.py`).
        multiple: Convolutions get a multiple of so many filters, where that is exact
            (`widen.py`); 1 for no change.
        sums: Whether residual additions are widened, too.
        strips: Depthwise convolutions of large maps take so many strips of them at once
            (`strips.py`); 0 for no change.
        stem: The first convolution takes several pixels at once, for up to so many outputs
            (`pack.py`); 0 for no change.
        stack: Whether the first convolution takes the rows that it sees as channels
            (`stack.py`).
        pack: 1x1 convolutions take several pixels at once, for up to so many outputs
            (`pack.py`); 0 for no change.
        rows: Whether maps are padded by rows of values instead of pixels (`pad.py`).
        windows: Averages of maps are averages of those of windows of up to so many rows and columns
            (`pool.py`); 0 for no change.
        taps: Whether depthwise convolutions avoid a faulty kernel of ncnn's (`taps.py`).
        columns: Whether depthwise convolutions compute whole blocks of columns (`columns.py`).
    """

    double: int = 0
    fill: int = 0
    split: bool = False
    multiple: int = 1
    sums: bool = False
    strips: int = 0
    stem: int = 0
    stack: bool = False
    pack: int = 0
    rows: bool = False
    windows: int = 0
    taps: bool = False
    columns: bool = False


# By what was measured, see docs/performance.md: for float32, half precision (which XNNPACK has on
# ARM; x86 computes such files in float32), and integers of 8 bits.
# fmt: off
TARGETS = {
    # Cortex-A76, by instructions
    "arm":    {"float": Lowering(split=True, multiple=8, strips=4),
               "half":  Lowering(double=8, split=True, strips=4, pack=16, rows=True, windows=8),
               "int8":  Lowering(double=8, strips=4)},
    # x86 without AVX-512
    "avx2":   {"float": Lowering(double=8, split=True, multiple=8),
               "half":  Lowering(double=8, split=True, multiple=8),
               "int8":  Lowering(stem=8)},
    "avx512": {"float": Lowering(double=8, split=True, multiple=8),
               "half":  Lowering(double=8, split=True, multiple=8),
               "int8":  Lowering(double=8, stem=8)},
    # x86 with matrix units for integers
    "amx":    {"float": Lowering(double=8, split=True, multiple=8),
               "half":  Lowering(double=8, split=True, multiple=8),
               "int8":  Lowering(double=8, stem=64, pack=64)},
    NONE:     {"float": Lowering(),
               "half":  Lowering(),
               "int8":  Lowering()},
}
# fmt: on
# What copying a value takes; that of an integer, which may be quantized again, as much as of half.
COPIES = {"float32": 1.0, "float16": 0.5, "int8": 0.5}
KINDS = {"float32": "float", "float16": "half", "int8": "int8"}  # by the type of the weights

# Of runtimes beside LiteRT. ONNX Runtime's kernels for x86 take 16 channels at a time, and copy
# maps in front of and behind a concatenation: see docs/performance.md.
# fmt: off
RUNTIMES = {
    # Cortex-A76, by instructions: see docs/arm.md. In half precision they pack 8 channels.
    "mnn":         {"float32": Lowering(stack=True),
                    "float16": Lowering(fill=8, multiple=8, stack=True, columns=True)},
    "ncnn":        {"float32": Lowering(split=True),
                    "float16": Lowering(fill=8, multiple=8, taps=True)},
    "onnxruntime": {"float32": Lowering(double=24, multiple=16),
                    "int8":    Lowering(double=40, multiple=16, sums=True)},
}
# fmt: on


def for_runtime(runtime: str, dtype: str) -> Lowering:
    """The passes for a runtime beside LiteRT, of `RUNTIMES`, and a type of its arithmetic."""
    return RUNTIMES.get(runtime, {}).get(dtype, Lowering())


def get_lowering(target: str | Lowering, dtype: str) -> Lowering:
    """The passes for a target.

    Args:
        target: One of `TARGETS`, `"host"` for the one of this machine, or a `Lowering`, which is
            returned.
        dtype: Of the weights: `"float32"`, `"float16"` or `"int8"`.

    Raises:
        ValueError: If there is no such target; the message suggests the nearest.
    """
    if isinstance(target, Lowering):
        return target
    target = host() if target == HOST else target
    if target not in TARGETS:
        raise ValueError(f"There is no target {target!r}.{suggest(target, (*TARGETS, HOST))}")
    return TARGETS[target][KINDS[dtype]]


def host() -> str:
    """The target of this machine: `"none"` if it is neither ARM nor x86."""
    machine = platform.machine().lower()
    if machine in ("aarch64", "arm64"):
        return "arm"
    if machine not in ("x86_64", "amd64"):
        return NONE
    flags = CPUINFO.read_text().split() if CPUINFO.exists() else ()
    if "amx_int8" in flags:
        return "amx"
    return "avx512" if "avx512f" in flags else "avx2"


def lower(model: keras.Model, target: str | Lowering, dtype: str = "float32") -> keras.Model:
    """Lowers a deployment model for a target; its outputs change by rounding alone.

    Args:
        model: As `keras_ghostnet.export.graph.for_tracing` returns it, channels last.
        target: As `get_lowering`.
        dtype: As `get_lowering`.

    Returns:
        A model for tracing; the given one if there is nothing to do.

    Raises:
        ValueError: If there is no such target.
    """
    lowering = get_lowering(target, dtype)
    if lowering == Lowering():
        return model
    graph = flatten(model)
    double_ghost_modules(graph, lowering.double)
    if lowering.fill:
        fill_blocks(graph, lowering.fill)
    if lowering.split:
        split_concatenations(graph)
    if lowering.multiple > 1:
        widen_convolutions(graph, lowering.multiple, lowering.sums)
    if lowering.strips:
        convolve_strips(graph, lowering.strips, COPIES[dtype])
    if lowering.stem:
        pack_stem(graph, lowering.stem)
    if lowering.stack:
        stack_rows(graph)
    if lowering.pack:
        pack_pixels(graph, lowering.pack)
    if lowering.rows:
        pad_rows(graph)
    if lowering.windows:
        average_windows(graph, lowering.windows)
    if lowering.taps:
        add_taps(graph)
    if lowering.columns:
        add_columns(graph)
    return for_tracing(graph.to_model())
