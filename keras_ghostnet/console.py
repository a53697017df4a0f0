"""One line for every step of a long command."""

import contextlib
import time


@contextlib.contextmanager
def step(console, doing=None):
    """Shows what is being done, and in the end what was done and how long it took.

    Args:
        console: A `rich.console.Console`.
        doing: What a terminal shows meanwhile; None if the step shows its own progress.

    Yields:
        A function that takes the text for the end.
    """
    texts = []
    start = time.perf_counter()
    spinner = console.is_terminal and doing
    with console.status(doing) if spinner else contextlib.nullcontext():
        yield texts.append
    console.print(f"{time.perf_counter() - start:6.1f} s  {texts[0]}", soft_wrap=True)
