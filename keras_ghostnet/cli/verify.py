"""Verify the artifacts of a folder again, each in its own runtime.

DIR is where `ghostnet export` put them, here or in a store, with their model and the JSON files
beside them. They are run on the same held-out images, or on those of SOURCE, which is as for
`ghostnet train`.

With --layers, int8 artifacts are compared with their float models layer by layer, the worst first;
DIR may then be one of them. `ghostnet export --keep-float` leaves such layers in float.
"""

import pathlib

from keras_ghostnet import stores
from keras_ghostnet.cli.export import report
from keras_ghostnet.cli.options import add_trust_model
from keras_ghostnet.command import location, start_backend

WORST = 20  # layers that are listed
INT8 = ("tflite_int8", "onnx_int8")  # with what is trained


def arguments(parser):
    parser.add_argument("folder", type=location, metavar="DIR", help="what to verify, see above")
    parser.add_argument(
        "--data", type=location, metavar="SOURCE", help="images (default: the export's)"
    )
    parser.add_argument(
        "--layers",
        type=int,
        nargs="?",
        const=WORST,
        metavar="N",
        help=f"list the N layers (default: {WORST}) that int8 serves worst",
    )
    add_trust_model(parser)


def run(args):
    from keras_ghostnet.console import new_console

    if args.layers is not None:
        return _list_layers(args, new_console())
    folder = stores.local(args.folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {args.folder}. Name one that `ghostnet export` wrote artifacts to."
        )
    from keras_ghostnet.export import sandbox

    if any(folder.glob("*/*.json")):  # of SavedModels
        sandbox.start_early("saved_model")
    start_backend()
    from keras_ghostnet.export.artifact_folder import verify

    console = new_console()

    def verify_all():
        return verify(args.folder, data=args.data, trust_model=args.trust_model, console=console)

    return report(console, verify_all)


def _list_layers(args, console):
    """Prints a table of each int8 artifact's worst layers. Returns the exit code."""
    from keras_ghostnet.cli.tables import layer_table
    from keras_ghostnet.console import step

    if args.layers < 1:
        raise ValueError(f"--layers must be at least 1. Received: {args.layers}.")
    paths = _int8_artifacts(args.folder)
    start_backend()
    from keras_ghostnet.export.layerwise import compare_layers

    for artifact in paths:
        with step(console, f"Comparing the layers of {artifact.name}") as done:
            errors = compare_layers(artifact, data=args.data, trust_model=args.trust_model)
            done(f"compared {len(errors)} layers of {artifact.name}")
        console.print(layer_table(artifact.name, errors[: args.layers]))
    return 0


def _int8_artifacts(place):
    """A file itself, or those in a folder that have sidecars; from a store, with their models."""
    from keras_ghostnet.export import formats, sidecar

    if stores.is_remote(place) and pathlib.PurePath(place).suffix in formats.SUFFIXES:
        folder, _, name = place.rpartition("/")
        return [stores.local(folder) / name]
    path = stores.local(place)
    if path.is_file():
        return [path]
    found = [
        artifact
        for artifact, content in sidecar.find_artifacts(path).items()
        if content["format"].startswith(INT8)
    ]
    if not found:
        raise FileNotFoundError(
            f"{path} holds no int8 artifact of TFLite or ONNX, as `ghostnet export --formats "
            "tflite_int8` makes them."
        )
    return found
