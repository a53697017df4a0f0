"""What long work shows on a terminal: a line for every step, and progress bars."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_NOTHING = contextlib.nullcontext()


def new_console(**options: Any) -> Console:
    """A console on the real standard output, on which text appears as it is.

    Names of classes and files may look like rich's markup (`[bold]`) or its names of emojis.

    Args:
        **options: Of `rich.console.Console`.
    """
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, **options)


@contextlib.contextmanager
def step(console: Console | None, doing: str | None = None) -> Iterator[Callable[[str], None]]:
    """Shows what is being done, and at the end what was done and how long it took.

    Args:
        console: Where to print; None prints nothing.
        doing: What a terminal shows meanwhile; None if the step shows its own progress.

    Yields:
        A function that takes the text to print at the end.
    """
    texts: list[str] = []
    start = time.perf_counter()
    with _status(console, doing):
        yield texts.append
    if console is not None:
        text = f"{time.perf_counter() - start:6.1f} s  {texts[0]}"
        console.print(text, soft_wrap=True, markup=False, emoji=False)


def _status(console, doing):
    if not (console and doing and console.is_terminal):
        return _NOTHING
    from rich.text import Text

    return console.status(Text(doing))


@contextlib.contextmanager
def progress(console: Console | None, doing: str, total: float) -> Iterator[Callable[..., None]]:
    """Shows a bar with the time left, on a terminal only.

    Args:
        console: Where to show it; None shows nothing.
        doing: The text in front of the bar.
        total: The amount of work, in any unit.

    Yields:
        A function that takes the amount that is done, and optionally a word on what comes next.
    """
    if console is None or not console.is_terminal:
        yield lambda done, what="": None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(24),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        speed_estimate_period=600,  # a step may take half a minute
        # Output that is held back must not come out through the bar.
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda done, what="": bar.update(
            task, completed=done, description=f"{doing} {what}".strip()
        )
