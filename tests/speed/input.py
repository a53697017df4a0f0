"""Prints how fast training images are read, against torchvision on the same files.

Both sides read 500 x 375 JPEGs from a folder, take a random crop of 224 x 224, flip and normalize
it and make batches of 32: torchvision with two worker processes, ours with a thread for every core.
They are compared in every augmentation: bilinear, as PyTorch's ImageNet example and the recipes of
G-GhostNet have it, bicubic, and bicubic with color jitter, as those of C-GhostNet have it. Besides,
ours reads TFRecords. And what no pipeline of TensorFlow's can do without is timed alone: reading
and decoding a crop, and that with resizing. It bounds what ours can reach, and shows what takes the
time.
torchvision is taken from the Python interpreter that TORCH_PYTHON names, or from this one.
"""

import dataclasses
import functools
import itertools
import os
import pathlib
import platform
import shutil
import statistics
import sys
import tempfile

import numpy as np
import PIL.Image
import tensorflow as tf
from sklearn.datasets import load_sample_images

from keras_ghostnet.quiet import quiet
from keras_ghostnet.training.data import (
    Augmentation,
    Pipeline,
    images,
    make_records,
    open_source,
    transforms,
)
from keras_ghostnet.training.data.dataset_options import dataset_options
from tests.speed.sides import PEERS, TORCH_PYTHON, Side, serve, steady_rate, take_turns

FILES = 384
# Of every file: no epoch ends within the comparison, so that no file is read twice, as no record
# is. A few, read again and again, would lie in the processor's cache, which no data set fits.
COPIES = 72
SIZE = (500, 375)  # width and height in pixels
SIDE = 224  # of a crop, in pixels
BATCH = 32
WORKERS = 2
ROUNDS = 15
AHEAD = 8  # batches at the start of a turn that are not counted: some were ready before it
COUNTED = 48  # batches of a turn
SPEEDUP = 2.5  # over torchvision, at least
JITTER = 0.15  # of the time for an image, at most
AUGMENTATIONS = {
    "bilinear": Augmentation(color_jitter=0.0, interpolation="bilinear"),
    "bicubic": Augmentation(color_jitter=0.0),
    "bicubic, jitter": Augmentation(),
}
OWN = (sys.executable, "-m", "tests.speed.input")
RECORDS, PEER = "TFRecords, bilinear", "torchvision, "
CROP, BOUND = "crop alone", "crop and resize alone, "


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
        for copy in range(1, COPIES):
            shutil.copyfile(path, path.with_name(f"{number:04}_{copy}.jpg"))


def ours(source, augmentation):
    """Our side: a turn is some batches of an endless epoch."""
    pipeline = Pipeline(
        open_source(source, "train"),
        image_size=SIDE,
        training=True,
        augmentation=AUGMENTATIONS[augmentation],
    )
    epochs = (pipeline.batches(epoch, global_batch=BATCH) for epoch in itertools.count())
    batches = (batch["image"] for batch in itertools.chain.from_iterable(epochs))
    next(batches)  # builds the graph
    serve(f"TensorFlow {tf.__version__}", lambda: steady_rate(batches, AHEAD, COUNTED))


def bound(folder, augmentation=None):
    """The bound's side: crops are decoded and maybe resized, and a pixel of each is kept."""
    if augmentation is None:
        take = images.decode_random_crop
    else:
        settings = dataclasses.replace(AUGMENTATIONS[augmentation], flip=False)
        take = functools.partial(transforms.random_view, size=(SIDE, SIDE), settings=settings)
    reader = open_source(folder, "train").reader

    def pixel(key):
        encoded, _ = reader.load(key[1] % len(reader), None)
        return take(encoded, key)[0, 0]

    crops = tf.data.Dataset.random(seed=0).batch(2).repeat()
    crops = crops.map(pixel, os.cpu_count()).batch(BATCH).prefetch(2)
    crops = iter(crops.with_options(dataset_options()))
    next(crops)  # builds the graph
    serve(f"TensorFlow {tf.__version__}", lambda: steady_rate(crops, AHEAD, COUNTED))


def peer(folder, augmentation):
    """torchvision's side, with the same augmentation."""
    settings = AUGMENTATIONS[augmentation]
    options = (BATCH, WORKERS, settings.interpolation, settings.color_jitter, AHEAD, COUNTED)
    return Side(TORCH_PYTHON, PEERS, "torchvision", folder, *options)


def main():
    with tempfile.TemporaryDirectory() as folder, quiet():
        files, records = pathlib.Path(folder, "photographs"), pathlib.Path(folder, "records")
        write_photographs(files)
        make_records(files, records, shards=4)
        sides = {
            CROP: Side(*OWN, "bound", files),
            RECORDS: Side(*OWN, "ours", records, "bilinear"),  # next to the same of files
        }
        for name in AUGMENTATIONS:
            sides[name] = Side(*OWN, "ours", files, name)
            if not AUGMENTATIONS[name].color_jitter:
                sides[BOUND + name] = Side(*OWN, "bound", files, name)
            sides[PEER + name] = peer(files, name)
        rows = take_turns(sides, ROUNDS)
    return report(rows, sides)


def report(rows, sides):
    """Prints medians; whether they reach the targets."""
    for name in sides:
        print(f"{name:<31} {statistics.median(row[name] for row in rows):6.0f} images/s")
    print(
        f"medians of {len(rows)} alternating rounds of {COUNTED} batches of {BATCH} JPEGs of "
        f"{SIZE[0]} x {SIZE[1]}; {os.cpu_count()} cores, {platform.machine()}; "
        f"{sides[RECORDS].versions}; {sides[PEER + 'bilinear'].versions}, {WORKERS} workers"
    )
    for name in [name for name in AUGMENTATIONS if BOUND + name in sides]:
        ratio = statistics.median(row[BOUND + name] / row[PEER + name] for row in rows)
        crop, resized = (
            statistics.median(row[name] / row[part] for row in rows)
            for part in (CROP, BOUND + name)
        )
        print(
            f"{BOUND}{name} / torchvision = {ratio:.2f}; of ours, reading and decoding a crop take "
            f"{crop:.0%} of the time, resizing {resized - crop:.0%}, the rest {1 - resized:.0%}"
        )
    found = [
        (f"{name} / torchvision", [row[name] / row[PEER + name] for row in rows], SPEEDUP)
        for name in AUGMENTATIONS
    ]
    found.append(("TFRecords / image files", [row[RECORDS] / row["bilinear"] for row in rows], 1))
    # The jitter takes what is missing of the rate without it.
    jitter = [row["bicubic, jitter"] / row["bicubic"] for row in rows]
    found.append(("bicubic, jitter / bicubic", jitter, 1 - JITTER))
    reached = []
    for name, ratios, target in found:
        ratio = statistics.median(ratios)
        reached.append(ratio >= target)
        print(
            f"{name} = {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})   "
            f"(at least {target}{'' if reached[-1] else ', missed'})"
        )
    return 0 if all(reached) else 1


if __name__ == "__main__":
    if sys.argv[1:]:
        {"ours": ours, "bound": bound}[sys.argv[1]](*sys.argv[2:])
    else:
        sys.exit(main())
