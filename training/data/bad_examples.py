"""Keeps the list of examples that cannot be used, and stops when they become too many."""

import csv
import io
import pathlib
import threading

COLUMNS = ("path", "reason")


class BadExamples:
    """Counts bad examples, each once, and names them in a CSV file.

    Args:
        examples: How many examples there are.
        limit: The fraction of them that may be bad, in [0, 1].
        path: The CSV file, with the columns `path` and `reason`. Rows are added to it; what is
            named in it already is not named again. None writes nothing.

    Attributes:
        error: The ValueError about too many of them, or None.
    """

    def __init__(self, examples, limit, path=None):
        self.examples, self.limit = examples, limit
        self.path = path and pathlib.Path(path)
        self.error = None
        self._found, self._lock = {}, threading.Lock()

    def __len__(self):
        return len(self._found)

    def report(self, key, reason):
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
            if len(self) > self.limit * self.examples:
                self.error = self._too_many(key, reason)
                raise self.error

    def _append(self, key, reason):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        row = _line(key, reason)
        # Every row is one write at the file's end: processes that share the file do not mix.
        with open(self.path, "ab+", buffering=0) as file:
            file.seek(0)
            known = file.read()
            if row not in known:
                file.write(row if known else _line(*COLUMNS) + row)

    def _too_many(self, key, reason):
        listed = f" They are listed in {self.path}." if self.path else ""
        return ValueError(
            f"{len(self)} of {self.examples} examples cannot be used, more than the "
            f"{self.limit:.3%} that `bad_limit` allows. The last one: {key}: {reason}.{listed} "
            "Repair or remove them, or raise `bad_limit`."
        )


def _line(*cells):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
