"""What long work shows on a terminal: a line for every step, and progress bars."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_NOTHING = contextlib.nullcontext()


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
    with console.status(doing) if console and doing and console.is_terminal else _NOTHING:
        yield texts.append
    if console is not None:
        console.print(f"{time.perf_counter() - start:6.1f} s  {texts[0]}", soft_wrap=True)


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
        TextColumn("{task.description}"),
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
