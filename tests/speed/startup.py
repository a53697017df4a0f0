"""Prints what the package costs at start: its import against Keras', a model against Keras' own.

Both sides alternate in one run, so that a busy machine slows both alike.
"""

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys

ROUNDS = 9
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


def report(title, pairs, limit):
    """Prints medians of (ours, theirs) and of their ratio; whether that keeps to the limit."""
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"{title:<62} {ours:6.3f} s / {theirs:6.3f} s = {ratio:5.3f}   (at most {limit})")
    return ratio <= limit


def main():
    imports = [
        [float(run(IMPORT.format(module))) for module in ("keras_ghostnet", "keras")]
        for _ in range(ROUNDS)
    ]
    ok = report("import keras_ghostnet / import keras", imports, limit=1.05)
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
