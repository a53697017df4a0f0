"""What `make` installs with: pip, with one line on what it is doing and how much is left.

    python install.py -e '.[test]'

The arguments are those of `pip install`, of the Python that this runs in.
"""

import pathlib
import queue
import re
import subprocess
import sys
import sysconfig
import threading
import time

TICK = 1  # seconds
QUIET = 20  # seconds between two lines of a log
LAST = 15  # lines of pip's that are shown if it fails
FILE = re.compile(r"(?:Downloading|Using cached) (?:\S*/)?([^\s/]+?)-\d\S* \((.+)\)")
INSTALLING = "Installing collected packages: "


def install(arguments: list[str], place: pathlib.Path) -> int:
    """Runs pip; returns its exit code. Its warnings are left out, its errors are shown.

    Args:
        arguments: Those of `pip install`.
        place: The folder that packages are installed into.
    """
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--progress-bar=off", *arguments]
    shown, lines, start = _Line(), [], time.monotonic()
    before, total, count = _installed(place), 0, 0
    file = ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in _ticking(process.stdout):
            lines.append(line)
            count += line.startswith("Collecting ")
            if found := FILE.match(line.strip()):
                file = f", last {found[1]} ({found[2]})"
            if line.startswith(INSTALLING):
                total = line.count(",") + 1
            if total:
                done = min(_installed(place) - before, total)
                shown.say(f"2 of 2: installed {done} of {total} packages")
            elif count:
                shown.say(f"1 of 2: fetching, {_packages(count)} so far{file}")
    seconds = time.monotonic() - start
    if process.returncode:
        shown.end("pip failed:")
        kept = [line for line in lines if line.strip() and not line.startswith("WARNING")]
        print("".join(kept[-LAST:]), end="")
    else:
        done = "all packages were there, checked in"
        if total:
            done = f"installed {_packages(total)} in"
        shown.end(f"{done} {seconds:.0f} s")
    return process.returncode


def _packages(count):
    return f"{count} package{'s' * (count != 1)}"


def _ticking(file):
    """The lines of a file as they come, and an empty one whenever there was none for a `TICK`."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read():
        for line in file:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=TICK)
        except queue.Empty:
            line = ""
        if line is None:
            return
        yield line


def _installed(place):
    return len(list(place.glob("*.dist-info")))


class _Line:
    """A line that is overwritten on a terminal, and printed now and then into a log."""

    def __init__(self):
        self.text, self.time = "", 0.0

    def say(self, text):
        if text == self.text:
            return
        if sys.stdout.isatty():
            print(f"\r{text[:78]:78}", end="", flush=True)
        elif self.time and time.monotonic() - self.time < QUIET:
            return
        else:
            print(text, flush=True)
        self.text, self.time = text, time.monotonic()

    def end(self, text):
        print(f"\r{text:78}" if sys.stdout.isatty() else text, flush=True)


if __name__ == "__main__":
    sys.exit(install(sys.argv[1:], pathlib.Path(sysconfig.get_path("purelib"))))
