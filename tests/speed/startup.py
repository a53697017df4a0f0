"""Prints what starting costs: the command's answers, imports, building a model.

The sides of a comparison alternate in one run, so that a busy machine slows both alike.
"""

import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

from keras_ghostnet import cli

ROUNDS = 9
AT_ONCE = 0.5  # seconds, the longest that a user may wait for help, a list or an error of usage
GHOSTNET = pathlib.Path(sys.executable).with_name("ghostnet")
COMMANDS = (
    ["--help"],
    ["--version"],
    *([name.replace("_", "-"), "--help"] for name in cli.COMMANDS),
    ["models"],
    ["recipes"],
    ["recipes", "digits"],
    ["weights"],
    ["weights", "ghostnet_100"],
    ["trian"],
    ["train", "--data", "digits"],
)
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
BUILD = """
import json, time
import keras, keras_ghostnet
def seconds(build):
    start = time.perf_counter()
    build()
    return time.perf_counter() - start
def ours():
    return keras_ghostnet.GhostNet()
def theirs():
    return keras.applications.MobileNetV3Large(weights=None)
ours(), theirs()  # the first of each pays for what is loaded lazily
print(json.dumps([(seconds(ours), seconds(theirs)) for _ in range({})]))
"""


def run(code):
    """What a fresh interpreter prints; what TensorFlow says at its start is held back."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def answer(arguments):
    """Seconds until the command has answered, and the processor's seconds for it."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([GHOSTNET, *arguments], capture_output=True)
    seconds, after = time.perf_counter() - start, os.times()
    return seconds, sum(after[2:4]) - sum(before[2:4])


def report_answers():
    """Prints the medians for every command; whether all keep to the limit."""
    print(f"{'the command answers in':<62} {'elapsed':>8}   {'CPU':>7}   (at most {AT_ONCE} s)")
    longest = 0
    for arguments in COMMANDS:
        rounds = [answer(arguments) for _ in range(ROUNDS)]
        elapsed, busy = (statistics.median(side) for side in zip(*rounds, strict=True))
        longest = max(longest, elapsed)
        print(f"  {'ghostnet ' + ' '.join(arguments):<60} {elapsed:6.3f} s   {busy:5.3f} s")
    return longest <= AT_ONCE


def report(title, pairs, limit):
    """Prints medians of (ours, theirs) and of their ratio; whether that keeps to the limit."""
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"{title:<62} {ours:6.3f} s / {theirs:6.3f} s = {ratio:5.3f}   (at most {limit})")
    return ratio <= limit


def main():
    ok = report_answers()
    imports = [
        [float(run(IMPORT.format(module))) for module in ("keras_ghostnet", "keras")]
        for _ in range(ROUNDS)
    ]
    ok &= report("import keras_ghostnet / import keras", imports, limit=1.05)
    builds = json.loads(run(BUILD.replace("{}", str(ROUNDS))))
    title = "GhostNet() / keras.applications.MobileNetV3Large(weights=None)"
    ok &= report(title, builds, limit=1.3)
    print(
        f"medians of {ROUNDS}; Python {platform.python_version()}, "
        f"Keras {importlib.metadata.version('keras')}; {os.cpu_count()} cores, {platform.machine()}"
    )
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
