"""Prints what the package costs at start: its import against Keras', a model against Keras' own.

Both sides alternate in one run, so that a busy machine slows both alike.
"""

import os
import platform
import statistics
import subprocess
import sys
import time

ROUNDS = 9
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def import_seconds(module):
    """Seconds that a fresh interpreter takes to import a module."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(module)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def build_seconds(build):
    """Seconds that a model takes to be built."""
    start = time.perf_counter()
    build()
    return time.perf_counter() - start


def report(title, ours, theirs, limit):
    """Prints medians and their ratio; returns whether the ratio keeps to the limit."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    print(f"{title:<62} {mine:6.3f} s / {other:6.3f} s = {ratio:5.3f}   (at most {limit})")
    return ratio <= limit


def main():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    imports = [(import_seconds("keras_ghostnet"), import_seconds("keras")) for _ in range(ROUNDS)]
    ok = report("import keras_ghostnet / import keras", *zip(*imports, strict=True), limit=1.05)

    from keras_ghostnet.quiet import quiet

    with quiet():
        import keras

        import keras_ghostnet

        def peer():
            return keras.applications.MobileNetV3Large(weights=None)

        keras_ghostnet.GhostNet(), peer()  # the first of each pays for what is loaded lazily
        builds = [
            (build_seconds(keras_ghostnet.GhostNet), build_seconds(peer)) for _ in range(ROUNDS)
        ]
    title = "GhostNet() / keras.applications.MobileNetV3Large(weights=None)"
    ok &= report(title, *zip(*builds, strict=True), limit=1.3)
    print(f"Python {platform.python_version()}, Keras {keras.__version__}, median of {ROUNDS}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
