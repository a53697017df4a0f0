"""A training command as a manifest or script of an engine that starts it.

Templates lie beside this file. What a user gives stands in them as JSON, which is YAML, too, or as
a word of the shell.
"""

import json
import os
import pathlib
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence

from keras_ghostnet import extras, specs, stores
from keras_ghostnet.training import recipes
from keras_ghostnet.weights import hub

# Engine -> its template.
ENGINES = {"kubernetes": "kubernetes.yaml", "slurm": "slurm.sh"}
IMAGE = "keras-ghostnet:latest"
PORT = 2222  # of the workers, each of which has an address of its own
GRACE = 120  # seconds from SIGTERM to SIGKILL, in which a checkpoint is written
CPUS_PER_GPU = 4
TF_CONFIG_BYTES = (128 << 10) - 64  # of an environment variable, by Linux' limit
LONGEST = 40  # characters of a name, of which hosts' names are made
HOURS = 24
LIMITS = {
    "gpus": (1, 4096),
    "gpus_per_node": (1, 64),
    "cpus_per_gpu": (1, 1024),
    "restarts": (0, 1000),
    "grace": (1, 1800),
    "hours": (1, 10_000),
}
ROOTS = ("/", "//", "/dev/shm")  # where no volume can be mounted
# The name of an object of Kubernetes, a DNS subdomain.
OBJECT = re.compile(
    r"(?!.{254})[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
)


