"""Turns image folders into sharded TFRecords that are resumed, and checked at the end."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import itertools
import os
import time

import numpy as np
import tensorflow as tf
from rich.console import Console

from keras_ghostnet import console as terminal
from keras_ghostnet import files
from keras_ghostnet.training.data import image_formats, listing, map_folders, outputs, sources
from keras_ghostnet.training.data.manifest import INDEX, Manifest
from keras_ghostnet.training.data.shards import find_offsets, write_index
from keras_ghostnet.training.data.stored_folder import StoredPath
from keras_ghostnet.training.settings import Count, PartialFraction, Seed, Threads, within_ranges

FORMAT = 1  # of what a record holds
FIRST_LABEL = 1  # TensorFlow's ImageNet layout keeps 0 for the background
SHARD_BYTES = 128 << 20  # aimed at
FILE_NAMES = {
    "train": "train",
    "val": "validation",
    "test": "test",
}  # as TensorFlow's ImageNet layout has it
NO_IMAGES = "files that are no images"
READ_AT_ONCE = 64  # images of a store
SHOWN = 5  # paths that a message lists at most
LINE_SECONDS = 10  # between lines where there is no terminal


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file to write: its name and its images, pairs (path in the input folder, label from 0)."""

    name: str
    images: tuple


@within_ranges
def make_records(
    input: str | os.PathLike,
    output: str | os.PathLike,
    *,
    shards: Count | None = None,
    workers: Threads | None = None,
    seed: Seed = 0,
    held_out: PartialFraction = 0.1,
    console: Console | None = None,
) -> dict[str, int]:
    """Writes the images of a folder as TFRecords in TensorFlow's ImageNet layout.

    Every split's images are shuffled by the seed and written to `train-00000-of-00008` and so on,
    `validation-...` likewise: the files' bytes as they are in `image/encoded`, the label counted
    from 1 in `image/class/label`, the class's name in `image/class/text` and the path in
    `image/filename`. `classes.json` beside them has the classes, `manifest.json` the settings
    and every file's size and CRC, `train-00000-of-00008.idx` where the file's records begin, as
    NVIDIA DALI reads it. The same input and settings give the same bytes.

    A run that was interrupted continues: files that are whole, as their CRC shows, are kept. In
    the end all files are read back and compared with the folder. In a store, files of the size
    that was written are kept, and each is read back before it is sent there.

    Args:
        input: An image folder, or ImageNet as Kaggle lays it out; see `listing.list_images`. It may
            be in a store, e.g. `"s3://BUCKET/photos"`.
        output: The folder to write, empty or started by the same call; or a place in a store.
        shards: How many files the training images go to; the others go to files of about that
            size. None makes files of about 128 MiB.
        workers: The number of files written at once; None takes one per core.
        seed: Of the order of the images, and of what is held out where `input` has no splits.
        held_out: The fraction of every class that is held out then.
        console: Where to show progress; None prints nothing.

    Returns:
        A dict: split to number of examples.

    Raises:
        FileNotFoundError: If there is no such input.
        OSError: If `output` cannot be written to.
        FileExistsError: If `output` holds something else, or was started from another input or
            with other settings.
        ValueError: If an argument is out of range, the input is no image folder, holds links
            that lead out of it or files that are no images, or what was written is not what was
            to be written.
    """
    target = outputs.open_output(output)
    folder = sources.open_folder(input, console)
    if map_folders.find_folders(folder):
        raise ValueError(
            f"{files.printable(input)} holds images with maps of classes, for which there are no "
            "TFRecords here. Train on the folder itself."
        )
    images = listing.list_images(folder, seed=seed, held_out=held_out)
    if console is not None:
        console.print(images.describe(), soft_wrap=True, markup=False)
    stats = _stats(images)
    plan = _plan(images, stats, shards, seed)
    target.require_writable()
    manifest = Manifest(target, _settings(images, stats, plan, seed))
    sources.write_class_list(target, images.class_names, FIRST_LABEL)
    workers = workers or os.cpu_count()
    write = functools.partial(_write, images=images, stats=stats, manifest=manifest)
    _for_each(plan, write, workers, console, "written")
    if not target.is_stored:
        check = functools.partial(_check, stats=stats, output=target)
        _for_each(plan, check, workers, console, "checked")
    manifest.finish()
    return {split: len(examples) for split, examples in images.splits.items()}


def _stats(images):
    """Size in bytes and time of change of every image, by its path.

    Records are passed on: a link must not take a private file along, nor a name what is no image.
    """
    if isinstance(images.root, StoredPath):  # which has no links; what it holds is read but once
        examples = itertools.chain.from_iterable(images.splits.values())
        return {path: ((images.root / path).size, 0) for path, _ in examples}
    found, root = {}, os.path.realpath(images.root)
    folder_of = functools.cache(os.path.realpath)
    strangers = {"links that lead out of the folder": [], NO_IMAGES: []}
    outside, no_images = strangers.values()
    for examples in images.splits.values():
        for path, _ in examples:
            place = images.root / path
            stat = os.stat(place)
            found[path] = stat.st_size, stat.st_mtime_ns
            real = os.path.realpath(place) if place.is_symlink() else folder_of(place.parent)
            if os.path.commonpath([real, root]) != root:
                outside.append(path)
            elif not _is_image(path, _head(place)):
                no_images.append(path)
    for kind, paths in strangers.items():
        _refuse(images, kind, paths)
    return found


def _refuse(images, kind, paths):
    if paths:
        shown = ", ".join(files.printable(path) for path in paths[:SHOWN])
        raise ValueError(
            f"{files.printable(images.root)} holds {kind}, which records would copy: {shown}"
            f"{f' and {len(paths) - SHOWN} more' if len(paths) > SHOWN else ''}. Move them "
            "away, or replace links by what they lead to."
        )


