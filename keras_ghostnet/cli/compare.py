"""Measure the networks of the paper's table side by side on this device.

MODELS are names of the table, and runs' folders, .keras and .tflite files beside them. The suites
paper and since (GhostNet's successors, and others since the paper) run in LiteRT or --runtimes on
the CPU, the suite gpu in Keras on the device of its backend. Files and folders may be in a store.
Measurements are appended to DIR/DEVICE-RUNTIME.csv and shown in DIR/compare.html.
"""

import argparse

from keras_ghostnet.cli.options import add_trust_model, names
from keras_ghostnet.command import location, path, start_backend
from keras_ghostnet.quiet import quiet

OUT = "compare"
NEXT = """\
Done: {}. Copy it to the device, and there:
    pip install numpy {}
    python run.py models.json --csv device.csv
Here again: ghostnet compare --from device.csv"""


def arguments(parser):
    parser.add_argument("--suite", default="paper", help="paper, since or gpu (default: paper)")
    parser.add_argument("--models", type=names, metavar="A,B,...", help="see above (default: all)")
    parser.add_argument(
        "--runtimes",
        type=names,
        default=("litert",),
        metavar="A,B,...",
        help="not of the suite gpu: litert, onnxruntime, openvino, ncnn, mnn (default: litert)",
    )
    parser.add_argument(
        "--formats",
        type=names,
        metavar="A,B,...",
        help="fp32, fp16, int8 (default: fp32,int8; of several runtimes all); gpu: fp32, "
        "fp16, bf16 (default: all on an accelerator, else fp32)",
    )
    parser.add_argument(
        "--threads", type=numbers, default=(1,), metavar="N,...", help="of a runtime (default: 1)"
    )
    parser.add_argument(
        "--resolution", type=int, metavar="N", help="side of the images (default: as published)"
    )
    parser.add_argument("--calls", type=int, default=100, metavar="N", help="timed (default: 100)")
    parser.add_argument(
        "--batch",
        type=numbers,
        default=(),
        metavar="N,...",
        help="images in a call, for throughput (default: 1; gpu: 1,8,32,128 on an accelerator)",
    )
    parser.add_argument(
        "--target",
        metavar="NAME",
        help="the processor that TFLite is written for: arm, avx2, avx512, amx, none (default: "
        "this machine's; arm with --export-only)",
    )
    parser.add_argument("--out", default=OUT, type=location, metavar="DIR", help=f"default: {OUT}")
    parser.add_argument(
        "--cache", type=path, metavar="DIR", help="of exported files (default: the user's)"
    )
    parser.add_argument(
        "--export-only",
        type=path,
        metavar="DIR",
        help="make a folder for a device instead: models, and a script that measures them",
    )
    parser.add_argument(
        "--from",
        dest="csvs",
        nargs="+",
        type=location,
        metavar="CSV",
        help="show what devices have measured instead",
    )
    parser.add_argument(
        "--force", action="store_true", help="export again, and restart an interrupted run"
    )
    add_trust_model(parser)


def run(args):
    from keras_ghostnet.console import new_console

    start_backend()
    from keras_ghostnet.benchmark.comparison import compare
    from keras_ghostnet.benchmark.comparison.runtimes import RUNTIMES

    console = new_console()  # the real one, before it is held back
    with quiet(unless=()):
        if args.export_only:
            compare.export_kit(args.models, args.export_only, console=console, **_options(args))
            packages = " ".join(RUNTIMES[name].package for name in args.runtimes)
            for line in NEXT.format(args.export_only, packages).splitlines():
                console.print(line, soft_wrap=True)
        elif args.csvs:
            compare.report_measurements(args.csvs, args.suite, args.out, console=console)
        else:
            compare.compare(args.models, args.out, console=console, **_options(args))


def _options(args):
    return dict(
        suite=args.suite,
        runtimes=args.runtimes,
        formats=args.formats,
        threads=args.threads,
        size=args.resolution,
        calls=args.calls,
        batch=args.batch,
        target=args.target or ("arm" if args.export_only else "host"),
        cache=args.cache,
        force=args.force,
        trust_model=args.trust_model,
    )


def numbers(text):
    """Integers with commas between them, a tuple."""
    try:
        return tuple(map(int, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers, with commas, not {text!r}") from None
