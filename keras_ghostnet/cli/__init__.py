"""The `ghostnet` command: parse, call, exit code."""

import argparse
import importlib
import sys

import keras
from absl import app
from absl.flags import argparse_flags

from keras_ghostnet.quiet import quiet
from keras_ghostnet.version import __version__

# One module each, in the order in which a newcomer would want them.
COMMANDS = (
    "quickstart",
    "models",
    "weights",
    "convert_weights",
    "recipes",
    "train",
    "evaluate",
    "export",
    "verify",
    "quantize",
    "compare",
    "profile",
    "make_records",
)


def entry_point():
    """What the console command calls."""
    with quiet():  # the backend looks for its devices aloud
        if sys.argv[1:2] == ["train"]:  # which has to join its cluster before any operation
            importlib.import_module("tensorflow").config.list_physical_devices()
        else:
            keras.ops.zeros(1)
    app.run(main, flags_parser=parse)


def parse(argv):
    """Parses a command line.

    Args:
        argv: The command's name and its arguments.

    Returns:
        An `argparse.Namespace` whose `run` is the function that carries the command out.
    """
    parser = argparse_flags.ArgumentParser(
        prog="ghostnet",
        description="GhostNets on Keras 3, from training to the device.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"keras_ghostnet {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"keras_ghostnet.cli.{name}")
        summary = module.__doc__.strip()
        command = commands.add_parser(
            name.replace("_", "-"), help=summary.splitlines()[0], description=summary
        )
        module.arguments(command)
        command.set_defaults(run=module.run)
    return parser.parse_args(argv[1:])


def main(args):
    """Carries a parsed command out; what is wrong with its input becomes one message.

    Returns:
        0, or 1 if the input was at fault, or 130 if the user interrupted.
    """
    try:
        return args.run(args) or 0
    except (ValueError, OSError, ImportError, ArithmeticError) as error:
        print(f"ghostnet: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ghostnet: interrupted", file=sys.stderr)
        return 130
