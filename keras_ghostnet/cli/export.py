"""Export a model for devices and servers, each artifact verified against it.

MODEL is a run's folder (its best model), a .keras file, both here or in a store, a name of
`ghostnet models`, which is taken with its ImageNet weights, or hf://ORG/NAME of the Hugging Face
hub. SOURCE is as for `ghostnet train`: calibration takes images of its training split, verification
those held out. Beside every artifact a JSON file says what it is.
"""

import shlex

from keras_ghostnet.cli.options import add_image_options, add_trust_model, names
from keras_ghostnet.command import location, model, path, start_backend
from keras_ghostnet.model_reference import resolve_model


def arguments(parser):
    parser.add_argument("model", type=model, metavar="MODEL", help="what to export, see above")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--device",
        metavar="NAME",
        help="picks formats and options for android, iphone, raspberry-pi, browser, x86, nvidia or "
        "tf-serving; `ghostnet devices` says which and why",
    )
    what.add_argument(
        "--formats",
        type=names,
        metavar="A,B,...",
        help="names; all: those whose packages are installed",
    )
    parser.add_argument(
        "--out",
        required=True,
        type=location,
        metavar="DIR",
        help="folder for the artifacts, here or in a store",
    )
    parser.add_argument(
        "--data", type=location, metavar="SOURCE", help="images (default: the run's own)"
    )
    parser.add_argument(
        "--calibration",
        type=location,
        metavar="IMAGES",
        help="a folder of images without classes, or a .npy file of pixels, for the ranges of int8",
    )
    parser.add_argument(
        "--labels",
        type=location,
        metavar="FILE",
        help="the classes' names, one per line (default: the run's)",
    )
    add_image_options(parser)
    add_trust_model(parser)
    parser.add_argument(
        "--io", choices=("int8", "uint8"), help="input and output of int8 TFLite (default: int8)"
    )
    parser.add_argument(
        "--fold-preprocessing",
        action="store_true",
        default=None,
        help="TFLite takes raw pixels, uint8 from 0 to 255",
    )
    parser.add_argument(
        "--target",
        metavar="NAME",
        help="the processor that TFLite is written for: arm (default), avx2, avx512, amx, none; "
        "host is this machine's; measured tries which is fastest here (a minute), and which format",
    )
    parser.add_argument(
        "--layout", choices=("NHWC", "NCHW"), help="input of ONNX and TensorRT (default: NHWC)"
    )
    parser.add_argument(
        "--runtime",
        choices=("onnxruntime", "tensorrt"),
        help="what ONNX files are to be fast in (default: onnxruntime, on CPUs)",
    )
    parser.add_argument(
        "--vendor",
        type=path,
        metavar="DIR",
        help="folder with npm's packages of LiteRT.js, which are copied into a page, so that it "
        "works offline (default: pages load them from a CDN)",
    )
    parser.add_argument("--top-k", type=int, metavar="N", help="classes that a SavedModel returns")
    parser.add_argument(
        "--version", type=int, metavar="N", help="of a SavedModel (default: the next)"
    )
    parser.add_argument(
        "--keep-float",
        nargs="+",
        metavar="LAYER",
        help="layers that int8 TFLite and ONNX leave in float, as `ghostnet verify --layers` names "
        "them",
    )
    parser.add_argument(
        "--allow-untrained",
        action="store_true",
        help="export a model to int8 though it seems untrained",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="replace artifacts of another model of the same name in DIR",
    )


OPTIONS = (
    "io", "fold_preprocessing", "target", "layout", "runtime", "top_k", "vendor", "keep_float",
)  # fmt: skip


def run(args):
    from keras_ghostnet.console import new_console

    # Whatever is no model is refused before Keras is imported.
    args.model = resolve_model(args.model).text
    start_backend()
    from keras_ghostnet.export.exporting import export

    console = new_console()
    options = {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}

    exported = []

    def export_all():
        exported[:] = export(
            args.model,
            args.out,
            list(args.formats) if args.formats else None,
            device=args.device,
            data=args.data,
            calibration=args.calibration,
            labels=args.labels,
            image_size=args.image_size,
            input=args.input,
            trust_model=args.trust_model,
            version=args.version,
            allow_untrained=args.allow_untrained,
            replace=args.replace,
            console=console,
            **options,
        )
        return exported

    code = report(console, export_all)
    if not code:
        timed = [result for result in exported if result.milliseconds]
        fastest = min(timed, key=lambda result: result.milliseconds, default=exported[-1])
        if len(timed) > 1:
            console.print(f"Fastest here, in one thread: {fastest.format}")
        path = shlex.quote(str(fastest.path))
        console.print(f"Next: ghostnet predict {path} IMAGE", soft_wrap=True)
    return code


def report(console, work):
    """Prints the table of an export's or verification's results, and why formats failed.

    Args:
        console: A `rich.console.Console`.
        work: A function that returns the results, or raises an `ArtifactError`.

    Returns:
        The exit code.
    """
    from keras_ghostnet.cli.tables import notes_of, verification_table
    from keras_ghostnet.console import print_error
    from keras_ghostnet.export.artifacts import ArtifactError

    try:
        results = work()
    except ArtifactError as error:
        results = error.results
    console.print(verification_table(results))
    for line in notes_of(results):
        console.print(line)
    failures = [result for result in results if result.error]
    for result in failures:
        print_error(f"{result.format}: {result.error}")
    return 1 if failures else 0
