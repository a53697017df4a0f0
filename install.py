"""What `make` installs with: uv, with one line on how much is left; pip where uv cannot.

    python install.py -e '.[test]'

The arguments are those of `pip install`, of the Python that this runs in.
"""

import importlib.util
import re
import subprocess
import sys
import time

QUIET = 10  # seconds before a line of a log, and between two
PIP = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
# In parallel, and compiled once and for all: processes may be forbidden to write what they compile.
UV = [sys.executable, "-m", "uv", "pip", "install", "--compile-bytecode"]
UV += ["--python", sys.executable]
FETCHING = re.compile(r"\s*(Downloading|Downloaded) (\S+)(?: \(([\d.]+)([KMG])iB\))?")
INSTALLED = re.compile(r"(Prepared|Installed) (\d+) package")
MEBIBYTES = {"K": 1 / 1024, "M": 1, "G": 1024}
NEWS = (" + ", " - ", " ~ ")  # how uv's lines begin that name a package that it changed


def install(arguments: list[str]) -> int:
    """Runs uv, and pip if it fails; returns the exit code. Errors are shown.

    Args:
        arguments: Those of `pip install`.
    """
    if importlib.util.find_spec("uv") is None:
        subprocess.run([*PIP, "uv"], capture_output=True)
    code, lines = _uv(arguments)
    if code == 0:
        return 0
    print("".join(lines), end="")
    print("uv could not install this. Trying pip, which is slower and reads pip's settings:")
    return subprocess.run([*PIP, *arguments]).returncode


def _uv(arguments):
    """Runs uv; returns its exit code, and what it said besides its progress."""
    shown, lines, start, installed = _Line(), [], time.monotonic(), 0
    sizes, missing = {}, {}  # of large files, in MiB
    with subprocess.Popen([*UV, *arguments], stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if found := FETCHING.match(line):
                begun, name, size, unit = found.groups()
                if begun == "Downloading" and size:
                    sizes[name] = missing[name] = float(size) * MEBIBYTES[unit]
                else:
                    missing.pop(name, None)
                total, left = sum(sizes.values()), sum(missing.values())
                still = f", on its way {max(missing, key=missing.get)}" if missing else ""
                shown.say(f"1 of 2: fetched {total - left:.0f} of {total:.0f} MiB{still}")
            elif found := INSTALLED.match(line):
                installed = int(found[2])
                doing = "compiling" if found[1] == "Installed" else "installing"
                shown.say(f"2 of 2: {doing} {_packages(installed)}")
            elif not line.startswith(NEWS):
                lines.append(line)
    done = f"installed {_packages(installed)}" if installed else "all packages were there, checked"
    seconds = time.monotonic() - start
    shown.end("uv failed:" if process.returncode else f"{done} in {seconds:.0f} s")
    return process.returncode, lines


def _packages(count):
    return f"{count} package{'s' * (count != 1)}"


class _Line:
    """A line that is overwritten on a terminal, and printed now and then into a log."""

    def __init__(self):
        self.time = time.monotonic()

    def say(self, text):
        if sys.stdout.isatty():
            print(f"\r{text[:78]:78}", end="", flush=True)
        elif time.monotonic() - self.time >= QUIET:
            print(text, flush=True)
            self.time = time.monotonic()

    def end(self, text):
        print(f"\r{text:78}" if sys.stdout.isatty() else text, flush=True)


if __name__ == "__main__":
    sys.exit(install(sys.argv[1:]))
