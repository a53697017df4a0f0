"""Prints how fast training images are read, against torchvision on the same files.

Both sides read 500 x 375 JPEGs from a folder, take a random crop of 224 x 224, flip and normalize
it and make batches of 32, as PyTorch's ImageNet example and the recipes of G-GhostNet do, bilinear:
torchvision with two worker processes, ours with a thread for every core. Besides, ours bicubic, and
with the color jitter, as the recipes of C-GhostNet have it.
torchvision is taken from the Python interpreter that TORCH_PYTHON names, or from this one.
"""

import functools
import itertools
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time

import numpy as np
import PIL.Image
import tensorflow as tf
from sides import PEERS, TORCH_PYTHON, Side, serve, take_turns
from sklearn.datasets import load_sample_images

from keras_ghostnet.training.data import Augmentation, Pipeline, make_records, open_source

FILES = 384
LINKS = 48  # names of every file: in so long an epoch its start hardly counts
SIZE = (500, 375)  # width and height in pixels
BATCH = 32
WORKERS = 2
ROUNDS = 5
TARGET = 2.5
PLAIN = Augmentation(color_jitter=0.0, interpolation="bilinear")  # what the other side does
BICUBIC = Augmentation(color_jitter=0.0)


def write_photographs(folder):
    """Parts of scikit-learn's two photographs, as two classes."""
    random = np.random.default_rng(0)
    photographs = [PIL.Image.fromarray(image) for image in load_sample_images().images]
    for number in range(FILES):
        label = number % len(photographs)
        photograph = photographs[label]
        sides = np.array(photograph.size) * random.uniform(0.6, 1)
        x, y = random.uniform(0, np.array(photograph.size) - sides)
        part = photograph.resize(SIZE, PIL.Image.BICUBIC, (x, y, x + sides[0], y + sides[1]))
        path = folder / str(label) / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        part.save(path, quality=90)
        for copy in range(1, LINKS):
            os.link(path, path.with_name(f"{number:04}_{copy}.jpg"))


def rate(pipeline, epoch):
    """Images per second over an epoch, with its start."""
    start, count = time.perf_counter(), 0
    for batch in pipeline.batches(epoch, global_batch=BATCH):
        count += len(batch["image"])
    return count / (time.perf_counter() - start)


def photographs(folder, **options):
    source = open_source(folder / "photographs", "train")
    return Pipeline(source, image_size=224, training=True, **options)


def records(folder):
    source = open_source(folder / "records", "train")
    return Pipeline(source, image_size=224, training=True, augmentation=PLAIN)


# What is compared, and what else is worth to know.
PEER, COMPARED = "torchvision", "image files"
PIPELINES = {
    COMPARED: functools.partial(photographs, augmentation=PLAIN),
    "TFRecords": records,
    "image files, bicubic": functools.partial(photographs, augmentation=BICUBIC),
    "image files, bicubic, jitter": photographs,
}


def ours():
    """Our side: a turn is an epoch."""
    pipeline = PIPELINES[sys.argv[2]](pathlib.Path(sys.argv[1]))
    epochs = itertools.count()
    rate(pipeline, next(epochs))  # builds the graph and fills the file cache
    serve(f"TensorFlow {tf.__version__}", lambda: rate(pipeline, next(epochs)))


def main():
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(pathlib.Path(folder, "photographs"))
        make_records(f"{folder}/photographs", f"{folder}/records", shards=4)
        sides = {name: Side(sys.executable, __file__, folder, name) for name in PIPELINES}
        sides[PEER] = Side(
            TORCH_PYTHON, PEERS, "torchvision", f"{folder}/photographs", BATCH, WORKERS
        )
        rows = take_turns(sides, ROUNDS)
    return report(rows, sides)


def report(rows, sides):
    """Prints medians; whether the ratio reaches the target."""
    for name in sides:
        ratios = [row[name] / row[PEER] for row in rows]
        print(
            f"{name:<32} {statistics.median(row[name] for row in rows):6.0f} images/s   "
            f"{statistics.median(ratios):5.2f} x ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    ratio = statistics.median(row[COMPARED] / row[PEER] for row in rows)
    print(
        f"medians of {len(rows)} alternating rounds of {FILES * LINKS} JPEGs of {SIZE[0]} x "
        f"{SIZE[1]}; {os.cpu_count()} cores, {platform.machine()}; "
        f"{sides[COMPARED].versions}; {sides[PEER].versions}, {WORKERS} workers\n"
        f"{COMPARED} / {PEER} = {ratio:.2f}   (at least {TARGET})"
    )
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(ours() if sys.argv[1:] else main())
