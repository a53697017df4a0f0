"""What a run does when it is told to stop."""

import contextlib
import signal


@contextlib.contextmanager
def on_signals(function):
    """Calls a function without arguments on SIGTERM or SIGINT, within the body."""
    before = {
        number: signal.signal(number, lambda *_: function())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
