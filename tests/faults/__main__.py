"""Faults that training must survive: `python -m tests.faults [CASE ...]`, minutes on two cores."""

import argparse
import pathlib
import sys
import tempfile
import time
import traceback

from rich.console import Console
from rich.table import Table

from tests.faults import damage, full_disk, killed, workers
from tests.faults.site import Site, Skipped

CASES = {
    "killed at twenty random moments": killed.at_random_moments,
    "nothing is decoded again": killed.nothing_decoded_again,
    "one of two workers killed": workers.one_killed,
    "workers without a shared folder": workers.no_shared_folder,
    "full disk": full_disk.full_disk,
    "broken checkpoint": damage.broken_checkpoint,
    "folder of another recipe": damage.another_recipe,
    "not finite, between checkpoints": damage.rarely_saved,
    "not finite, a checkpoint every step": damage.saved_at_once,
}


def main(words):
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"parts of names, of: {', '.join(CASES)}")
    wanted = parser.parse_args(words).cases
    chosen = [name for name in CASES if not wanted or any(part in name for part in wanted)]
    console = Console(highlight=False)
    table = Table(title="Faults")
    for column in ("case", "result", "seconds", "seen"):
        table.add_column(
            column, overflow="fold", justify="right" if column == "seconds" else "left"
        )
    results = []
    with tempfile.TemporaryDirectory() as folder:
        site = Site(pathlib.Path(folder))
        for name in chosen:
            begun = time.monotonic()
            result, seen = outcome(CASES[name], site)
            seconds = f"{time.monotonic() - begun:.0f}"
            console.print(f"{name}: {result} ({seconds} s)", soft_wrap=True)
            table.add_row(name, result, seconds, seen)
            results.append(result)
    console.print(table)
    return 1 if "FAILED" in results or not results else 0


def outcome(case, site):
    """Result of a case, and what was seen."""
    try:
        return "passed", case(site)
    except Skipped as reason:
        return "SKIPPED", str(reason)
    except Exception as error:
        traceback.print_exc()
        return "FAILED", f"{type(error).__name__}: {str(error).strip()[:300]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
