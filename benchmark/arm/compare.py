"""The tables in instructions per inference, counted on an emulated Cortex-A76.

`python -m keras_ghostnet.benchmark.arm.compare` counts all rows of the paper's (`--suite since`: of
what came after it) in LiteRT, ncnn and MNN, in every
precision that they have. What it prints are numbers of instructions, not times.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import pathlib
import sys

from rich import box
from rich.table import Table
from rich.text import Text

from keras_ghostnet import extras, files
from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.arm import count, sysroot, tools
from keras_ghostnet.benchmark.comparison import cpu, entries, measure, results, runtimes
from keras_ghostnet.benchmark.comparison.compare import (
    Options,
    require_report_packages,
    resolve_rows,
    write_report,
)
from keras_ghostnet.console import new_console, progress, step
from keras_ghostnet.export.device import conditions
from keras_ghostnet.quiet import quiet

OUT = "runs/arm-compare"
WIDTH = 100  # of the table, which a narrower terminal wraps
TARGET = "arm"
SUITES = ("paper", "since")
EMULATOR, UNIT, DEVICE = "qemu", "instructions", "Cortex-A76 (qemu-user)"
RUNTIMES_HERE = ("litert", "ncnn", "mnn")
ERROR = "; error: of that ratio against the paper's"
FUNCTIONS = 12  # that are named of a file
FEWEST = 3  # rows that have a rank correlation
NOTHING = "\N{EN DASH}"
INTERRUPTED = 130  # the exit code of shells
CAPTION = (
    "Instructions were counted, not time: neither caches nor memory nor the widths of execution "
    "units are in them. M: millions; ratio: to {}{}. "
    "Parts: XNNPACK does not run the whole network, LiteRT's own operators do the rest, such as "
    "HARD_SWISH in int8."
)


def count_table(options, out, console):
    """Counts the instructions of models, and keeps each count in a CSV.

    A file that the CSV has already, counted with the same runtime and QEMU, is not counted again.
    The others are counted while the next ones are exported.

    Args:
        options: `keras_ghostnet.benchmark.comparison.compare.Options`; `suite`, `models`,
            `runtimes`, `formats`, `target` and `cache` matter.
        out: The folder of the CSV.
        console: A `rich.console.Console` for progress.

    Returns:
        A list of `keras_ghostnet.benchmark.comparison.results.Measurement`.

    Raises:
        ImportError: If a runtime is missing.
        OSError: If there is no such file, or a folder cannot be written to.
        ValueError: If a model or a format does not fit, or the CSV is of another schema.
        tools.ToolError: If QEMU or another program is missing or fails.
    """
    found = resolve_rows(options)
    cpu.validate_options(options, found)
    files.require_writable(out)
    csv = _csv(out)
    known = results.read_existing(csv)
    count.plugin()
    root = sysroot.get_sysroot()
    versions = {
        name: f"{measure.describe_versions(name, options.target)}; qemu {count.qemu_version()}"
        for name in options.runtimes
    }
    counted = {
        measurement.sha256: measurement
        for measurement in known
        if measurement.unit == UNIT
        and measurement.runtime in versions
        and _what_counts(measurement.versions) == _what_counts(versions[measurement.runtime])
    }
    now, started, failed = conditions.now(), {}, {}
    with step(console) as done, contextlib.ExitStack() as stack:
        pool = concurrent.futures.ThreadPoolExecutor(1)
        stack.callback(pool.shutdown, cancel_futures=True)  # if this is interrupted

        def start(export):
            if export.sha256 not in counted and export.sha256 not in started:
                facts = dict(run=now, versions=versions[export.runtime])
                started[export.sha256] = export, pool.submit(_count, export, root, facts, csv)

        exported = cpu.exports_of(options, found, console, start)
        with progress(console, "counting", len(started)) as show:
            for number, (digest, (export, counting)) in enumerate(started.items()):
                show(number, f"{export.model} {export.runtime} {export.format}")
                try:
                    counted[digest] = counting.result()
                except tools.ToolError as error:  # a network that crashes a runtime
                    failed[digest] = error
        done(
            f"counted {len(started) - len(failed)} files; {len(exported) - len(started)} were in "
            f"{csv}"
        )
    if failed and len(failed) == len(started):
        raise next(iter(failed.values()))
    for reason in failed.values():
        console.print(f"Not counted: {reason}", soft_wrap=True, markup=False)
    measured = [
        dataclasses.replace(counted[export.sha256], **export.fields)
        for export in exported
        if export.sha256 in counted
    ]
    renamed = [measurement for measurement in measured if measurement not in counted.values()]
    results.append_measurements(csv, renamed)
    return measured


def table(compared):
    """The counts beside the paper's latencies, of what came after it beside accuracies.

    Args:
        compared: A `keras_ghostnet.benchmark.comparison.entries.Comparison`.

    Returns:
        A `rich.table.Table`, at most 100 columns wide with two formats.
    """
    is_paper = _is_paper(compared)
    result = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=0,  # the box has a blank between columns
        title=f"Instructions per inference: {compared.conditions}",
        title_justify="left",
        title_style="bold",
        caption=CAPTION.format(compared.reference, ERROR if is_paper else ""),
        caption_justify="left",
    )
    result.add_column("Network", vertical="bottom", overflow="fold")
    headings = ["ARM ms\n(paper)", "ratio\n(paper)"] if is_paper else ["Top-1\n(%)"]
    figures = ("M",) if compared.has_runtimes else ("M", "ratio", "error")[: 3 if is_paper else 2]
    formats = [fmt.replace(" ", "\n") for fmt in compared.formats]
    headings += [f"{fmt}\n{name}" for fmt in formats for name in figures]
    for heading in headings:
        result.add_column(Text(heading), justify="right", vertical="bottom", no_wrap=True)
    for entry in compared.entries:
        cells = [_text(entry.top1, "{:.1f}")]
        if is_paper:
            latency = _text(entry.row.arm_ms, "{:.1f}")
            cells = [latency, _text(_published(entry, compared), "{:.2f}")]
        for fmt in compared.formats:
            cells += _cells(entry, fmt, compared)[: len(figures)]
        name = Text(entry.row.name)  # in which brackets mean nothing
        result.add_row(name, *cells, style="bold cyan" if entry.row.is_ours else "")
    return result


def correlation(compared, value):
    """Spearman's rank correlation of what rows cost with the paper's latencies.

    Args:
        compared: A `keras_ghostnet.benchmark.comparison.entries.Comparison`.
        value: A function of an `entries.Entry` that returns the cost; None where it is not known.

    Returns:
        The correlation, None if fewer than three rows have both; and how many have.
    """
    from scipy import stats

    pairs = [(value(entry), entry.row.arm_ms) for entry in compared.entries]
    pairs = [pair for pair in pairs if None not in pair]
    if len(pairs) < FEWEST:
        return None, len(pairs)
    return float(stats.spearmanr(*zip(*pairs, strict=True)).statistic), len(pairs)


def _is_paper(compared):
    return compared.entries[0].row.suite == "paper"


def _csv(out):
    return pathlib.Path(out) / results.file_name(DEVICE, EMULATOR)


def _what_counts(versions):
    """What a count depends on besides the file."""
    packages = (*(one.package for one in runtimes.RUNTIMES.values()), EMULATOR)
    return {part for part in versions.split("; ") if part.split(" ")[0] in packages}


def _count(export, root, facts, csv):
    """Counts a file's instructions, and keeps them."""
    try:
        total = count.count_instructions(export.path, root).total
    except tools.ToolError as error:
        what = f"{export.model} in {export.runtime} {export.format}"
        raise tools.ToolError(f"{what}: {error}") from error
    measurement = results.Measurement(
        **export.fields,
        **facts,
        device=DEVICE,
        threads=1,
        batch=1,
        unit=UNIT,
        median=total,
        p10=total,
        p90=total,
        calls=count.INFERENCES,
        noisy=False,
    )
    results.append_measurements(csv, [measurement])
    return measurement


