"""Mutated files of every kind: `python -m tests.hostile [--seed N] [--share X] [KIND ...]`.

Each is to be refused in one line, or read. Crashes, more than 30 s and more than 2 GB are faults,
for which every kind has a process of its own.
"""

import argparse
import collections
import pathlib
import queue
import resource
import subprocess
import sys
import tempfile
import threading

SECONDS, MEMORY = 30, 2 << 30
START = 240  # seconds to import TensorFlow and to write the sound file


def main(words):
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("kinds", nargs="*", help="parts of names; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the cases (default: 1)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.child:
        return child(options.kinds[0], options.seed, options.share)
    from tests.hostile.kinds import KINDS

    total, faults = 0, []
    for name in KINDS:
        if options.kinds and not any(part in name for part in options.kinds):
            continue
        count, begin = collections.Counter(), options.seed
        end = begin + max(1, round(options.share * KINDS[name].cases))
        while begin < end:  # a process that died is started again behind what killed it
            begin = watch(name, begin, end, count, faults)
        total += sum(count.values())
        print(f"{name}: {dict(count)}", flush=True)
    print(f"{total} mutated files, {len(faults)} faults", *faults, sep="\n  ")
    return 1 if faults or not total else 0


def watch(name, begin, end, count, faults):
    """Lets a process try cases; returns the number of the first that it did not try."""
    words = [sys.executable, "-m", "tests.hostile", "--child", f"--seed={begin}", f"--share={end}"]
    process = subprocess.Popen(
        [*words, name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    lines = queue.Queue()
    threading.Thread(target=lambda: [*map(lines.put, process.stdout), lines.put("")]).start()
    seed, limit = begin - 1, START
    while True:
        try:
            text = lines.get(timeout=limit).strip()
        except queue.Empty:
            process.kill()
            process.wait()
            text = f"FAULT: takes more than {limit} s"
        if text == "ready":
            seed, limit = begin, SECONDS
            continue
        if not text:
            if seed < begin:
                raise SystemExit(f"{name}: the sound file is not read")
            if seed >= end:
                process.wait()
                return end
            text = f"FAULT: the process ended with {process.wait()}"
        count["FAULT" if text.startswith("FAULT") else text] += 1
        if text.startswith("FAULT"):
            faults.append(f"{name}, seed {seed}: {text.removeprefix('FAULT: ')}")
        seed += 1
        if process.poll() not in (None, 0):
            return seed


def child(name, begin, end):
    """Tries cases, one line each."""
    from tests.hostile.cases import outcome, prepare

    with tempfile.TemporaryDirectory() as folder:
        path = prepare(name, pathlib.Path(folder))
        used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        print("ready", flush=True)
        for seed in range(begin, int(end)):
            print(ascii(outcome(name, path, seed))[1:-1], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
