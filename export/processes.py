"""Python functions in processes of their own, which leave Keras alone.

Converters of other projects are called in such a process: one that crashes, prints pages or reports
to its makers does so there, and what it printed last is told.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

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
    """A converter refuses a network, or crashes.

    Attributes:
        output: What it printed.
    """

    def __init__(self, message, output):
        super().__init__(message)
        self.output = output


def python(function, **arguments):
    """The command that calls a function in a process of its own.

    Args:
        function: `"module:name"`.
        **arguments: What JSON can hold.
    """
    places = [os.path.abspath(place) for place in sys.path]  # wherever the process works
    return [sys.executable, "-P", "-c", CODE, json.dumps([places, function, arguments])]


def convert(command, tool, results=(), **environment):
    """Runs a converter in an empty folder, and waits for it.

    What it leaves there, as MNN's does, is removed.

    Args:
        command: A list: a program and its arguments, such as `python` returns it. Paths are
            absolute.
        tool: What it is called in messages.
        results: Paths of files that it has to write.
        **environment: Variables besides this process's.

    Raises:
        ConverterError: If it fails; the message, in one line, has what it printed last.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **environment},
            text=True,
            errors="replace",
        )
    if not done.returncode and all(map(os.path.isfile, results)):
        return
    text = re.sub(r"\x1b\[[\d;]*m", "", done.stdout)  # colors
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if done.returncode == 1 and lines:  # as Python ends with an exception, which comes last
        raise ConverterError(f"{tool}: {lines[-1][-CHARACTERS:]}", text)
    last = " | ".join(lines[-LINES:])[-CHARACTERS:] or "nothing"
    what = run.cause(done.returncode) if done.returncode else "wrote no network"
    raise ConverterError(f"{tool} {what}; it printed last: {last}", text)
