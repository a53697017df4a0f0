"""How a run is stopped from outside."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


class Stopped(Exception):
    """The run was interrupted by a signal; its state is saved."""


@contextlib.contextmanager
def on_signals(function: Callable[[], object]) -> Iterator[None]:
    """Calls a function without arguments on SIGTERM or SIGINT, within the body."""
    if threading.current_thread() is not threading.main_thread():  # no other receives signals
        yield
        return
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: function()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
