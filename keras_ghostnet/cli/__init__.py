"""The `ghostnet` command: parse, call, exit code.

A command's module imports nothing large, so that help and errors of usage come at once: its `run`
imports what it needs, after `keras_ghostnet.command.start_backend` if that is Keras.
"""

import argparse
import contextlib
import difflib
import importlib
import os
import re
import sys
import time
import traceback
from collections.abc import Sequence
from typing import NoReturn

from keras_ghostnet import extras, files, stores
from keras_ghostnet.command import hyphenated
from keras_ghostnet.console import print_error
from keras_ghostnet.version import __version__

SHOWN = 300  # characters of an error that was not foreseen
BROKEN_PIPE = 141  # as a shell reports a process that SIGPIPE ended
# One module each, in the order in which a newcomer would want them.
COMMANDS = (
    "quickstart",
    "models",
    "weights",
    "convert_weights",
    "recipes",
    "train",
    "launch",
    "evaluate",
    "predict",
    "devices",
    "export",
    "push",
    "demo",
    "verify",
    "quantize",
    "ghostify",
    "compare",
    "profile",
    "make_records",
    "data_service",
)


class Parser(argparse.ArgumentParser):
    """One whose errors name the nearest to what is misspelled."""

    def error(self, message: str) -> NoReturn:
        """Prints a message and the usage, and ends the process."""
        found = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)$", message)
        near = found and difflib.get_close_matches(found[1], re.findall(r"[\w.-]+", found[2]), 1)
        super().error(f"{message}. Did you mean {near[0]}?" if near else message)


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
    parser = Parser(
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

    What no part of the package foresees, too: then the details are kept in the user's cache.

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
        print_error(stores.with_urls(str(error)))
        return 1
    except KeyboardInterrupt:
        print_error("interrupted")
        return 130
    except Exception as error:  # of a library, at input that should have been refused before
        print_error(stores.with_urls(_unforeseen(error)))
        return 1


def _unforeseen(error):
    """One line for an error that no part of the package names, and where its traceback is kept."""
    if isinstance(error, MemoryError):
        return "There is not enough memory for this input. Take fewer or smaller images or models."
    first = (str(error).strip() or "no message").splitlines()[0][:SHOWN]
    text = f"{type(error).__name__}: {first}"
    log = files.cache("logs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    with contextlib.suppress(OSError), files.replacing(log) as partial:
        command = " ".join(map(ascii, sys.argv))
        partial.write_text(f"{command}\n\n{''.join(traceback.format_exception(error))}", "utf-8")
    if log.exists():
        text += f" (details: {log})"
    return f"{text}. The input is probably damaged; if it is whole, please report this."