def _published(entry, compared):
    """The paper's latency over that of the reference; None if it has none."""
    if entry.row.arm_ms is None:
        return None
    return entry.row.arm_ms / paper_table.get_row(compared.reference).arm_ms


def _cells(entry, fmt, compared):
    if fmt not in entry.measured:
        return [NOTHING] * 3
    parts = entry.measured[fmt].parts or 1
    value = f"{entry.value(fmt):.1f}" + (f" ({parts} parts)" if parts > 1 else "")
    ratio, published = compared.ratio(entry, fmt), _published(entry, compared)
    error = None if None in (ratio, published) else round(100 * (ratio / published - 1))
    return [value, _text(ratio, "{:.2f}"), _text(error, "{:+d} %")]


def _text(value, text):
    return NOTHING if value is None else text.format(value)


def correlations(compared):
    """Lines with the rank correlations of all that was counted."""
    costs = {
        f"instructions, {fmt}": lambda entry, fmt=fmt: entry.value(fmt) for fmt in compared.formats
    }
    if compared.has_runtimes:
        costs["instructions, each network's best"] = lambda entry: entry.value(entry.best)
    costs["multiply-adds, for comparison"] = lambda entry: entry.macs
    for name, value in costs.items():
        found, rows = correlation(compared, value)
        words = f"needs {FEWEST} rows with both" if found is None else f"{found:.3f}"
        yield f"  {name}: {words} ({rows} {'row' if rows == 1 else 'rows'})"


