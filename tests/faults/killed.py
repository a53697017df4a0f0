"""SIGKILL at any moment of a run."""

import collections
import random
import re
import time

from keras_ghostnet.training.checkpoints import Checkpoints
from keras_ghostnet.training.data import Pipeline, open_source
from tests.faults.site import SETTINGS, STEPS_PER_EPOCH, assert_same_run, succeed
from tests.training import runs

KILLS = 20
# As `keras_ghostnet.files` names what it writes.
PARTIAL = re.compile(r"\.partial-[0-9a-f]{8}-\d+-(.+)")


def at_random_moments(site):
    """One run after the other, until one ends after the last kill; every one ends as if alone.

    Half of the moments are seconds since the start, over the whole time that a run takes. The
    other half are in the middle of writing a file, as the file's temporary name shows.
    """
    whole, lasted = site.whole
    rng = random.Random(0)
    seen, ended, kills = collections.Counter(), 0, 0
    while True:
        run_dir = site.folder / f"killed-{ended}"
        with runs.started(runs.command(site.photos, run_dir, settings=SETTINGS)) as (process,):
            if kills < KILLS:
                writes = rng.randint(1, 10) if kills % 2 else None
                when(process, run_dir, rng.uniform(0, lasted), writes)
                process.kill()
            output, errors = process.communicate()
        if process.returncode < 0:
            kills += 1
            seen[moment(run_dir, output)] += 1
            continue
        assert process.returncode == 0, errors
        assert_same_run(run_dir, whole)
        ended += 1
        if kills == KILLS:
            return f"{ended} runs, all bit-identical; killed " + ", ".join(
                f"{count} x {name}" for name, count in seen.most_common()
            )


def when(process, run_dir, seconds, writes):
    """Waits so many seconds, or until the n-th file is being written; no longer than the run."""
    begun, names = time.monotonic(), set()
    while process.poll() is None:
        if writes is None and time.monotonic() - begun > seconds:
            return
        names.update(partial(run_dir))
        if writes is not None and len(names) >= writes:
            return
        time.sleep(0.0005)


def partial(run_dir):
    """The files that are being written, or were when the writer died."""
    return set(run_dir.rglob(".partial-*"))


def moment(run_dir, output):
    """At what a run was killed, in words."""
    last = max(partial(run_dir), default=None, key=lambda path: path.stat().st_mtime)
    if last:
        name = PARTIAL.fullmatch(last.name)[1]
        return "writing " + re.sub(r"step-\d+", "a checkpoint", name)
    if not (run_dir / "config.json").exists():
        return "restarting"
    return "training" if output else "starting or in the first epoch"


def nothing_decoded_again(site):
    """What was seen before the checkpoint is emptied: to read it again would be an error."""
    settings = (*SETTINGS, "epochs=1")
    photos = runs.write_photos(site.folder / "emptied", train=4 * STEPS_PER_EPOCH)
    whole, run_dir = site.folder / "one-epoch", site.folder / "one-epoch-killed"
    succeed(runs.train(photos, whole, settings=settings))
    with runs.started(runs.command(photos, run_dir, settings=settings)) as (process,):
        runs.wait_for_step(2, run_dir, process)
        process.kill()
    step = max(Checkpoints(run_dir / "checkpoints").steps())
    assert step < STEPS_PER_EPOCH, "killed too late"
    source = open_source(photos, "train")
    order = Pipeline(source, image_size=32, training=True).order(0)
    for index in order[: 8 * step]:
        open(source.key(index), "wb").close()
    succeed(runs.train(photos, run_dir, settings=settings))
    assert not (run_dir / "bad_examples.csv").exists()
    assert_same_run(run_dir, whole)
    return (
        f"went on after step {step} of {STEPS_PER_EPOCH}, the {8 * step} images before it emptied"
    )
