"""What a figure depends on besides the network, and whether it was disturbed."""

import importlib.metadata
import platform

from keras_ghostnet.export.device.run import MAX_OTHERS, MAX_SPREAD, Conditions, now, summary
from keras_ghostnet.version import __version__

__all__ = ["Conditions", "check_threads", "explain_noise", "now", "summary", "versions"]

PACKAGES = {
    "litert": ("ai-edge-litert", "keras", "tensorflow"),
    "tensorflow": ("keras", "tensorflow"),
    "jax": ("keras", "jax"),
    "torch": ("keras", "torch"),
}


def versions(runtime, how):
    """The package, what made and ran the networks, and the system, with semicolons.

    Args:
        runtime: As in `keras_ghostnet.benchmark.compare.results.Measurement`.
        how: What networks were made into: the target of the files, or the way they are compiled.
    """
    packages = (f"{name} {importlib.metadata.version(name)}" for name in PACKAGES[runtime])
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return "; ".join(
        (
            f"keras_ghostnet {__version__} ({how})",
            *packages,
            f"python {platform.python_version()}",
            system,
        )
    )


def check_threads(threads, cores, console):
    """Warns of more threads than cores, which wait for each other."""
    if threads > cores:
        console.print(
            f"Warning: {threads} threads on {cores} {'core' if cores == 1 else 'cores'} wait for "
            "each other.",
            style="yellow",
        )


def explain_noise(measurements, console):
    """Says so if other work disturbed measurements."""
    noisy = [measurement for measurement in measurements if measurement.noisy]
    if noisy:
        console.print(
            f"Noisy: {len(noisy)} of {len(measurements)} measurements. Others used more than "
            f"{MAX_OTHERS} of a core, or a tenth of a model's calls took {MAX_SPREAD} times as "
            "long as its fastest tenth. Close other programs, or choose cores with taskset.",
            style="yellow",
            soft_wrap=True,
        )
