"""Verify the artifacts of a folder again, each in its own runtime.

DIR is where `ghostnet export` put them, with their model and the JSON files beside them. They are
run on the same held-out images, or on those of SOURCE, which is as for `ghostnet train`.
"""

import os
import pathlib

from keras_ghostnet.cli.export import report
from keras_ghostnet.cli.options import add_trust_model
from keras_ghostnet.command import path, start_backend


def arguments(parser):
    parser.add_argument("folder", type=path, metavar="DIR", help="what to verify, see above")
    parser.add_argument(
        "--data", type=path, metavar="SOURCE", help="images (default: the export's)"
    )
    add_trust_model(parser)


def run(args):
    from keras_ghostnet.console import new_console

    if not os.path.isdir(args.folder):
        raise FileNotFoundError(
            f"There is no folder {args.folder}. Name one that `ghostnet export` wrote artifacts to."
        )
    from keras_ghostnet.export import sandbox

    if any(pathlib.Path(args.folder).glob("*/*.json")):  # of SavedModels
        sandbox.start_early("saved_model")
    start_backend()
    from keras_ghostnet.export.artifact_folder import verify

    console = new_console()

    def verify_all():
        return verify(args.folder, data=args.data, trust_model=args.trust_model, console=console)

    return report(console, verify_all)
