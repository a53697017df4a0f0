"""What sets the `ghostnet` command apart: a backend that starts quietly, spellings of options."""

import argparse
import contextlib
import importlib
import os
import platform
import re
import sys
from collections.abc import Iterator, Sequence

from keras_ghostnet import stores
from keras_ghostnet.defaults import set_keras_defaults
from keras_ghostnet.memory import keep_freed_memory
from keras_ghostnet.quiet import quiet

NAMES = ("ghostnet", "ghostnet.exe")
MEASURES = ("keras_ghostnet.benchmark.", "tests.speed.")  # with `python -m`
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it when it is imported
X86 = ("x86_64", "amd64")
# What Keras imports for plots and wrappers of its own: a third of the time that its import takes.
UNUSED = ("matplotlib", "sklearn")


def path(text: str) -> str:
    """The type of every option that names a file or folder, or what may be one.

    `~` is the home folder, also where the shell leaves it, as in `--out=~/exports`.

    Raises:
        argparse.ArgumentTypeError: If it is the address of something that is not local.
    """
    text = text.removeprefix("file://")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise argparse.ArgumentTypeError(
            f"{text} is not a local path, and nothing else is taken here. Copy it here or mount it"
        )
    return os.path.expanduser(text)


def location(text: str) -> str:
    """The type of every option that names a file or folder, here or in a store.

    Raises:
        argparse.ArgumentTypeError: If it is of the Hugging Face hub, which is no store.
    """
    return text if stores.is_remote(text) else path(text)


def model(text: str) -> str:
    """The type of every argument that names a model: as `location`, or of the Hugging Face hub."""
    return text if text.startswith("hf://") else location(text)


def is_running() -> bool:
    """Whether this process is the `ghostnet` command."""
    return os.path.basename(sys.argv[0] if sys.argv else "") in NAMES


def is_measuring() -> bool:
    """Whether this process is `python -m` of a module that measures and prints tables."""
    arguments = iter(sys.orig_argv)
    return "-m" in arguments and next(arguments, "").startswith(MEASURES)


def start_backend(*, cluster: bool = False) -> None:
    """Imports Keras and readies its backend, without what TensorFlow prints then.

    Keras' own defaults hold in the process, whatever `keras.json` says.

    TensorFlow is told to use oneDNN's kernels on any x86, unless the environment says otherwise:
    of its own accord it does so from AVX-512 VNNI on, though they are faster on older processors,
    too. And freed memory is kept for the next batch.

    Args:
        cluster: Whether the process may join a cluster afterwards: no operation is run then.
    """
    if platform.machine().lower() in X86:
        os.environ.setdefault(ONEDNN, "1")
    keep_freed_memory()
    with quiet():  # the backend looks for its devices aloud
        with _missing(*UNUSED):
            keras = importlib.import_module("keras")
        importlib.import_module("keras_ghostnet.layers")  # `load_model` needs them registered
        set_keras_defaults()
        if cluster:
            importlib.import_module("tensorflow").config.list_physical_devices()
        else:
            keras.ops.zeros(1)


@contextlib.contextmanager
def _missing(*names: str) -> Iterator[None]:
    """Modules that are not there for what the body imports, unless they were imported before."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def hyphenated(arguments: Sequence[str]) -> list[str]:
    """Spells options with hyphens: `--run_dir`, as early versions spelled it, is `--run-dir`.

    Args:
        arguments: Of a command line; those after `--` are no options and stay as they are.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    parts = (argument.partition("=") for argument in arguments[:end])
    names = (
        (name.replace("_", "-") if name.startswith("--") else name) + equals + value
        for name, equals, value in parts
    )
    return [*names, *arguments[end:]]
