"""Prints how fast exported files of GhostNet 1.0 run, against other ways to run this network.

One image in one thread: our TFLite files for this machine (`--target host`), plain conversions of
the model as it is, the network of keras_cv_attention_models in LiteRT and that of timm in ONNX
Runtime, each in float32 and int8; in float32 also our files for the other runtimes, and timm's
network in them by the runtimes' own converters; all of them in turn. Then batches in two threads:
our SavedModel and ONNX file against timm in PyTorch. Then the time of `ghostnet export`. Weights
are random, with batch norms settled on the images.

TORCH_PYTHON and KECAM_PYTHON name the Python interpreters that have timm and
keras_cv_attention_models; without the latter it is left out, which is printed.
"""

import importlib.metadata
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

from tests.speed.sides import TORCH_PYTHON, Side, machine_line, serve, take_turns

MODEL = "ghostnet_100"
SIZE = 224
KECAM = "keras_cv_attention_models"
KECAM_PYTHON = os.environ.get("KECAM_PYTHON") or sys.executable
PEERS = pathlib.Path(__file__).with_name("export_peers.py")
PEER_FILES = ("kecam_fp32.tflite", "kecam_int8.tflite", "timm_fp32.onnx", "timm_int8.onnx")
FEW = 16  # images for batch norms and for the ranges of int8

ROUNDS, CALLS, BURST = 60, 10, 5  # calls of each file in a round
LEAST = 0.01  # of the fastest peer's time: operators that take less are not reported
BATCH, THREADS, STEPS, BATCH_ROUNDS = 32, 2, 4, 9
BATCH_FORMATS = ("saved_model", "onnx_fp32")
RUNTIMES = ("onnx", "openvino", "ncnn", "mnn")  # in which both sides run in float32
# The best of our files in float32, as a fraction of the fastest peer in any runtime, at most.
BEST = 0.88

# Our latency as a fraction of that of the fastest of some peers, at most. For
# keras_cv_attention_models, which has no int8, TFLite's converter makes the file in int8, as it
# makes ours: it stands beside the target.
TARGETS = {
    "tflite_fp32": (0.95, ("kecam_fp32", "timm_fp32")),
    "tflite_int8": (0.50, ("kecam_fp32", "timm_fp32", "timm_int8")),
}
BATCHES = 1.5  # times the images per second of timm in PyTorch, at least
QUIET = 0.5  # other work, in cores, that does not matter
SECONDS = 20  # for `ghostnet export` of tflite_fp32, at most


def write_ours(folder):
    """Our files, plain conversions, and the model itself; a dict of names and paths."""
    import keras

    from keras_ghostnet import create_model
    from keras_ghostnet.benchmark.networks.random_weights import settle_batch_norms
    from keras_ghostnet.export import formats, tflite
    from keras_ghostnet.preprocessing import normalize
    from tests.export.conftest import patches

    pixels = patches(BATCH, SIZE)
    images = normalize(pixels)
    np.save(folder / "pixels.npy", pixels)
    np.save(folder / "images.npy", images)
    keras.utils.set_random_seed(0)
    model = settle_batch_norms(create_model(MODEL, classifier_activation=None), images[:FEW])
    model.save(folder / "model.keras")
    paths = {}
    others = [f"{runtime}_fp32" for runtime in RUNTIMES]
    for name in dict.fromkeys(("tflite_fp32", "tflite_int8", *BATCH_FORMATS, *others)):
        options = {"target": "host"} if name.startswith("tflite") else {}
        fmt = formats.get_format(name)
        paths[name] = formats.export_model(model, fmt, folder, images[:FEW], **options)
    for name, dtype in (("plain_fp32", "float32"), ("plain_int8", "int8")):
        paths[name] = folder / f"{name}.tflite"
        tflite.export(model, paths[name], dtype, images[:FEW], one_partition=False, target="none")
    return paths


