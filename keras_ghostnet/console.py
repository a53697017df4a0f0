"""What commands print: foreign text as it is, a line for every step, and progress bars."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from keras_ghostnet.files import Path, printable, replacing

if TYPE_CHECKING:
    from rich.console import Console

LOG_SECONDS = 60.0  # between two lines on progress where there is no terminal
_NOTHING = contextlib.nullcontext()


def new_console(**options: Any) -> Console:
    """A console on the real standard output, on which every text appears as it is.

    Names of classes, layers and files are foreign: they may look like rich's markup (`[bold]`) or
    its names of emojis, or hold characters that control the terminal, which are shown as
    `keras_ghostnet.files.printable` does. So a text is one line, also in a table's cell.

    Args:
        **options: Of `rich.console.Console`.
    """
    from rich.console import Console

    class PlainConsole(Console):
        def render_str(self, text, **options):  # of whatever is a string, also within tables
            return super().render_str(printable(text), **options)

    return PlainConsole(file=sys.stdout, highlight=False, markup=False, emoji=False, **options)


def print_error(error: object) -> None:
    """Prints what was wrong to standard error, so that foreign text in it forges no line."""
    lines = map(printable, str(error).split("\n"))
    print("ghostnet: " + "\n  ".join(lines), file=sys.stderr)


def draw_picture(
    path: Path, say: Callable[[str], None], draw: Callable[..., None], *arguments: Any
) -> None:
    """Draws a picture; one that fails is told of, and stops nothing.

    Args:
        path: The file to write.
        say: Is called with what went wrong.
        draw: A function of `arguments` and of the path to write to.
    """
    try:
        with replacing(path) as partial:
            draw(*arguments, partial)
    except Exception as error:  # whatever a library of pictures raises at foreign text and images
        say(f"{path} could not be drawn: {error}")


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

    return console.status(Text(printable(doing)))


@contextlib.contextmanager
def progress(console: Console | None, doing: str, total: float) -> Iterator[Callable[..., None]]:
    """Shows a bar with the time left on a terminal, a line now and then elsewhere.

    Args:
        console: Where to show it; None shows nothing.
        doing: The text in front of the bar.
        total: The amount of work, in any unit.

    Yields:
        A function that takes the amount that is done, and optionally a word on what comes next.
    """
    if console is None:
        yield lambda done, what="": None
        return
    if not console.is_terminal:
        yield _lines(console, doing, total)
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
        task = bar.add_task(printable(doing), total=total)
        yield lambda done, what="": bar.update(
            task, completed=done, description=printable(f"{doing} {what}".strip())
        )


def _lines(console, doing, total):
    """As a bar, for what is read later."""
    start = said = time.monotonic()

    def show(done, what=""):
        nonlocal said
        now = time.monotonic()
        if now - said >= LOG_SECONDS and 0 < done < total:
            said = now
            left = duration((now - start) * (total - done) / done)
            text = f"{f'{doing} {what}'.strip()}: {done / total:.0%}, {left} left"
            console.print(text, soft_wrap=True, markup=False, emoji=False)

    return show


def duration(seconds: float) -> str:
    """Seconds as people say them: `"2 min 10 s"`, `"12 min"`, `"3 h 05 min"`, `"2 d 4 h"`.

    Of less than ten minutes, by ten seconds: else an estimate would stand still for whole epochs.
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 595:
        minutes, rest = divmod(10 * round(seconds / 10), 60)
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"