def render(
    engine: str,
    recipe: str,
    data: str | os.PathLike[str],
    run_dir: str | os.PathLike[str],
    *,
    settings: Sequence[str] = (),
    gpus: int = 1,
    gpus_per_node: int = 8,
    cpus_per_gpu: int = CPUS_PER_GPU,
    name: str | None = None,
    restarts: int = 20,
    grace: int = GRACE,
    image: str = IMAGE,
    volumes: Mapping[str, str | os.PathLike[str]] | None = None,
    credentials_secret: str | None = None,
    hours: int = HOURS,
) -> str:
    """What starts a run on several machines, and starts it again after it was stopped.

    Args:
        engine: A key of `ENGINES`.
        recipe, data, run_dir, settings: As `keras_ghostnet.training.train` takes them, `data` and
            `run_dir` as paths on the workers, in file systems that all of them share, or URLs of
            a store.
        gpus: How many, on as many nodes as that takes: each has one worker with all its GPUs.
        gpus_per_node: GPUs of a node; if there is one node, it needs only `gpus`.
        cpus_per_gpu: Cores for each GPU, which prepare its images.
        name: Of the job: lower-case letters, digits and hyphens, at most 40; None takes the
            recipe's.
        restarts: How often the engine starts the run again at most; 0 for never.
        grace: Seconds from SIGTERM to SIGKILL, in which a checkpoint has to be written.
        image: Kubernetes: the container's image.
        volumes: Kubernetes: names of persistent volume claims, and the paths where they are.
        credentials_secret: Kubernetes: a secret whose keys become the workers' environment
            variables, such as AWS_ACCESS_KEY_ID.
        hours: SLURM: the time limit, in hours.

    Returns:
        The text of a manifest (YAML) or of a batch script.

    Raises:
        ImportError: If Jinja is missing, or fsspec for URLs.
        ValueError: If there is no such engine or recipe, an argument does not fit, or a URL names
            no place in a store.
    """
    if engine not in ENGINES:
        raise ValueError(f"There is no engine {engine!r}.{specs.suggest(engine, ENGINES)}")
    counts = dict(
        gpus=gpus,
        gpus_per_node=gpus_per_node,
        cpus_per_gpu=cpus_per_gpu,
        restarts=restarts,
        grace=grace,
        hours=hours,
    )
    for key, value in counts.items():
        least, most = LIMITS[key]
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"`{key}` must be from {least} to {most:,}. Received: {value!r}.")
    for_others = {
        "kubernetes": {"hours": hours != HOURS},
        "slurm": {
            "volumes": bool(volumes),
            "image": image != IMAGE,
            "credentials_secret": credentials_secret is not None,
        },
    }
    if unused := [name for name, is_given in for_others[engine].items() if is_given]:
        raise ValueError(
            f"{engine} takes no {' and no '.join(f'`{name}`' for name in unused)}: leave that out, "
            "or name the other engine."
        )
    changed = recipes.override(recipes.get_recipe(recipe), settings)
    _require_divisible(changed, gpus)
    name = _job_name(recipe if name is None else name, is_given=name is not None)
    gpus_per_node = min(gpus, gpus_per_node)
    if gpus % gpus_per_node:
        raise ValueError(
            f"{gpus} GPUs do not fill nodes of {gpus_per_node}: all workers need as many. Take a "
            "multiple of --gpus-per-node."
        )
    nodes, data, run_dir = gpus // gpus_per_node, os.fspath(data), os.fspath(run_dir)
    claims = [(claim, os.fspath(path)) for claim, path in (volumes or {}).items()]
    paths = _local_paths(data, run_dir, changed)
    if engine == "kubernetes":
        _require_objects(image, claims, credentials_secret)
        _require_mounted(claims, paths)
    command = ["ghostnet", "train", "--recipe", recipe, "--data", data, "--run-dir", run_dir]
    command += [word for setting in settings for word in ("--set", setting)]
    return _template(ENGINES[engine]).render(
        **counts | dict(gpus_per_node=gpus_per_node),
        cpus=gpus_per_node * cpus_per_gpu,
        command=[*command, *(["--strategy", "multi_worker"] if nodes > 1 else [])],
        credentials_secret=credentials_secret,
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
    text = f'{{"cluster": {json.dumps({"worker": workers})}, {task}}}'
    if len(text) > TF_CONFIG_BYTES:
        raise ValueError(
            f"TF_CONFIG, which lists all {nodes:,} workers, takes {len(text):,} bytes of at most "
            f"{TF_CONFIG_BYTES:,}. Take more GPUs per node, or a shorter --name."
        )
    return text


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


def _require_objects(image, claims, secret):
    """Refuses what Kubernetes would, and paths where a volume would hide the system's own."""
    if not image.strip():
        raise ValueError("`image` names no image. Give one: --image NAME.")
    if secret is not None and not OBJECT.fullmatch(secret):
        raise ValueError(f"A secret's name is such as store-credentials. Received: {secret!r}.")
    mounts = []
    for claim, mount in claims:
        path = posixpath.normpath(mount)
        if not OBJECT.fullmatch(claim) or mount[:1] != "/" or ":" in mount or path in ROOTS:
            raise ValueError(
                "A volume is a claim's name and an absolute path, such as photos=/data. Received: "
                f"{claim}={mount}."
            )
        if path in mounts:
            raise ValueError(f"Two volumes are at {mount}. Give each a path of its own.")
        mounts.append(path)


def _local_paths(data, run_dir, recipe):
    """The paths that workers need, by option, after a check of URLs and of names on the hub."""
    given = {"--data": data, "--run-dir": run_dir}
    if data == "digits" or data.startswith("tfds:"):  # which every worker has, or fetches
        del given["--data"]
    for key in ("model", "weights", "teacher"):
        value = getattr(recipe, key) or ""
        if hub.is_reference(value):
            hub.split(value)
        elif "/" in value or value.endswith(".keras"):
            given[f"--set {key}"] = value
    for path in filter(stores.is_remote, given.values()):
        stores.require_known(path)
    return {option: path for option, path in given.items() if not stores.is_remote(path)}


def _require_mounted(claims, paths):
    """Refuses paths that are in no volume: what is written there is lost with its pod."""
    mounts = [posixpath.normpath(path) for _, path in claims]
    for option, path in paths.items():
        whole = pathlib.PurePosixPath(posixpath.normpath(path))
        if not any(whole.is_relative_to(mount) for mount in mounts):
            raise ValueError(
                f"{option} {path} is in none of the volumes. Name the claim that is to be there: "
                "--volume CLAIM=/PATH, and an absolute path in it."
            )
