"""A disk that is full in the middle of a run: a small file system in a namespace of its own."""

import hashlib
import pathlib
import shutil
import subprocess
import sys

from keras_ghostnet.training.checkpoints import Checkpoints
from tests.faults.site import SETTINGS, Skipped, assert_same_run, refused, succeed
from tests.training import runs

NAMESPACE = ("unshare", "--map-root-user", "--mount")
MOUNT = 'mount -t tmpfs -o size="$0" none "$1" && shift && exec "$@"'


def full_disk(site):
    """The disk takes the first epoch; then a file of the user's fills it, and is removed later."""
    disk = site.folder / "disk"
    disk.mkdir()
    mounted = (*NAMESPACE, "sh", "-c", MOUNT, "1m", str(disk), "true")
    if not shutil.which("unshare") or subprocess.run(mounted, capture_output=True).returncode:
        raise Skipped("no small file system can be mounted here: it takes user namespaces or root")
    whole, _ = site.whole
    size = sum(path.stat().st_size for path in whole.rglob("*"))
    inside = (*NAMESPACE, "sh", "-c", MOUNT, str(2 * size), str(disk))
    module = (sys.executable, "-m", "tests.faults.full_disk")
    words = (*inside, *module, str(disk), str(site.photos), str(whole))
    return succeed(subprocess.run(words, capture_output=True, text=True)).stdout.strip()


def main(disk, photos, whole):
    """Within the namespace."""
    run_dir, filling = disk / "run", disk / "filling"
    words = runs.command(photos, run_dir, settings=SETTINGS)
    with runs.started(words) as (process,):
        runs.wait_for_step(6, run_dir, process)
        filling.touch()
        fill(filling)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, (process.returncode, errors)
    assert "Traceback" not in errors, errors
    assert "No space left on device" in errors, errors
    kept = checksums(run_dir)
    assert max(Checkpoints(run_dir / "checkpoints").steps()) >= 6
    refused(runs.train(photos, run_dir, settings=SETTINGS), "No space left on device")
    assert checksums(run_dir) == kept
    filling.unlink()
    done = succeed(runs.train(photos, run_dir, settings=SETTINGS))
    assert "Resuming after" in done.stdout
    assert "is broken" not in done.stdout
    assert_same_run(run_dir, whole)
    print(f"bit-identical after space was made; said: {errors.strip()[:120]}")


def fill(path):
    """Writes until nothing goes in any more."""
    with path.open("wb", buffering=0) as file:
        for size in (2**20, 2**12):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue


def checksums(run_dir):
    """Of the files of all finished checkpoints."""
    checkpoints = Checkpoints(run_dir / "checkpoints")
    names = [f"step-{step:08d}" for step in checkpoints.steps()]
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name in names
        for path in checkpoints.folder.glob(f"{name}.*")
    }


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
