"""The `ghostnet` command: parse, call, exit code.

A command's module imports nothing large, so that help and errors of usage come at once: its `run`
imports what it needs, after `keras_ghostnet.command.start_backend` if that is Keras.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from keras_ghostnet import extras
from keras_ghostnet.command import hyphenated
from keras_ghostnet.console import print_error
from keras_ghostnet.version import __version__

BROKEN_PIPE = 141  # as a shell reports a process that SIGPIPE ended
# One module each, in the order in which a newcomer would want them.
COMMANDS = (
    "quickstart",
    "models",
    "weights",
    "convert_weights",
    "recipes",
    "train",
    "evaluate",
    "predict",
    "export",
    "verify",
    "quantize",
    "compare",
    "profile",
    "make_records",
)


def entry_point() -> int:
    """What the console command calls; returns its exit code."""
    try:
        try:
            return main(parse(sys.argv))
        finally:
            sys.stdout.flush()  # here, as nobody catches what happens at Python's end
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parses a command line.

    Args:
        argv: The command's name and its arguments.

    Returns:
        A namespace whose `run` is the function that carries the command out.
    """
    parser = argparse.ArgumentParser(
        prog="ghostnet",
        description="GhostNets on Keras 3, from training to the device.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"keras_ghostnet {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"keras_ghostnet.cli.{name}")
        summary = (module.__doc__ or "").strip()
        command = commands.add_parser(
            name.replace("_", "-"), help=summary.splitlines()[0], description=summary
        )
        module.arguments(command)
        command.set_defaults(run=module.run)
    return parser.parse_args(hyphenated(argv[1:]))


def main(args: argparse.Namespace) -> int:
    """Carries a parsed command out; what is wrong with its input becomes one message.

    Returns:
        0, or 1 if the input was at fault, or 130 if the user interrupted.
    """
    try:
        return args.run(args) or 0
    except BrokenPipeError:
        raise
    except ModuleNotFoundError as error:
        print_error(extras.explain(error))
        return 1
    except (ValueError, OSError, ImportError, ArithmeticError) as error:
        print_error(error)
        return 1
    except KeyboardInterrupt:
        print_error("interrupted")
        return 130
