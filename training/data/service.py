"""Preparing training images on other hosts, by TensorFlow's tf.data service.

A host runs a dispatcher and a worker of its own, and is given every n-th group of examples. So the
order is that of a run without it, which several workers of one dispatcher would not keep. What is
sent there is a graph without Python: an example that it cannot make, as it takes Pillow, is made by
the run that trains.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_ghostnet.training.data.sources import ImageSource

ADDRESS = re.compile(r"(?:grpc://)?([^/\s:,]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")
CONNECT_SECONDS = 5.0
WATCH_SECONDS, LOST_SECONDS = 5.0, 60.0  # between looks at whether one answers; until it is lost
AT_ONCE = 32  # groups that a host prepares at a time, at most
WAITING = 16  # of them that wait to be sent, or are on their way


def parse_addresses(text: str) -> tuple[str, ...]:
    """Addresses with commas between them.

    Raises:
        ValueError: If one is not HOST:PORT.
    """
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    matches = [ADDRESS.fullmatch(part) for part in found]
    if not found or not all(match and 0 < int(match[2]) < 2**16 for match in matches):
        raise ValueError(
            f"A data service is HOST:PORT, several with commas between them. Received: {text!r}."
        )
    return tuple(f"{match[1]}:{match[2]}" for match in matches if match)


def require_answers(addresses: Sequence[str]) -> None:
    """Tries before long work whether something listens at some addresses.

    Raises:
        OSError: If one does not answer.
    """
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            raise OSError(
                f"No data service answers at {address} ({error.strerror or error}). Start it "
                f"there: ghostnet data-service --port {port}"
            ) from error


def require_readable(source: ImageSource, addresses: Sequence[str]) -> None:
    """Refuses a source that services, if there are any, cannot read.

    Raises:
        ValueError: If it is none of image files and TFRecords on a disk.
    """
    if addresses and not source.reader.is_anywhere:
        raise ValueError(
            "A data service reads image files and TFRecords on a file system that its hosts "
            f"share, not {source.name}. Leave --data-service out."
        )


def distribute(
    parts: tuple[np.ndarray, ...],
    make: Callable[..., object],
    addresses: Sequence[str],
) -> tf.data.Dataset:
    """What a function makes of the elements of a dataset, in their order, on other hosts.

    Args:
        parts: Arrays of as many rows, of which the dataset's elements are made.
        make: In TensorFlow, without Python: of an element, a dataset of one.
        addresses: Of the hosts; each takes every n-th element.

    Returns:
        A dataset of what was made.
    """
    service = tf.data.experimental.service
    lanes = []
    for number, address in enumerate(addresses):
        rows = tuple(part[number :: len(addresses)] for part in parts)
        lane = tf.data.Dataset.from_tensor_slices(rows)
        # As many at once as the host has cores.
        lane = lane.interleave(
            tf.autograph.experimental.do_not_convert(make),
            cycle_length=AT_ONCE,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        options = tf.data.Options()
        options.experimental_optimization.apply_default_optimizations = False
        distributed = service.distribute(
            service.ShardingPolicy.OFF, f"grpc://{address}", max_outstanding_requests=WAITING
        )
        lanes.append(lane.with_options(options).apply(distributed))
    if len(lanes) == 1:
        return lanes[0]
    turns = tf.data.Dataset.range(len(lanes)).repeat()
    return tf.data.Dataset.choose_from_datasets(lanes, turns, stop_on_empty_dataset=True)


@contextlib.contextmanager
def watched(
    addresses: Sequence[str],
    say: Callable[[str], None],
    end: Callable[[], None] = lambda: os._exit(os.EX_TEMPFAIL),
) -> Iterator[None]:
    """Watches in a thread that services answer: TensorFlow would wait for an hour.

    Args:
        addresses: Of the services.
        say: Is called with a line when one has not answered for `LOST_SECONDS`.
        end: Is called then: ends the process with code 75, for which engines start it again.
    """
    done = threading.Event()

    def watch():
        heard = dict.fromkeys(addresses, time.monotonic())
        while not done.wait(WATCH_SECONDS):
            for address in addresses:
                with contextlib.suppress(OSError):
                    require_answers([address])
                    heard[address] = time.monotonic()
                if time.monotonic() - heard[address] > LOST_SECONDS:
                    say(
                        f"The data service at {address} does not answer any more. Start it again, "
                        "and this command: it resumes at the last checkpoint."
                    )
                    end()

    if addresses:
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def restarted(addresses: Sequence[str]) -> ConnectionError:
    """What to raise when a service does not know a run any more."""
    return ConnectionError(
        f"The data service at {', '.join(addresses)} was started again, and does not know this "
        "run. The same command resumes it at its last checkpoint."
    )


class Server:
    """A dispatcher and its worker in this process.

    Args:
        port: Where to listen; 0 takes a free one.

    Attributes:
        address: Where it listens, `HOST:PORT`.

    Raises:
        OSError: If it cannot listen there.
    """

    def __init__(self, port: int = 0):
        service, host = tf.data.experimental.service, socket.gethostname()
        try:
            self._dispatcher = service.DispatchServer(service.DispatcherConfig(port=port))
        except (tf.errors.OpError, RuntimeError) as error:
            raise OSError(f"Port {port} cannot be listened at: another process may.") from error
        port = int(self._dispatcher.target.rpartition(":")[2])
        self.address = f"{host}:{port}"
        # By what the worker is called here, the dispatcher tells trainers to connect to it.
        self._worker = service.WorkerServer(
            service.WorkerConfig(f"localhost:{port}", worker_address=f"{host}:%port%")
        )

    def wait(self) -> None:
        """Serves until SIGTERM or SIGINT."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        stop.wait()
