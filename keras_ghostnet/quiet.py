"""Captures what libraries print, and shows it only if something goes wrong."""

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet(
    *, unless: type[BaseException] | tuple[type[BaseException], ...] = Exception
) -> Iterator[None]:
    """Captures what the body prints, and writes it to stderr only if the body raises.

    TensorFlow's C++ code writes to file descriptor 2 itself, below `sys.stderr`, and no setting
    of its loggers stops all of it: so the descriptor points to a file meanwhile. Descriptor 1
    is left alone, only `sys.stdout` and `sys.stderr` are replaced: a progress bar that holds the
    real `sys.stdout` from before still reaches the user. A logger that is created meanwhile holds
    the replacement, which writes to the real stream afterwards.

    Not for several threads at once: the descriptor belongs to the whole process.

    Args:
        unless: The exception, or a tuple of them, on which the captured output is written; `()`
            for a body whose exceptions say all that the user needs.

    Raises:
        Exception: Whatever the body raises.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile("w+", errors="replace") as kept:
        try:
            with (
                _descriptor_2(kept),
                _diverted(sys.stdout, kept) as stdout,
                _diverted(sys.stderr, kept) as stderr,
                contextlib.redirect_stdout(stdout),
                contextlib.redirect_stderr(stderr),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")
                yield
        except unless:
            kept.seek(0)
            sys.stderr.write(kept.read())
            raise


class _Stream:
    """A text stream that forwards everything to its target."""

    def __init__(self, target):
        self.target = target

    def __getattr__(self, name):
        return getattr(self.target, name)


@contextlib.contextmanager
def _diverted(real, file):
    """Yields a stream that writes to `file`, and to the real stream once this is over."""
    stream = _Stream(file)
    try:
        yield stream
    finally:
        stream.target = real


@contextlib.contextmanager
def _descriptor_2(file):
    """Points file descriptor 2 to `file`, and back."""
    real = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()  # what Python still buffers belongs to the body
        file.flush()
        os.dup2(real, 2)
        os.close(real)
