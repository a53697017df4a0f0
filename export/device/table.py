"""Measures the models of a kit (`ghostnet compare --export-only`) into a CSV: `run.py --csv`."""

import csv
import hashlib
import json
import os
import sys

import numpy as np

if __package__:
    from keras_ghostnet.export.device import run
else:  # copied to a device
    import run  # type: ignore[import-not-found,no-redef]

device = run.beside("conditions")


def run_table(args):
    """Measures the models of a `models.json`; a run that is interrupted keeps what it has.

    Args:
        args: The arguments of `run.py`.

    Raises:
        ValueError: If the CSV is there already, or a file is not the one that was exported.
    """
    if os.path.exists(args.csv):
        raise ValueError(f"There is a file {args.csv} already. Choose another name.")
    with open(args.models[0], encoding="utf-8") as file:
        table = json.load(file)
    models = {}
    for entry in table["models"]:
        path = os.path.join(os.path.dirname(args.models[0]), entry["file"])
        if _digest(path) != entry["sha256"]:
            raise ValueError(f"{path} is not what was exported. Copy the folder once more.")
        models[entry["file"]] = run.open_model(path, args.threads)
    invokes = {
        name: model.single(np.zeros(model.input_shape, model.dtype))
        for name, model in models.items()
    }
    conditions, times = device.Conditions(), {name: [] for name in invokes}
    facts = dict(schema=table["schema"], run=device.now(), device=args.device or conditions.device)
    facts.update(threads=args.threads, batch=1, unit="ms")
    if args.threads > len(conditions.cores):
        print(f"warning: {args.threads} threads on {len(conditions.cores)} cores", file=sys.stderr)
    try:
        for _ in run.rounds(invokes, args.calls, args.burst, args.warmup, 1, times):
            done = min(map(len, times.values()))
            print(f"\r{done} of {args.calls} calls", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        if not all(times.values()):
            raise
        print(" until it was interrupted", end="", file=sys.stderr)
    others = conditions.others()
    for entry in table["models"]:
        model, measured = models[entry["file"]], times[entry["file"]]
        entry.update(facts, **device.summary(measured, others))
        entry.update(runtime=model.runtime, versions=f"{table['made_by']}; {model.version}")
        entry.update(conditions=conditions.describe(others))
    with run.replacing(args.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, table["columns"], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table["models"])
    print(f"\nWrote {args.csv}: bring it back to `ghostnet compare --from {args.csv}`")


def _digest(path):
    """SHA-256 of a file; of a folder, of its files' names and hashes, as in sidecars."""
    if os.path.isdir(path):
        names = sorted(os.listdir(path))
        content = "".join(
            f"{name} {_digest(os.path.join(path, name))}\n" for name in names
        ).encode()
    else:
        with open(path, "rb") as file:
            content = file.read()
    return hashlib.sha256(content).hexdigest()
