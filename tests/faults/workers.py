"""A worker that is gone, and workers that do not see the same folder."""

import time

from tests.faults.site import SETTINGS, assert_same_run
from tests.training import runs

PATIENCE = 180  # seconds in which a worker must notice that another one is gone


def one_killed(site):
    """Each of two workers once: the other one ends, and the job that is started again goes on."""
    whole, run_dir = site.folder / "two-workers", site.folder / "two-workers-killed"
    together(site, whole)
    seconds = []
    for victim, step in ((1, 3), (0, 9)):
        with runs.started(words(site, run_dir), runs.cluster(2)) as processes:
            runs.wait_for_step(step, run_dir, processes[0])
            processes[victim].kill()
            begun = time.monotonic()
            _, errors = processes[1 - victim].communicate(timeout=PATIENCE)
            seconds.append(time.monotonic() - begun)
        assert processes[1 - victim].returncode == 75, (victim, errors)  # start again
        assert "Another worker is gone after step" in errors, errors
        assert "Traceback" not in errors, errors
    together(site, run_dir)
    assert_same_run(run_dir, whole)
    return "bit-identical; the other one ended after {:.0f} s, the chief killed {:.0f} s".format(
        *seconds
    )


def no_shared_folder(site):
    """A worker that does not see the checkpoints is refused, and with it all."""
    run_dir = site.folder / "shared"
    with runs.started(words(site, run_dir), runs.cluster(2)) as processes:
        runs.wait_for_step(2, run_dir, processes[0])
    chief, worker = runs.cluster(2)
    elsewhere = words(site, site.folder / "elsewhere")
    with (
        runs.started(words(site, run_dir), [chief]) as (one,),
        runs.started(elsewhere, [worker]) as (two,),
    ):
        for process in (one, two):
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 1, errors
            assert "do not see the same checkpoints" in errors, errors
    return "both workers refused"


def words(site, run_dir):
    return runs.command(site.photos, run_dir, "--strategy", "multi_worker", settings=SETTINGS)


def together(site, run_dir):
    """Two workers to the end."""
    with runs.started(words(site, run_dir), runs.cluster(2)) as processes:
        outputs = [process.communicate(timeout=400) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], outputs
