"""Sides of a comparison, each a process of its own, that take turns in one run.

So a busy machine slows all alike, and their pools of threads do not meet.
"""

import os
import pathlib
import subprocess
import sys
import time

# The Python that has PyTorch: this one, unless the environment says otherwise.
TORCH_PYTHON = os.environ.get("TORCH_PYTHON") or sys.executable
REST = 2  # seconds between turns
PEERS = pathlib.Path(__file__).with_name("peers.py")


class Side:
    """A process that works when it is told to.

    Args:
        *command: Starts it. It answers as `serve` does.
        environment: Its environment; None for that of this process.

    Attributes:
        versions: What it said of itself at its start.
    """

    def __init__(self, *command, environment=None):
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self.versions = self._answer()

    def turn(self):
        """Lets it work once; returns images per second."""
        print("go", file=self.process.stdin, flush=True)
        return float(self._answer())

    def close(self):
        """Ends it."""
        self.process.communicate()

    def _answer(self):
        answer = self.process.stdout.readline().strip()
        if not answer:
            sys.exit(f"{' '.join(self.process.args)} failed:\n{self.process.communicate()[1]}")
        return answer


def take_turns(sides, rounds):
    """Lets all sides work in every round, and ends them.

    Args:
        sides: A dict of names and `Side`s.
        rounds: How many.

    Returns:
        A list of a dict of names and images per second for each round.
    """
    rows = [{name: _alone(side) for name, side in sides.items()} for _ in range(rounds)]
    for side in sides.values():
        side.close()
    return rows


def _alone(side):
    """A side's turn, once the one before has finished what it read ahead."""
    time.sleep(REST)
    return side.turn()


def steady_rate(images, ahead, counted):
    """Images per second of a turn, without the start of an epoch.

    Args:
        images: An iterator of batches.
        ahead: Batches that are taken first and not counted: as many at least as were ready.
        counted: Batches that are counted.
    """
    for _ in range(ahead):
        next(images)
    start = time.perf_counter()
    count = sum(len(next(images)) for _ in range(counted))
    return count / (time.perf_counter() - start)


def machine_line(**more):
    """The machine and the versions that figures depend on, for people: `"cpu NAME, cores 2, ..."`.

    Args:
        **more: Further facts.
    """
    from keras_ghostnet.environment import machine  # the peers' Python has none

    return ", ".join(f"{key} {value}" for key, value in {**machine(), **more}.items())


def serve(versions, turn):
    """The other end of `Side`.

    Args:
        versions: A text for people, of one line.
        turn: Function that works once and returns images per second.
    """
    print(versions, flush=True)
    for _ in sys.stdin:
        print(turn(), flush=True)
