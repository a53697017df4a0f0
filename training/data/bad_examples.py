"""Keeps the list of examples that cannot be used, and stops when they become too many."""

from __future__ import annotations

import csv
import io
import math
import os
import pathlib
import threading

from keras_ghostnet import files

COLUMNS = ("path", "reason")
FRACTION, HANDFUL = 0.001, 5  # that may be bad: the larger of the two


class BadExamples:
    """Counts bad examples, each once, and names them in a CSV file.

    Args:
        examples: How many examples there are.
        limit: The fraction of them that may be bad, in [0, 1]; None allows a thousandth, or five
            if that is more, as a few photographs are always broken. All must never be.
        path: The CSV file, with the columns `path` and `reason`. Rows are added to it; what is
            named in it already is not named again. None writes nothing.

    Attributes:
        too_many: What is to be said of too many of them; None as long as they are not.
    """

    def __init__(
        self, examples: int, limit: float | None, path: str | os.PathLike[str] | None = None
    ) -> None:
        self.examples, self.limit = examples, limit
        self.path = path and pathlib.Path(path)
        allowed = max(FRACTION * examples, HANDFUL) if limit is None else limit * examples
        self.allowed = min(int(allowed), examples if limit == 1 else examples - 1)
        # Text, as an error holds the frames that it passed: so it would keep alive what reads, or
        # free it within a thread of its own, which then waits for itself.
        self.too_many: str | None = None
        self._found: dict[str, str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._found)

    def report(self, key: str, reason: str) -> None:
        """Notes an example.

        Args:
            key: What it is called, a path.
            reason: Why it cannot be used.

        Raises:
            ValueError: If there are more of them than the limit allows.
        """
        with self._lock:
            if key not in self._found:
                self._found[key] = reason
                if self.path:
                    self._append(key, reason)
            if len(self) > self.allowed:
                self.too_many = self.too_many or self._say(key, reason)
                raise ValueError(self.too_many)

    def _append(self, key, reason):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        row = _line(key, reason)
        # Every row is one write at the file's end: processes that share the file do not mix.
        with open(self.path, "ab+", buffering=0) as file:
            file.seek(0)
            known = file.read()
            if row not in known:
                file.write(row if known else _line(*COLUMNS) + row)

    def _say(self, key, reason):
        listed = f" They are listed in {self.path}." if self.path else ""
        limit = f"{FRACTION:.1%} or {HANDFUL}" if self.limit is None else f"{self.limit:.3%}"
        needed = min(1.0, math.ceil(1000 * (len(self) + 1) / self.examples) / 1000)
        return (
            f"{len(self)} of {self.examples} examples cannot be used, and no more than "
            f"{self.allowed} may be ({limit}). The last one: {key}: {reason}.{listed} Repair or "
            f"remove them, or allow more, e.g. {needed:.1%} with --bad-limit {needed:g}."
        )


def _line(*cells):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(files.cell, cells))
    return text.getvalue().encode("utf-8", "backslashreplace")
