"""The cluster that `TF_CONFIG` describes, checked; and a wait until all of its workers are there.

TensorFlow itself takes a string for a list of addresses, trains alone as a worker of an unknown
job, and waits for workers that never start without a word, deaf to signals.
"""

import contextlib
import dataclasses
import errno
import json
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

WAIT_SECONDS = 600.0  # for workers, as long as TensorFlow does
SAY_SECONDS = 30.0  # between lines on who is waited for
POLL_SECONDS = 0.5
JOBS = ("chief", "worker")
EXAMPLE = '{"cluster": {"worker": ["a:1234", "b:1234"]}, "task": {"type": "worker", "index": 0}}'
REFUSED = {  # jobs of other ways to train
    "ps": "parameter servers are not supported, all workers train in step",
    "evaluator": "the workers evaluate after every epoch themselves, start none",
}


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a run.

    Attributes:
        jobs: Addresses `host:port` by job: `"chief"` with one, if there is one, and `"worker"`.
        task_type: The job of this process; None if it is not described.
        task_id: Its number within the job.
    """

    jobs: dict[str, list[str]]
    task_type: str | None = None
    task_id: int = 0

    @property
    def addresses(self) -> list[str]:
        """Of all workers."""
        return [address for addresses in self.jobs.values() for address in addresses]


def parse_tf_config(text: str) -> Cluster | None:
    """The cluster that a value of `TF_CONFIG` describes; None if it describes none.

    A `"master"`, as TensorFlow 1 called it, is the chief.

    Raises:
        ValueError: If it is not what TensorFlow expects, or has jobs that do not train.
    """
    try:
        return _cluster(json.loads(text))
    except ValueError as error:
        raise ValueError(
            f"TF_CONFIG is not a cluster of workers: {error}. Expected e.g. {EXAMPLE}. "
            f"Received: {text}"
        ) from error


def _cluster(config: Any) -> Cluster | None:
    _require(isinstance(config, dict), "it is no JSON object")
    found, task = config.get("cluster", {}), config.get("task")
    _require(isinstance(found, dict), '"cluster" is no JSON object')
    _require(task is None or isinstance(task, dict), '"task" is no JSON object')
    if not found:
        return None
    jobs: dict[str, list[str]] = {}
    for job, addresses in found.items():
        _require_job(job, (*JOBS, "master", "evaluator"))
        _require(
            isinstance(addresses, list) and all(map(_is_address, addresses)),
            f'{job!r} must be a list of "host:port", not {addresses!r}',
        )
        if job == "evaluator" or not addresses:
            continue
        job = _trained(job)
        _require(job not in jobs, "a master is a chief, give one of them")
        jobs[job] = addresses
    _require(bool(jobs), "no worker is named")
    _require(len(jobs.get("chief", [])) <= 1, "there can be one chief only")
    every = [address for addresses in jobs.values() for address in addresses]
    _require(len(set(every)) == len(every), "an address is named twice")
    jobs = {job: jobs[job] for job in JOBS if job in jobs}  # the chief first
    if task is None:
        return Cluster(jobs)
    job, index = task.get("type", "worker"), task.get("index", 0)
    _require_job(job, (*JOBS, "master"))
    job = _trained(job)
    _require(job in jobs, f"the task is {job!r}, of which the cluster has none")
    _require(
        type(index) is int and 0 <= index < len(jobs[job]),
        f"the task's index must be from 0 to {len(jobs[job]) - 1}, not {index!r}",
    )
    return Cluster(jobs, job, index)


def wait_for_workers(
    addresses: Sequence[str],
    own: str,
    log: Callable[[str], None],
    seconds: float = WAIT_SECONDS,
) -> None:
    """Waits until every worker was started: each listens at its address and looks for the others.

    Args:
        addresses: Of all workers.
        own: This one's.
        log: Function of a line of text: says whom it waits for.
        seconds: How long to wait.

    Raises:
        ConnectionError: If some were not started in time.
    """
    waiting = [address for address in addresses if address != own]
    start = said = time.monotonic()
    with _listening(own):
        while waiting := [address for address in waiting if not _answers(address)]:
            now = time.monotonic()
            if now - said > SAY_SECONDS or said == start:
                log(f"Waiting for the workers at {', '.join(waiting)}")
                said = now
            if now - start > seconds:
                raise ConnectionError(
                    f"Waited {seconds:.0f} s in vain for the workers at {', '.join(waiting)}. "
                    "Start all of them, each with its own task, and see that they reach each other."
                )
            time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _listening(address):
    """Lets others see this worker until TensorFlow listens there itself; nothing is accepted."""
    port = int(address.rpartition(":")[2])
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    try:
        server = socket.create_server(("", port), family=family, dualstack_ipv6=dual)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        yield  # TensorFlow in this process listens already, or will say who does
        return
    with server:
        yield


def _answers(address):
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=POLL_SECONDS).close()
    except OSError:
        return False
    return True


def _is_address(address):
    if not isinstance(address, str):
        return False
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 2**16


def _trained(job):
    return "chief" if job == "master" else job


def _require_job(job, known):
    _require(job in known, REFUSED.get(job) or f"there is no job {job!r}, but {' and '.join(JOBS)}")


def _require(condition, problem):
    if not condition:
        raise ValueError(problem)
