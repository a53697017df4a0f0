"""Time the operators of a TFLite file one by one, as they run under XNNPACK.

MODEL is a .tflite file, or what is exported to one: a network of `ghostnet compare`, with random
weights, a run's folder (its best model), or a .keras file; files and folders may be in a store.
LiteRT's own profiler times the operators. The types of operators and the slowest layers are shown,
every layer with --all. With --out the figures go to DIR as well: a CSV of all layers, and a chart.
"""

import contextlib
import os
import pathlib
import sys

from keras_ghostnet import files, stores
from keras_ghostnet.cli.options import add_trust_model
from keras_ghostnet.command import location, start_backend


def arguments(parser):
    parser.add_argument("model", type=location, metavar="MODEL", help="what to profile, see above")
    parser.add_argument(
        "--format",
        choices=("fp32", "fp16", "int8"),
        default="fp32",
        help="what MODEL is exported to, unless it is a .tflite file (default: fp32)",
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--calls", type=int, default=200, metavar="N", help="default: 200")
    add_trust_model(parser)
    parser.add_argument("--all", action="store_true", help="list every layer, in their order")
    parser.add_argument(
        "--out", type=location, metavar="DIR", help="folder for the CSV and the chart"
    )


def run(args):
    from keras_ghostnet.console import new_console

    start_backend()
    from keras_ghostnet.benchmark.comparison import compare
    from keras_ghostnet.benchmark.profiling import profile, show

    # The real output, before it is held back. The table of layers takes 100 columns.
    width = None if sys.stdout.isatty() else 100
    console = new_console(width=width)
    with contextlib.ExitStack() as stack:
        if args.out:
            compare.require_report_packages()
            out = stack.enter_context(stores.mirrored(args.out))
            files.require_writable(out)
        found = profile.profile(
            args.model,
            format=args.format,
            threads=args.threads,
            calls=args.calls,
            trust_model=args.trust_model,
            console=console,
        )
        if args.out:
            name = files.file_name(pathlib.Path(found.name).name.removesuffix(".keras"))
            stem = f"{name}_{found.format}_profile"
            show.write_csv(out / f"{stem}.csv", found)
            show.write_png(out / f"{stem}.png", found)
    console.print(found.title, style="bold", markup=False, soft_wrap=True)
    console.print(show.types(found))
    console.print(show.layers(found, None if args.all else show.SLOWEST))
    if not args.all and len(found.rows) > show.SLOWEST:
        console.print(
            f"The slowest {show.SLOWEST} of {len(found.rows)} layers; --all lists every one.",
            soft_wrap=True,
        )
    console.print(
        f"LiteRT reports whole microseconds: the sum may lack {found.resolution:.0f} of them. "
        "Layers that are merged run within a neighbor.",
        soft_wrap=True,
    )
    if found.is_noisy:
        console.print("The machine was busy: whole calls were interrupted.", soft_wrap=True)
    if args.out:
        console.print(f"{os.path.join(args.out, stem)}.csv and .png", soft_wrap=True)
