"""A training command as a manifest or script of an engine that starts it.

Templates lie beside this file. What a user gives stands in them as JSON, which is YAML, too, or as
a word of the shell.
"""

import json
import os
import pathlib
import re
import shlex
from collections.abc import Mapping, Sequence

from keras_ghostnet import extras, specs, stores
from keras_ghostnet.training import recipes

# Engine -> its template.
ENGINES = {"kubernetes": "kubernetes.yaml", "slurm": "slurm.sh"}
IMAGE = "keras-ghostnet:latest"
PORT = 2222  # of the workers, each of which has an address of its own
GRACE = 120  # seconds from SIGTERM to SIGKILL, in which a checkpoint is written
LONGEST = 40  # characters of a name, of which hosts' names are made
HOURS = 24
LIMITS = {"gpus": 4096, "gpus_per_node": 64, "restarts": 1000, "hours": 10_000}


def render(
    engine: str,
    recipe: str,
    data: str | os.PathLike[str],
    run_dir: str | os.PathLike[str],
    *,
    settings: Sequence[str] = (),
    gpus: int = 1,
    gpus_per_node: int = 8,
    name: str | None = None,
    restarts: int = 20,
    image: str = IMAGE,
    volumes: Mapping[str, str | os.PathLike[str]] | None = None,
    hours: int = HOURS,
) -> str:
    """What starts a run on several machines, and starts it again after it was stopped.

    Args:
        engine: A key of `ENGINES`.
        recipe, data, run_dir, settings: As `keras_ghostnet.training.train` takes them, `data` and
            `run_dir` as paths on the workers, in file systems that all of them share.
        gpus: How many, on as many nodes as that takes: each has one worker with all its GPUs.
        gpus_per_node: GPUs of a node; if there is one node, it needs only `gpus`.
        name: Of the job: lower-case letters, digits and hyphens, at most 40; None takes the
            recipe's.
        restarts: How often the engine starts the run again at most.
        image: Kubernetes: the container's image.
        volumes: Kubernetes: names of persistent volume claims, and the paths where they are.
        hours: SLURM: the time limit, in hours.

    Returns:
        The text of a manifest (YAML) or of a batch script.

    Raises:
        ImportError: If Jinja is missing.
        ValueError: If there is no such engine or recipe, or an argument does not fit.
    """
    if engine not in ENGINES:
        raise ValueError(f"There is no engine {engine!r}.{specs.suggest(engine, ENGINES)}")
    counts = dict(gpus=gpus, gpus_per_node=gpus_per_node, restarts=restarts, hours=hours)
    for key, value in counts.items():
        if type(value) is not int or not 1 <= value <= LIMITS[key]:
            raise ValueError(f"`{key}` must be from 1 to {LIMITS[key]:,}. Received: {value!r}.")
    for_others = {
        "kubernetes": {"hours": hours != HOURS},
        "slurm": {"volumes": bool(volumes), "image": image != IMAGE},
    }
    if unused := [name for name, is_given in for_others[engine].items() if is_given]:
        raise ValueError(
            f"{engine} takes no {' and no '.join(f'`{name}`' for name in unused)}: leave that out, "
            "or name the other engine."
        )
    _require_divisible(recipes.override(recipes.get_recipe(recipe), settings), gpus)
    name = _job_name(recipe if name is None else name, is_given=name is not None)
    gpus_per_node = min(gpus, gpus_per_node)
    if gpus % gpus_per_node:
        raise ValueError(
            f"{gpus} GPUs do not fill nodes of {gpus_per_node}: all workers need as many. Take a "
            "multiple of --gpus-per-node."
        )
    nodes, data, run_dir = gpus // gpus_per_node, os.fspath(data), os.fspath(run_dir)
    claims = [(claim, os.fspath(path)) for claim, path in (volumes or {}).items()]
    if engine == "kubernetes":
        _require_mounted(claims, data=data, run_dir=run_dir)
    command = ["ghostnet", "train", "--recipe", recipe, "--data", data, "--run-dir", run_dir]
    command += [word for setting in settings for word in ("--set", setting)]
    return _template(ENGINES[engine]).render(
        **counts | dict(gpus_per_node=gpus_per_node),
        command=[*command, *(["--strategy", "multi_worker"] if nodes > 1 else [])],
        grace=GRACE,
        image=image,
        name=name,
        nodes=nodes,
        port=PORT,
        tf_config=_tf_config(name, nodes),
        volumes=claims,
    )


def _template(name):
    extras.require("jinja2", purpose="ghostnet launch", extra="train")
    import jinja2

    environment = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"json": json.dumps, "shell": shlex.quote}
    return environment.from_string(pathlib.Path(__file__).with_name(name).read_text("utf-8"))


def _tf_config(name, nodes):
    """The cluster, whose pods JobSet names; Kubernetes puts in which one a pod is."""
    workers = [f"{name}-worker-0-{index}.{name}:{PORT}" for index in range(nodes)]
    task = '"task": {"type": "worker", "index": $(WORKER)}'
    return f'{{"cluster": {json.dumps({"worker": workers})}, {task}}}'


def _job_name(text, is_given):
    name = text if is_given else re.sub(r"[^a-z0-9]+", "-", text.lower())[:LONGEST].strip("-")
    if not re.fullmatch(rf"[a-z](?:[a-z0-9-]{{0,{LONGEST - 2}}}[a-z0-9])?", name):
        raise ValueError(
            "A job's name has lower-case letters, digits and hyphens, begins with a letter, and "
            f"takes at most {LONGEST} characters. Received: {name!r}."
        )
    return name


def _require_divisible(recipe, gpus):
    parts = gpus * recipe.accumulate
    if recipe.batch_size % parts:
        nearest = max(parts, round(recipe.batch_size / parts) * parts)
        raise ValueError(
            f"The batch of {recipe.batch_size} images does not go into {parts} equal parts for "
            f"{gpus} GPUs. Take another number, or --set batch_size={nearest}."
        )


def _require_mounted(claims, **paths):
    """Refuses paths that are in no volume: what is written there is lost with its pod."""
    for claim, mount in claims:
        if not re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", claim) or mount[:1] != "/":
            raise ValueError(
                "A volume is a claim's name and an absolute path, such as photos=/data. Received: "
                f"{claim}={mount}."
            )
    mounts = [pathlib.PurePosixPath(path) for _, path in claims]
    for key, path in paths.items():
        # Which every worker has, or asks for.
        if (path == "digits" and key == "data") or stores.is_remote(path):
            continue
        if not any(pathlib.PurePosixPath(path).is_relative_to(mount) for mount in mounts):
            option = f"--{key.replace('_', '-')}"
            raise ValueError(
                f"{option} {path} is in none of the volumes. Name the claim that is to be there: "
                "--volume CLAIM=/PATH, and an absolute path in it."
            )