def write_peers(python, kind, folder):
    """Lets another Python write its files; returns the versions of what it used."""
    command = [python, str(PEERS), kind, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout.strip().splitlines()[-1]


def has(python, package):
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return not subprocess.run([python, "-c", code]).returncode


def single_images(ours, folder):
    """Median latencies of one image in milliseconds: a list of a dict of names a round."""
    from keras_ghostnet.benchmark.latency import measure_latency
    from keras_ghostnet.export import formats, onnx, tflite
    from tests.speed import runtime_peers

    image = np.load(folder / "images.npy")[0]
    names = [f"{side}_{kind}" for side in ("tflite", "plain") for kind in ("fp32", "int8")]
    paths = {name: ours[name] for name in names}
    peers = [folder / name for name in PEER_FILES]
    paths.update((path.stem, path) for path in peers if path.exists())
    functions = {}
    for name, path in paths.items():
        runtime = onnx if path.suffix == ".onnx" else tflite
        functions[name] = runtime.load(path, threads=1).single(image)
    for runtime in RUNTIMES:
        name = f"{runtime}_fp32"
        functions[name] = formats.load(ours[name], formats.get_format(name)).single(image)
        if runtime != "onnx":
            peer = getattr(runtime_peers, runtime)
            functions[f"timm_{runtime}"] = peer(folder / "timm_fp32.onnx", image)
    measure_latency(functions, calls=CALLS)
    rounds = [measure_latency(functions, calls=CALLS, burst=BURST, warmup=1) for _ in range(ROUNDS)]
    return [{name: times.median for name, times in row.items()} for row in rounds]


def batches(name, path, images):
    """The other end of a side: batches in one of our formats."""
    from keras_ghostnet.export import formats

    images = np.load(images)
    runner = formats.load(path, formats.get_format(name), THREADS)

    def turn():
        start = time.perf_counter()
        for _ in range(STEPS):
            runner(images)
        return len(images) * STEPS / (time.perf_counter() - start)

    turn()
    serve(name, turn)


def batch_rates(paths, folder):
    """Images per second in batches: a list of a dict of names a round."""
    images = folder / "images.npy"
    module = [sys.executable, "-m", "tests.speed.export"]
    # TensorFlow has started when `batches` is called.
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": str(THREADS)}
    sides = {
        name: Side(*module, name, paths[name], images, environment=environment)
        for name in BATCH_FORMATS
    }
    sides["timm"] = Side(TORCH_PYTHON, PEERS, "batches", folder, THREADS, STEPS)
    return take_turns(sides, BATCH_ROUNDS)


def export_seconds(folder):
    """The time of the command, from its start to its end, verification included."""
    ghostnet = pathlib.Path(sys.executable).with_name("ghostnet")
    command = [ghostnet, "export", folder / "model.keras", "--formats", "tflite_fp32"]
    command += ["--calibration", folder / "pixels.npy", "--out", folder / "exported"]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def report(rows, versions):
    """Prints medians over the rounds, the spread of a tenth to nine tenths, and versions."""
    for name in rows[0]:
        values = [row[name] for row in rows]
        low, middle, high = np.percentile(values, (10, 50, 90))
        version = versions.get(name.split("_")[0], "")
        print(f"{name:<12} {middle:8.2f} ({low:.2f} to {high:.2f})   {version}".rstrip())


def ratio(rows, ours, theirs, target=None):
    """Prints a ratio, its median over the rounds and spread, and its target; returns the median."""
    low, middle, high = np.percentile([row[ours] / row[theirs] for row in rows], (10, 50, 90))
    print(f"{ours} / {theirs} = {middle:.3f} ({low:.3f} to {high:.3f})   {target or ''}".rstrip())
    return middle


def operators(path, ratio):
    """Prints what every type of operator takes, as a fraction of what the fastest peer takes.

    Args:
        path: One of our `.tflite` files.
        ratio: Its time as a fraction of the peer's, measured in turn with it. Operators are timed
            by themselves, so of them only the shares are taken.
    """
    from keras_ghostnet.benchmark import profile

    found = profile(path)
    shares = {kind.type: kind.microseconds / found.total for kind in found.by_type()}
    parts = {name: share * ratio for name, share in shares.items() if share * ratio >= LEAST}
    print("  of it", ", ".join(f"{name} {part:.2f}" for name, part in parts.items()))


def best(rows, names, choose):
    """Of the names that there are, the one with the best median."""
    medians = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    return choose((name for name in names if name in medians), key=medians.get)


def main():
    from keras_ghostnet.export.graph.lowering import host
    from keras_ghostnet.quiet import quiet

    load = os.getloadavg()[0]
    if hasattr(os, "sched_setaffinity"):  # Linux; the processes that are started inherit it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with quiet():
            paths = write_ours(folder)
        versions = {"timm": write_peers(TORCH_PYTHON, "timm", folder)}
        if has(KECAM_PYTHON, KECAM):
            versions["kecam"] = write_peers(KECAM_PYTHON, "kecam", folder)
        else:
            print(f"{KECAM} is not there: not compared with. KECAM_PYTHON names its Python.\n")
        rows, batch_rows = single_images(paths, folder), batch_rates(paths, folder)
        seconds = export_seconds(folder)
        reached = []
        print(f"GhostNet 1.0, {SIZE} px, one image, one thread, milliseconds:")
        report(rows, versions)
        for ours, (limit, peers) in TARGETS.items():
            peer = best(rows, peers, min)
            others = [name for name in ("plain_fp32", "plain_int8", *peers) if name != peer]
            others = [name for name in others if name in rows[0]]
            found = ratio(rows, ours, peer, f"(the fastest peer: at most {limit})")
            reached.append(found <= limit)
            operators(paths[ours], found)
            for other in others:
                ratio(rows, ours, other)
        own = best(rows, [f"{runtime}_fp32" for runtime in ("tflite", *RUNTIMES)], min)
        rivals = ["kecam_fp32", "timm_fp32", *(f"timm_{runtime}" for runtime in RUNTIMES)]
        rival = best(rows, rivals, min)
        reached.append(ratio(rows, own, rival, f"(in any runtime: at most {BEST})") <= BEST)
        for runtime in RUNTIMES:
            timms = "timm_fp32" if runtime == "onnx" else f"timm_{runtime}"
            ratio(rows, f"{runtime}_fp32", timms)
    print(f"\nbatches of {BATCH}, {THREADS} threads, images per second:")
    report(batch_rows, versions)
    ours = best(batch_rows, BATCH_FORMATS, max)
    reached.append(ratio(batch_rows, ours, "timm", f"(at least {BATCHES})") >= BATCHES)
    print(f"\nghostnet export --formats tflite_fp32: {seconds:.1f} s   (at most {SECONDS})")
    reached.append(seconds <= SECONDS)
    facts = machine_line(target=host(), onnxruntime=importlib.metadata.version("onnxruntime"))
    print(f"\nmedians of {ROUNDS} and {BATCH_ROUNDS} rounds, in turn; {facts}")
    if load > QUIET:
        print(f"The load was {load:.1f} before: threads wait for each other, in PyTorch above all.")
        print("No ratio counts. Run this on a machine that does nothing else.")
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(batches(*sys.argv[1:]) if sys.argv[1:] else main())
