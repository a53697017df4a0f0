"""What the cases share: images, a run that was never disturbed, and how runs are compared."""

import csv
import functools
import json
import time

import keras
import numpy as np

from tests.training import runs

PER_CLASS = 24  # of two classes, in batches of 8: six steps an epoch
STEPS_PER_EPOCH = 6
SETTINGS = (*runs.SETTINGS, "epochs=4")
RATE = "images_per_second"  # the one thing that may differ


class Skipped(Exception):
    """A case cannot run here."""


class Site:
    """A folder with images and an undisturbed run over them.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder):
        self.folder = folder
        self.photos = runs.write_photos(folder / "photos", train=PER_CLASS)

    @functools.cached_property
    def whole(self):
        """Folder of a run that was never disturbed, and the seconds that it took."""
        run_dir, begun = self.folder / "whole", time.monotonic()
        succeed(runs.train(self.photos, run_dir, settings=SETTINGS))
        return run_dir, time.monotonic() - begun


def succeed(done):
    """Asserts that a process ended well."""
    assert done.returncode == 0, done.stderr
    return done


def refused(done, *parts):
    """Asserts that a process ended with a message for people, which has these parts."""
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    for part in parts:
        assert part in done.stderr, done.stderr


def assert_same_run(run_dir, whole):
    """Asserts that two runs ended with the same state, history, metrics and models."""
    runs.assert_same_state(run_dir, whole)
    assert history(run_dir) == history(whole)
    ours, theirs = (json.loads((path / "metrics.json").read_text()) for path in (run_dir, whole))
    for row in ("best", "last"):
        assert {**ours[row], RATE: 0} == {**theirs[row], RATE: 0}
    for name in ("model.keras", "last.keras"):
        ours, theirs = (keras.models.load_model(path / name) for path in (run_dir, whole))
        for a, b in zip(ours.weights, theirs.weights, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=f"{name}: {a.path}")
    left = [str(path) for path in run_dir.rglob(".*")]
    assert not left, f"left behind: {left}"


def history(run_dir):
    """The rows of `metrics.csv`."""
    with (run_dir / "metrics.csv").open() as file:
        return [{**row, RATE: None} for row in csv.DictReader(file)]
