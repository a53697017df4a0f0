"""Prints how fast training images are read, against torchvision on the same files.

Both sides read 500 x 375 JPEGs from a folder, take a random crop of 224 x 224, flip and normalise
it and make batches of 32, as PyTorch's ImageNet example does: torchvision with two worker
processes and its default, bilinear; ours with a thread for every core, bicubic.
Rounds alternate, so that a busy machine slows both alike. torchvision is taken from the Python
interpreter that the environment variable TORCH_PYTHON names.
"""

import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import PIL.Image
import tensorflow as tf
from sklearn.datasets import load_sample_images

from keras_ghostnet.training.data import Augmentation, Pipeline, make_records, open_source

FILES = 384
LINKS = 8  # names of every file: an epoch as long as that its start does not count
SIZE = (500, 375)  # width and height in pixels
BATCH = 32
WORKERS = 2
ROUNDS = 5
TARGET = 2.5
PLAIN = Augmentation(color_jitter=0.0)  # what the other side does

# Prints a line with the images a second for every line that it is given.
TORCHVISION = f"""
import sys, time, torch, torchvision
from torchvision import transforms
dataset = torchvision.datasets.ImageFolder(
    sys.argv[1],
    transforms.Compose([
        transforms.RandomResizedCrop(224),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]),
)
loader = torch.utils.data.DataLoader(
    dataset, {BATCH}, shuffle=True, num_workers={WORKERS}, drop_last=True, persistent_workers=True
)
for _ in loader:
    pass
print(torch.__version__, torchvision.__version__, flush=True)
for _ in sys.stdin:
    start, count = time.perf_counter(), 0
    for images, labels in loader:
        count += len(images)
    print(count / (time.perf_counter() - start), flush=True)
"""


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
    """Images a second over an epoch, with its start."""
    start, count = time.perf_counter(), 0
    for batch in pipeline.batches(epoch, global_batch=BATCH):
        count += len(batch["image"])
    return count / (time.perf_counter() - start)


def pipelines(folder):
    """Ours: what is compared, and what else is worth to know."""
    make_records(folder / "photographs", folder / "records", shards=4)
    photographs = open_source(folder / "photographs", "train")
    records = open_source(folder / "records", "train")
    options = {"image_size": 224, "training": True}
    return {
        "image files": Pipeline(photographs, augmentation=PLAIN, **options),
        "TFRecords": Pipeline(records, augmentation=PLAIN, **options),
        "image files, colour jitter too": Pipeline(photographs, **options),
    }


def main():
    interpreter = os.environ.get("TORCH_PYTHON")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_photographs(folder / "photographs")
        ours = pipelines(folder)
        for pipeline in ours.values():
            rate(pipeline, 0)  # the first epoch builds the graph and fills the file cache
        theirs = interpreter and subprocess.Popen(
            [interpreter, "-c", TORCHVISION, str(folder / "photographs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        versions = theirs.stdout.readline().split() if theirs else None
        if theirs and not versions:
            print(f"{interpreter} cannot run torchvision", file=sys.stderr)
            return 1
        rows = []
        for epoch in range(ROUNDS):
            rows.append({name: rate(pipeline, epoch) for name, pipeline in ours.items()})
            if theirs:
                print("go", file=theirs.stdin, flush=True)
                rows[-1]["torchvision"] = float(theirs.stdout.readline())
        if theirs:
            theirs.stdin.close()
            theirs.wait()
    return report(rows, versions)


def report(rows, versions):
    """Prints medians; whether the ratio reaches the target."""
    for name in rows[0]:
        line = f"{name:<32} {statistics.median(row[name] for row in rows):6.0f} images/s"
        if versions and name != "torchvision":
            line += f"   {statistics.median(row[name] / row['torchvision'] for row in rows):5.2f} x"
        print(line)
    print(
        f"medians of {len(rows)} alternating rounds of {FILES * LINKS} JPEGs of "
        f"{SIZE[0]} x {SIZE[1]}; TensorFlow {tf.__version__}, {os.cpu_count()} cores, "
        f"{platform.machine()}"
    )
    if not versions:
        print("no comparison: TORCH_PYTHON names no interpreter with torchvision")
        return 0
    ratio = statistics.median(row["image files"] / row["torchvision"] for row in rows)
    print(
        f"torchvision {versions[1]} on PyTorch {versions[0]}: {WORKERS} workers, bilinear; "
        f"ours bicubic\nimage files / torchvision = {ratio:.2f}   (at least {TARGET})"
    )
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
