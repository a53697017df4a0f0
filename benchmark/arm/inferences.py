"""Runs a file while a plugin of QEMU's counts: `python inferences.py FOLDER FILE INFERENCES`.

After one inference it forks, and the child ends at once: what was counted of it is what loading
takes, and the rest is that of the inferences that follow. Needs but `export/device/run.py`, which
lies in FOLDER.
"""

import importlib
import os
import sys


def main(folder, path, inferences):
    sys.path.insert(0, folder)
    run = importlib.import_module("run")
    try:
        model = run.open_model(path, 1)
        model.invoke()
    except Exception as error:  # whatever a damaged file causes
        print(f"error: {error}", file=sys.stderr)
        return 1
    child = os.fork()
    if child == 0:
        os._exit(0)
    for _ in range(int(inferences)):
        model.invoke()
    os.waitpid(child, 0)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