def _names(text):
    names = tuple(filter(None, text.split(",")))
    if not names:
        raise argparse.ArgumentTypeError("names nothing")
    return names


def _arguments(argv):
    parser = argparse.ArgumentParser(
        prog="python -m keras_ghostnet.benchmark.arm.compare", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument(
        "--suite", choices=SUITES, default=SUITES[0], help=f"the table (default: {SUITES[0]})"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--models",
        type=_names,
        metavar="A,B,...",
        help="rows of the table; runs' folders, .keras and .tflite files (default: all rows)",
    )
    what.add_argument(
        "--model",
        nargs="+",
        default=(),
        metavar="FILE",
        help="count .tflite files alone, and say in which functions the instructions are",
    )
    parser.add_argument(
        "--runtimes",
        type=_names,
        default=RUNTIMES_HERE,
        metavar="A,B,...",
        help=f"default: {','.join(RUNTIMES_HERE)}",
    )
    parser.add_argument(
        "--formats",
        type=_names,
        metavar="A,B,...",
        help="fp32, fp16, int8 (default: all that the runtimes have; of LiteRT alone fp32,int8)",
    )
    parser.add_argument("--out", default=OUT, metavar="DIR", help=f"default: {OUT}")
    return parser.parse_args(argv)


def main(argv=None):
    """The command. Returns its exit code."""
    args = _arguments(argv)
    if args.model:
        return count.main([*args.model, "--functions", str(FUNCTIONS)])
    console = new_console()  # the real one, before it is held back
    console.width = max(console.width, WIDTH)
    try:
        with quiet(unless=()):
            extras.require("scipy", purpose="The rank correlation", extra="arm")
            require_report_packages()
            options = Options(
                suite=args.suite,
                models=args.models,
                runtimes=args.runtimes,
                formats=args.formats,
                target=TARGET,
            )
            measured = count_table(options, args.out, console)
            compared, *_ = entries.comparisons(measured, args.suite)
            paths = write_report(measured, args.suite, args.out)
    except KeyboardInterrupt:
        print("Interrupted. The same command resumes it.", file=sys.stderr)
        return INTERRUPTED
    except (ImportError, OSError, ValueError, tools.ToolError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    console.print(table(compared), crop=False)
    if _is_paper(compared):
        console.print("Spearman's rank correlation with the paper's latency:")
        for line in correlations(compared):
            console.print(line)
    console.print(f"Done: {', '.join(map(str, (_csv(args.out), *paths)))}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
