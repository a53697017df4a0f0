"""Python functions in processes of their own, which leave Keras alone.

Converters of other projects are called in such a process: one that crashes, prints pages or reports
to its makers does so there, and what it printed last is told.
"""

import json
import os
import subprocess
import sys

from keras_ghostnet.export.device import run

# By the command's name, the package knows that it is to leave Keras alone.
CODE = """
import importlib, json, sys
sys.path[:], function, arguments = json.loads(sys.argv[1])
sys.argv[0] = "ghostnet"
module, _, name = function.partition(":")
getattr(importlib.import_module(module), name)(**arguments)
"""
LINES, CHARACTERS = 5, 500  # of what a converter printed last


class ConverterError(ValueError):
    """A converter refuses a network, or crashes."""


def python(function, **arguments):
    """The command that calls a function in a process of its own.

    Args:
        function: `"module:name"`.
        **arguments: What JSON can hold.
    """
    return [sys.executable, "-P", "-c", CODE, json.dumps([sys.path, function, arguments])]


def convert(command, tool, **environment):
    """Runs a converter, and waits for it.

    Args:
        command: A list: a program and its arguments, such as `python` returns it.
        tool: What it is called in messages.
        **environment: Variables besides this process's.

    Raises:
        ConverterError: If it fails; the message, in one line, has what it printed last.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        text=True,
        errors="replace",
    )
    if not done.returncode:
        return
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode == 1 and lines:  # as Python ends with an exception, which comes last
        raise ConverterError(f"{tool}: {lines[-1][-CHARACTERS:]}")
    last = " | ".join(lines[-LINES:])[-CHARACTERS:] or "nothing"
    raise ConverterError(f"{tool} {run.cause(done.returncode)}; it printed last: {last}")
