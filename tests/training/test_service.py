"""Images that other hosts prepare: the batches of a run without them; here both are one machine."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys

import fsspec
import numpy as np
import pytest

from keras_ghostnet.training.checkpoints import Checkpoints
from keras_ghostnet.training.data import Pipeline, make_records, open_source, service
from tests.training import runs
from tests.training.batches import assert_same, collect
from tests.training.photographs import encode, picture, write_folder

BATCH = 8  # of `runs.SETTINGS`


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photographs, one that Pillow alone reads, and one that nothing does."""
    folder = write_folder(tmp_path_factory.mktemp("data") / "photographs")
    cmyk = np.dstack([picture(seed=50), picture(seed=51)[..., :1]])
    import PIL.Image

    image = PIL.Image.fromarray(cmyk, "CMYK")
    (folder / "train" / "ant" / "cmyk.jpg").write_bytes(encode(image))
    (folder / "train" / "bee" / "bad.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def hosts():
    """Addresses of two services, each a process as a user starts it."""
    with serving() as one, serving() as two:
        yield one[0], two[0]


@contextlib.contextmanager
def serving():
    """The address of a service and its process, which does not survive the body."""
    words = [runs.GHOSTNET, "data-service", "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        yield re.search(r"--data-service (\S+)", line)[1], process
    finally:
        process.kill()
        process.communicate()


READY = """
import sys
from keras_ghostnet.training.data.service import Server
print("ready", flush=True)
input()
Server(int(sys.argv[1])).wait()
"""


@contextlib.contextmanager
def ready_to_serve(port):
    """A function that starts a service at once, in a process that has imported TensorFlow."""
    words, pipe = [sys.executable, "-c", READY, str(port)], subprocess.PIPE
    process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield lambda: print(file=process.stdin, flush=True)
    finally:
        process.kill()
        process.communicate()


def pipeline(source, **options):
    return Pipeline(source, image_size=(24, 32), training=True, seed=3, **options)


@pytest.mark.workers
@pytest.mark.parametrize("count", [1, 2])
def test_batches_are_the_same(folder, hosts, count):
    source = open_source(folder, "train")
    expected = collect(pipeline(source), global_batch=6)
    served = pipeline(source, services=hosts[:count])
    assert_same(collect(served, global_batch=6), expected)
    assert len(served.bad) == 1
    rest = {name: part[1:] for name, part in expected.items()}
    assert_same(collect(served, global_batch=6, start_step=1), rest)


@pytest.mark.workers
def test_records_and_a_relative_path(folder, hosts, tmp_path, monkeypatch):
    (clean := tmp_path / "clean").mkdir()
    write_folder(clean)
    make_records(clean, tmp_path / "records", shards=3)
    monkeypatch.chdir(tmp_path)
    for name in ("clean", "records"):
        source = open_source(name, "train")
        expected = collect(pipeline(source), global_batch=4)
        assert_same(collect(pipeline(source, services=hosts), global_batch=4), expected)


@pytest.mark.workers
def test_a_run_that_is_stopped_and_continued(hosts, tmp_path):
    """Ends with the very figures of one without a service that was never stopped."""
    photos = runs.write_photos(tmp_path / "photos")
    options = ("--data-service", ",".join(hosts))
    words = runs.command(photos, tmp_path / "served", *options)
    with runs.started(words) as (process,):
        runs.wait_for_step(2, tmp_path / "served", process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)
    done = runs.train(photos, tmp_path / "served", *options)
    assert done.returncode == 0, done.stderr
    alone = runs.train(photos, tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr
    metrics = [
        json.loads((tmp_path / name / "metrics.json").read_text())["last"]
        for name in ("served", "alone")
    ]
    for name in metrics[0].keys() - {"images_per_second"}:
        assert metrics[0][name] == metrics[1][name], name


@pytest.mark.workers
@pytest.mark.parametrize("again", [False, True])
def test_a_service_that_is_lost_ends_the_run(tmp_path, again):
    """Also one that is started again, which does not know the run.

    An epoch has more images than a service prepares ahead: between two of them none is missed.
    """
    photos = runs.write_photos(tmp_path / "photos", train=400)
    assert 2 * BATCH * (service.AT_ONCE + service.WAITING) < 2 * 400
    with (
        serving() as (address, server),
        ready_to_serve(address.rpartition(":")[2]) as serve,
    ):
        settings = (*runs.SETTINGS, "epochs=200")
        words = runs.command(photos, tmp_path / "run", "--data-service", address, settings=settings)
        with runs.started(words) as (process,):
            runs.wait_for_step(2, tmp_path / "run", process)
            server.kill()
            server.wait()
            if again:
                serve()
            output, errors = process.communicate(timeout=300)
    assert process.returncode == os.EX_TEMPFAIL, errors
    lost = f"The data service at {address} "
    known = "was started again, and does not know this run" if again else "does not answer any more"
    assert lost + known in output + errors
    assert Checkpoints(tmp_path / "run" / "checkpoints").steps()


@pytest.mark.parametrize("text", ["", ",", "host", "host:", "host:0", "host:65536", "http://h:1"])
def test_addresses_are_checked(text):
    with pytest.raises(ValueError, match="A data service is HOST:PORT"):
        service.parse_addresses(text)


def test_addresses():
    found = service.parse_addresses("one:5050, grpc://two.local:1,[::1]:3")
    assert found == ("one:5050", "two.local:1", "[::1]:3")


def test_nobody_answers(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        service.require_answers([address])
    with pytest.raises(OSError, match=rf"No data service answers at {address} \("):
        service.require_answers([address])
    monkeypatch.setattr(service, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(service, "LOST_SECONDS", 0.05)
    lost = []
    with service.watched([address], lost.append, lambda: None):
        while not lost:
            pass
    assert lost[0].startswith(f"The data service at {address} does not answer any more")


def test_what_a_service_cannot_read(tmp_path):
    folder = write_folder(tmp_path / "photos")
    fsspec.filesystem("memory").put(f"{folder}/", "/served/", recursive=True)
    with pytest.raises(ValueError, match=r"not memory://served/train\. Leave --data-service out"):
        pipeline(open_source("memory://served", "train"), services=["host:1"])
