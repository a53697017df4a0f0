"""Time the operators of a TFLite file one by one, as they run under XNNPACK.

MODEL is a .tflite file, or what becomes one: a network of `ghostnet compare`, with random weights,
a run's folder (its best model), or a .keras file. LiteRT's own profiler times the operators. With
--out the figures go to DIR as well: a CSV of all layers, and a chart.
"""

import pathlib
import sys

from keras_ghostnet.command import start_backend
from keras_ghostnet.quiet import quiet


def arguments(parser):
    parser.add_argument("model", metavar="MODEL", help="what to profile, see above")
    parser.add_argument(
        "--format",
        choices=("fp32", "fp16", "int8"),
        default="fp32",
        help="what MODEL is exported to, unless it is a .tflite file (default: fp32)",
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--calls", type=int, default=200, metavar="N", help="default: 200")
    parser.add_argument("--out", metavar="DIR", help="folder for the CSV and the chart")


def run(args):
    from rich.console import Console

    start_backend()
    from keras_ghostnet.benchmark.compare import compared_networks, comparison
    from keras_ghostnet.benchmark.compare.cache import Cache
    from keras_ghostnet.benchmark.compare.measure import warn_of_threads
    from keras_ghostnet.benchmark.profiling import profile, show, validate_options
    from keras_ghostnet.console import step
    from keras_ghostnet.environment import machine
    from keras_ghostnet.export import destination

    # The real output, before it is held back. The table of layers takes 100 columns.
    width = None if sys.stdout.isatty() else 100
    console = Console(file=sys.stdout, highlight=False, width=width)
    validate_options(args.threads, args.calls)
    if args.out:
        comparison.require_report_packages()
        destination.check_writable(args.out)
    warn_of_threads(args.threads, machine()["cores"], console)
    with quiet(unless=()):
        (subject,) = compared_networks.resolve_networks([args.model], "paper")
        with step(console, "Exporting") as done:
            (export,) = Cache().exports(subject, [args.format])
            done(f"profiling {export.path}")
        found = profile(export.path, args.threads, args.calls)
    console.print(show.layers(found))
    console.print(show.types(found))
    console.print(
        f"LiteRT tells whole microseconds: the sum may lack {found.resolution:.0f} of them. "
        "Layers that are merged run within a neighbour.",
        soft_wrap=True,
    )
    if found.is_noisy:
        console.print("The machine was busy: whole calls were interrupted.", soft_wrap=True)
    if args.out:
        stem = pathlib.Path(args.out) / export.path.stem
        show.write_csv(f"{stem}_profile.csv", found)
        show.write_png(f"{stem}_profile.png", found)
        console.print(f"{stem}_profile.csv and .png", soft_wrap=True)