def _head(path):
    with open(path, "rb") as file:
        return file.read(image_formats.HEAD_BYTES)


def _is_image(path, head):
    """Whether a file begins as one of a format that is read, or its suffix alone can tell."""
    named = image_formats.SUFFIXES.get(os.path.splitext(path)[1].lower())
    return bool(image_formats.recognize(head)) or bool(head and named in image_formats.HEADLESS)


def _plan(images, stats, shards, seed):
    """The shards of all splits, largest split first."""
    plan, size = [], SHARD_BYTES
    for split, examples in images.splits.items():
        total = sum(stats[path][0] for path, _ in examples)
        count = shards if shards and split == "train" else round(total / size)
        count = max(1, min(count, len(examples)))
        if split == "train" and shards:
            size = max(1, total // count)
        order = np.random.default_rng(seed).permutation(len(examples))
        plan += [
            Shard(
                f"{FILE_NAMES[split]}-{number:05}-of-{count:05}",
                tuple(examples[index] for index in part),
            )
            for number, part in enumerate(np.array_split(order, count))
        ]
    return plan


def _settings(images, stats, plan, seed):
    """What must be the same for a run to be continued."""
    content = hashlib.sha256()
    for split, examples in images.splits.items():
        for path, label in examples:
            content.update(os.fsencode(f"{split}\0{path}\0{label}\0{stats[path]}\n"))
    return {
        "format": FORMAT,
        "seed": seed,
        "first_label": FIRST_LABEL,
        "classes": hashlib.sha256("\n".join(images.class_names).encode()).hexdigest(),
        "files": dict(collections.Counter(shard.name.split("-")[0] for shard in plan)),
        "input": content.hexdigest(),  # paths, labels, sizes and times
    }


def _write(shard, images, stats, manifest):
    if shard.name in manifest:
        return
    output = manifest.output
    with output.placing(shard.name) as partial:
        with tf.io.TFRecordWriter(str(partial)) as writer:
            for path, label, content in _read(images, shard):
                writer.write(_record(images, path, label, content))
        entry = manifest.entry(partial, len(shard.images))
        if output.is_stored:
            _require_content(shard, stats, partial, output)
        index = _index(partial)
    output.write(f"{shard.name}{INDEX}", index)
    manifest.add(shard.name, entry)


def _index(path):
    return write_index(find_offsets(path), path.stat().st_size)


def _read(images, shard):
    """Path, label and content of each of a shard's images; of a store many are read at once."""
    if not isinstance(images.root, StoredPath):
        for path, label in shard.images:
            yield path, label, (images.root / path).read_bytes()
        return
    objects = images.root.tree.objects
    for start in range(0, len(shard.images), READ_AT_ONCE):
        some = shard.images[start : start + READ_AT_ONCE]
        contents = objects.read_many([(images.root / path).relative for path, _ in some])
        for (path, label), content in zip(some, contents, strict=True):
            if isinstance(content, OSError):
                raise content
            if not _is_image(path, content[: image_formats.HEAD_BYTES]):
                _refuse(images, NO_IMAGES, [path])
            yield path, label, content


def _record(images, path, label, content):
    features = {
        "image/encoded": _bytes(content),
        "image/class/label": tf.train.Feature(
            int64_list=tf.train.Int64List(value=[label + FIRST_LABEL])
        ),
        "image/class/text": _bytes(images.class_names[label].encode()),
        "image/filename": _bytes(os.fsencode(path)),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def _bytes(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _check(shard, stats, output):
    """Reads a shard back, and gives it its index if it was written without one."""
    path = output.folder / shard.name
    _require_content(shard, stats, path, output)
    if not path.with_name(f"{shard.name}{INDEX}").is_file():
        output.write(f"{shard.name}{INDEX}", _index(path))


def _require_content(shard, stats, path, output):
    """Reads a file back: TensorFlow checks every record's CRC, and the content is compared."""
    found, name = [], f"{output.place}/{shard.name}"
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            feature = tf.train.Example.FromString(record).features.feature
            path = os.fsdecode(feature["image/filename"].bytes_list.value[0])
            label = feature["image/class/label"].int64_list.value[0] - FIRST_LABEL
            found.append((path, label, len(feature["image/encoded"].bytes_list.value[0])))
    except tf.errors.DataLossError as error:
        raise ValueError(
            f"{name} is damaged after {len(found)} records. Remove it and run the same command "
            "again; if it happens again, the disk is at fault."
        ) from error
    if found != [(path, label, stats[path][0]) for path, label in shard.images]:
        raise ValueError(
            f"{name} does not hold the {len(shard.images)} images that were to be written: found "
            f"{len(found)}. Did the images change meanwhile? Remove {output.place} and run the "
            "same command again."
        )


def _for_each(plan, job, workers, console, done):
    """Runs a job for every shard in threads, and shows how far it is and the time left.

    Files and checksums are read and written outside Python's lock, so threads suffice.
    """
    total, finished = sum(len(shard.images) for shard in plan), 0
    start = shown = time.perf_counter()
    with contextlib.ExitStack() as stack:
        update = stack.enter_context(terminal.progress(console, f"images {done}", total))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(workers))
        stack.callback(pool.shutdown, cancel_futures=True)  # after an error, begin nothing more
        jobs = {pool.submit(job, shard): len(shard.images) for shard in plan}
        for future in concurrent.futures.as_completed(jobs):
            future.result()
            finished += jobs[future]
            update(finished, f"{finished} of {total}")
            now = time.perf_counter()
            if console is None or console.is_terminal:
                continue
            if now - shown > LINE_SECONDS or finished == total:
                left = (now - start) / finished * (total - finished)
                console.print(f"  {finished} of {total} images {done}, {left:.0f} s left")
                shown = now
