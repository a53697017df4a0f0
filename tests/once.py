"""Files that all of pytest's processes share, since they take long to make."""

import fcntl
import os


def made_once(tmp_path_factory, name, make):
    """A folder that the first process that asks for it fills; the others wait.

    Args:
        tmp_path_factory: Pytest's.
        name: The folder's.
        make: Function of the empty folder that fills it.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, made = base / name, base / f"{name}.made"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            made.touch()
    return folder
