"""A checkpoint that rots, a folder of another recipe, and numbers that are not finite."""

import csv
import re
import shutil

import numpy as np

from keras_ghostnet.training.checkpoints import Checkpoints
from tests.faults.site import (
    SETTINGS,
    assert_same_run,
    history,
    refused,
    succeed,
)
from tests.training import runs


def broken_checkpoint(site):
    """One bit of the last checkpoint is flipped."""
    whole, _ = site.whole
    run_dir = site.folder / "broken"
    with runs.started(runs.command(site.photos, run_dir, settings=SETTINGS)) as (process,):
        runs.wait_for_step(4, run_dir, process)
        process.kill()
    step = max(Checkpoints(run_dir / "checkpoints").steps())
    path = run_dir / "checkpoints" / f"step-{step:08d}.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = succeed(runs.train(site.photos, run_dir, settings=SETTINGS))
    said = f"The checkpoint of step {step} is broken and is passed over"
    assert said in done.stdout, done.stdout
    assert_same_run(run_dir, whole)
    return f"bit-identical; said: {said}"


def another_recipe(site):
    """The folder of a run stays as it is."""
    run_dir = site.folder / "another"
    shutil.copytree(site.whole[0], run_dir)
    for setting in ("learning_rate=0.5", "model=ghostnet_100", "seed=7"):
        name, _, value = setting.partition("=")
        settings = (*SETTINGS, setting)
        refused(runs.train(site.photos, run_dir, settings=settings), "another run", name, value)
    assert_same_run(run_dir, site.whole[0])
    return "refused: another learning rate, model, seed"


def rarely_saved(site):
    """Steps that no checkpoint follows at once."""
    return not_finite(site, 1000)


def saved_at_once(site):
    """A checkpoint after every step: none of the broken state."""
    return not_finite(site, 1)


def not_finite(site, checkpoint_steps):
    """One good epoch: its only step has the warmup's rate of zero. Then numbers overflow."""
    run_dir = site.folder / f"not-finite-{checkpoint_steps}"
    settings = (*SETTINGS, "batch_size=48", "warmup_epochs=2", "learning_rate=1e38", "epochs=4")
    done = runs.train(
        site.photos, run_dir, "--checkpoint-steps", str(checkpoint_steps), settings=settings
    )
    refused(done, "step ", f"Its examples are listed in {run_dir}")
    told = re.search(r"(?:is not finite after|The loss is \w+ in) step (\d+)\.", done.stderr)
    step = int(told[1])
    with (run_dir / "not_finite.csv").open() as file:
        named = [row["example"] for row in csv.DictReader(file)]
    assert len(set(named)) == 48
    assert f"the first is {named[0]}." in done.stderr
    state = runs.state(run_dir)
    assert state.step == step - 1
    assert all(np.isfinite(value).all() for value in state.variables.values())
    assert len(history(run_dir)) == step - 1
    return done.stderr.strip().removeprefix("ghostnet: ").partition(" Its examples")[0]
