"""Many requests from many threads through a session, as a program: prints what it saw as JSON.

A process of its own, so that its peak of memory is that of the requests.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import resource
import time

import numpy as np

from keras_ghostnet.export.saved_model.session import ServingSession
from tests.export.saved_model.requests import BROKEN, ask
from tests.training.photographs import encode, picture

THREADS = 16
KINDS = ("truncated JPEG", "not an image", "empty", "huge PNG")
EVERY = 100  # one of so many is broken
SIZES = ((32, 32), (64, 48), (96, 96), (150, 200), (240, 180), (375, 500), (480, 640), (900, 1200))


def memory():
    """What this process holds, and the most that it ever held: an array, in MB."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return np.array([pages * resource.getpagesize() / 2**20, most / 2**10])


def run(session, count):
    """Sends the requests; returns what happened."""
    files = [
        encode(picture(*size, seed=seed), form)
        for seed, size in enumerate(SIZES)
        for form in ("JPEG", "PNG")
    ]
    alone = [ask(session, "classify_bytes", image_bytes=[file]) for file in files]
    assert not any(answer["errors"][0] for answer in alone)

    def one(number):
        """Whether a request was answered as it must be: its kind, and True or False."""
        if number % EVERY == EVERY - 1:
            kind = KINDS[number // EVERY % len(KINDS)]
            encoded, message = BROKEN[kind]
            answer = ask(session, "classify_bytes", image_bytes=[encoded])
            return kind, message in answer["errors"][0] and answer["classes"].max() == -1
        choice = number % len(files)
        answer = ask(session, "classify_bytes", image_bytes=[files[choice]])
        same = all(
            np.array_equal(answer[key], alone[choice][key])
            for key in ("classes", "labels", "errors")
        )
        return "good", same and np.allclose(answer["scores"], alone[choice]["scores"], atol=1e-6)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(10 * THREADS)))  # every thread's own memory is taken
        before, start = memory(), time.perf_counter()
        results = list(pool.map(one, range(count)))
        seconds = time.perf_counter() - start
    return {
        "requests": dict(collections.Counter(kind for kind, _ in results)),
        "wrong": sum(not right for _, right in results),
        "megabytes": before.tolist(),
        "growth": (memory() - before).tolist(),
        "seconds": seconds,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="the SavedModel's")
    parser.add_argument("--requests", type=int, default=10_000)
    arguments = parser.parse_args()
    with ServingSession(arguments.folder) as loaded:
        print(json.dumps(run(loaded, arguments.requests)))
