"""Small runs of `ghostnet train` in processes of their own, as a user starts them."""

import contextlib
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import time

import keras
import numpy as np
from PIL import Image

from keras_ghostnet.training import slurm
from keras_ghostnet.training.checkpoints import Checkpoints

GHOSTNET = pathlib.Path(sys.executable).with_name("ghostnet")
SETTINGS = (
    "model=g_ghost_regnetx_002",
    "epochs=3",
    "batch_size=8",
    "image_size=32",
    "learning_rate=0.02",
)


def write_photos(folder, classes=2, train=12, val=5):
    """Writes so many images for each class; of another brightness each."""
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        for label in range(classes):
            (folder / split / f"class{label:02}").mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 120, (40, 44, 3)) + 130 * label // (classes - 1)
                path = folder / split / f"class{label:02}" / f"{number}.png"
                Image.fromarray(pixels.astype("uint8")).save(path)
    return folder


def small_classifier(recipe, classes):
    """A network that is compiled at once, in place of a recipe's."""
    inputs = keras.Input((recipe.image_size, recipe.image_size, 3))
    # Named, as the layers of this package's networks are: a checkpoint knows its weights by name.
    x = keras.layers.Conv2D(4, 3, strides=4, name="conv")(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="bn")(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="predictions")(x))


def command(data, run_dir, *more, settings=SETTINGS):
    """The words of a command that trains."""
    words = [GHOSTNET, "train", "--recipe", "smoke", "--data", data, "--run-dir", run_dir]
    words += [word for setting in settings for word in ("--set", setting)]
    return [*map(str, words), "--deterministic", "--checkpoint-steps", "2", *more]


def train(*arguments, **options):
    """Trains to the end of the process."""
    return subprocess.run(command(*arguments, **options), capture_output=True, text=True)


@contextlib.contextmanager
def started(words, environments=({},), **options):
    """Processes that run at the same time, one for each environment; none survives the body."""
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(
            words, env={**os.environ, **more}, stdout=pipe, stderr=pipe, text=True, **options
        )
        for more in environments
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def wait_for_step(step, run_dir, process, seconds=600):
    """Waits until a run has a checkpoint of that step or a later one."""
    checkpoints = Checkpoints(run_dir / "checkpoints")
    deadline = time.monotonic() + seconds
    while process.poll() is None and max(checkpoints.steps(), default=0) < step:
        assert time.monotonic() < deadline, f"no checkpoint of step {step} within {seconds} s"
        time.sleep(0.01)


def cluster(count):
    """What TF_CONFIG tells each of some workers on this machine."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    return [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(count)
    ]


def slurm_step(count):
    """What `srun` tells each of some tasks on this machine."""
    job = slurm.PORTS.index(neighboring_ports(count))
    return [slurm_task("127.0.0.1", str(count), "127.0.0.1", rank, job) for rank in range(count)]


def slurm_task(nodes, tasks_per_node, node, rank, job=7):
    """The variables that `srun` sets for a task.

    Args:
        nodes: As in `SLURM_STEP_NODELIST`.
        tasks_per_node: As in `SLURM_STEP_TASKS_PER_NODE`.
        node: Where the task runs.
        rank: Its number.
        job: The job's number.
    """
    count, _, times = tasks_per_node.rstrip(")").partition("(x")
    return {
        "TF_CONFIG": "",
        "SLURM_JOB_ID": str(job),
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank % int(count)),
        "SLURM_STEP_NUM_TASKS": str(int(count) * int(times or 1)),
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": tasks_per_node,
        "SLURMD_NODENAME": node,
    }


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def neighboring_ports(count):
    """Ports one after the other that are free, of those that jobs of SLURM get."""
    for first in random.sample(slurm.PORTS[:-count], len(slurm.PORTS) - count):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


def state(run_dir):
    """The last checkpoint."""
    described = json.loads((run_dir / "config.json").read_text())["run"]
    return Checkpoints(run_dir / "checkpoints").latest(described)


def assert_same_state(run_dir, other):
    """The last checkpoints of two runs are the same, bit for bit."""
    ours, theirs = state(run_dir), state(other)
    assert ours.step == theirs.step
    assert ours.variables.keys() == theirs.variables.keys()
    for name, value in ours.variables.items():
        np.testing.assert_array_equal(value, theirs.variables[name], err_msg=name)
