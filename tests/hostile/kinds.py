"""Every kind of file that is read: a sound one, and how its mutations are read."""

import dataclasses
import functools
import gzip
import json
import pathlib
import zipfile
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_ghostnet import weights
from keras_ghostnet.benchmark.comparison import results
from keras_ghostnet.export import class_names, export, images, sandbox, verify
from keras_ghostnet.export.formats import get_format
from keras_ghostnet.model_file import load_model
from keras_ghostnet.model_reference import resolve_model
from keras_ghostnet.training.checkpoints import Checkpoints, State
from keras_ghostnet.training.data import (
    decoding,
    make_records,
    open_source,
    shards,
    stored_listing,
)
from tests.benchmark.comparison.samples import measurements
from tests.training.photographs import encode, picture, write_folder
from tests.weights import checkpoint_files

SIZE = (16, 16)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        make: Function of a folder that writes a sound file into it, and what belongs to it;
            returns the file's path.
        read: Function of the path that reads it as the package does. It raises what the command
            shows as one line, or AssertionError for a wrong result.
        cases: How many mutations a whole run tries.
    """

    make: Callable
    read: Callable
    cases: int


def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((*SIZE, 3), name="image")
    x = keras.layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv")(inputs)
    x = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization(name="bn")(x))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = keras.layers.Dense(3, name="dense")(x)
    return keras.Model(inputs, outputs, name="net")


def model(suffix, folder):
    path = folder / f"model{suffix}"
    network().save(path)
    return path


def tensors():
    random = np.random.default_rng(0)
    return {f"layer{i}.weight": random.normal(size=(4, 3)).astype("float32") for i in range(5)}


def checkpoint(suffix, folder):
    path = folder / f"weights{suffix}"
    if suffix == ".weights.h5":
        network().save_weights(path)
    elif suffix == ".safetensors":
        import safetensors.numpy

        safetensors.numpy.save_file(tensors(), path)
    else:
        write = {".pth": "torch_zip", ".tar": "torch_legacy", ".pdparams": "paddle"}[suffix]
        getattr(checkpoint_files, f"write_{write}")(path, tensors())
    return path


def read_checkpoint(path):
    for value in weights.readers.read_checkpoint(path).tensors.values():
        np.asarray(value)


def states():
    random, recipe = np.random.default_rng(0), {"model": "net", "epochs": 3}
    row = dict(epoch=1, step=3, val_accuracy=0.5, val_loss=1.0)
    return [
        State(step, {"a": random.normal(size=9), "b": np.array(step)}, recipe, [row], {"steps": 0})
        for step in (3, 6)
    ]


def run_checkpoint(suffix, folder):
    for state in states():
        Checkpoints(folder / "run", log=lambda text: None).save(state)
    return folder / "run" / f"step-00000006.{suffix}"


def read_run_checkpoint(path):
    found = Checkpoints(path.parent, log=lambda text: None).latest(states()[0].recipe)
    (expected,) = [state for state in states() if state.step == found.step]
    assert found.history == expected.history
    for name, value in expected.variables.items():
        np.testing.assert_array_equal(found.variables[name], value)


def run_config(folder):
    network().save(folder / "model.keras")
    run = {"data": "photos", "crop": 0.875, "seed": 0, "image_size": 16}
    (folder / "config.json").write_text(json.dumps({"run": run, "classes": ["a", "b", "c"]}))
    return folder / "config.json"


def read_run_config(path):
    reference = resolve_model(path.parent)
    assert 0 < reference.crop <= 1
    assert reference.seed >= 0
    assert all(isinstance(label, str) for label in reference.labels)


def records(name, folder):
    photos = write_folder(folder / "photos", per_class=3)
    make_records(photos, folder / "records", shards=1)
    if name.startswith("train"):  # or its checksums would tell of every change
        (folder / "records" / "manifest.json").unlink()
    return folder / "records" / name


def read_records(path):
    source = open_source(path.parent, "train")
    labels = set()
    for index in range(source.examples):
        try:
            labels.add(source.reader.read(index)[1])
        except ValueError:  # of which training counts and names each
            continue
    assert all(isinstance(name, str) for name in source.class_names)


def read_record_index(path):
    offsets = shards.read_index(path.read_bytes(), path.with_suffix("").stat().st_size)
    assert offsets is None or (np.diff(offsets, prepend=-shards.AROUND) >= shards.AROUND).all()


def store_listing(folder):
    """Unpacked, so that no checksum tells."""
    sizes = {
        f"{split}/ant/{number}.jpg": number for split in ("train", "val") for number in range(3)
    }
    content = stored_listing._pack(
        "2026-01-01T00:00:00+00:00", sizes, {"train/ant/x": b"head"}, "x"
    )
    (folder / "listing.json").write_bytes(gzip.decompress(content))
    return folder / "listing.json"


def read_store_listing(path):
    _, sizes, _, _ = stored_listing._unpack(gzip.compress(path.read_bytes()))
    for name, size in sizes.items():
        assert not {"", ".", ".."} & set(name.split("/"))
        assert 0 <= size < 1 << 63


def image(form, folder):
    path = folder / f"image.{form.lower()}"
    path.write_bytes(encode(picture(24, 32), form))
    return path


def read_image(path):
    encoded = path.read_bytes()
    pixels = decoding.decode(encoded)
    assert (pixels.dtype, pixels.ndim) == (np.uint8, 3)
    try:  # as pipelines do, which ask Pillow if TensorFlow fails
        if decoding.is_plain(encoded):
            decoding.decode_plain(encoded)
    except tf.errors.OpError:
        pass


def pixels(suffix, folder):
    path, content = folder / f"pixels{suffix}", np.zeros((4, *SIZE, 3), "uint8")
    np.save(path, content) if suffix == ".npy" else np.savez(path, images=content)
    return path


def read_pixels(path):
    assert images.from_files(path, SIZE, crop=1.0).pixels.shape[1:] == (*SIZE, 3)


def labels(suffix, folder):
    path, names = folder / f"labels{suffix}", ["ant", "bee", "cat"]
    path.write_text(json.dumps(names) if suffix == ".json" else "\n".join(names))
    return path


def read_labels(path):
    assert all(isinstance(name, str) for name in class_names.read_labels(path))


def csv(folder):
    results.append_measurements(folder / "device.csv", measurements())
    return folder / "device.csv"


def read_csv(path):
    for each in results.read_measurements(path):
        assert 0 < each.median < float("inf")


def samples():
    random = np.random.default_rng(0)
    return random.integers(0, 256, (40, *SIZE, 3)).astype("uint8"), np.arange(40) % 3


def exported(fmt, name, folder):
    (found,) = export(network(), folder / "out", formats=fmt, data=samples())
    return found.path.parent / name.format(found.path.name)


def read_sidecar(path):
    """Passed means that nothing was changed that is read."""
    for result in verify(path.parent, data=samples()):
        if result.error is None:
            assert json.loads(path.read_text()) == json.loads(ORIGINALS[path])


def read_artifact(fmt, path):
    root = path.parent if get_format(fmt).is_folder else path
    runner = sandbox.open_runner(root, get_format(fmt), SIZE)
    try:
        runner(np.zeros((2, *SIZE, 3), "float32"))
    finally:
        runner.close()


def model_config(folder):
    with zipfile.ZipFile(model(".keras", folder)) as archive:
        archive.extract("config.json", folder)
    return folder / "config.json"


def read_model_config(path):
    """Packed again, so that no checksum tells."""
    changed = path.with_name("changed.keras")
    with zipfile.ZipFile(path.with_name("model.keras")) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(changed, "w") as archive:
        for name, content in {**members, "config.json": path.read_bytes()}.items():
            archive.writestr(name, content)
    load_model(changed)


# The content of each sound file, by its path.
ORIGINALS: dict[pathlib.Path, bytes] = {}
by = functools.partial

KINDS = {
    "model.keras": Kind(by(model, ".keras"), load_model, 300),
    "model.h5": Kind(by(model, ".h5"), load_model, 500),
    "a model's config.json": Kind(model_config, read_model_config, 800),
    **{
        f"weights{suffix}": Kind(by(checkpoint, suffix), read_checkpoint, 400)
        for suffix in (".safetensors", ".pth", ".tar", ".pdparams", ".weights.h5")
    },
    "a run's step.json": Kind(by(run_checkpoint, "json"), read_run_checkpoint, 400),
    "a run's step.safetensors": Kind(by(run_checkpoint, "safetensors"), read_run_checkpoint, 200),
    "a run's config.json": Kind(run_config, read_run_config, 600),
    "train.tfrecord": Kind(by(records, "train-00000-of-00001"), read_records, 200),
    "manifest.json": Kind(by(records, "manifest.json"), read_records, 300),
    "train.idx": Kind(by(records, "train-00000-of-00001.idx"), read_record_index, 300),
    "a store's listing": Kind(store_listing, read_store_listing, 600),
    "classes.json": Kind(by(records, "classes.json"), read_records, 300),
    **{
        f"image.{form}": Kind(by(image, form), read_image, 300)
        for form in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "TGA", "ICO")
    },
    "pixels.npy": Kind(by(pixels, ".npy"), read_pixels, 300),
    "pixels.npz": Kind(by(pixels, ".npz"), read_pixels, 300),
    "labels.txt": Kind(by(labels, ".txt"), read_labels, 200),
    "labels.json": Kind(by(labels, ".json"), read_labels, 300),
    "measurements.csv": Kind(csv, read_csv, 500),
    "a sidecar": Kind(by(exported, "tflite_fp32", "{}.json"), read_sidecar, 150),
    "file.tflite": Kind(by(exported, "tflite_fp32", "{}"), by(read_artifact, "tflite_fp32"), 200),
    "file.onnx": Kind(by(exported, "onnx_fp32", "{}"), by(read_artifact, "onnx_fp32"), 150),
    "model.xml": Kind(
        by(exported, "openvino_fp32", "{}/model.xml"), by(read_artifact, "openvino_fp32"), 60
    ),
    "model.json": Kind(by(exported, "web", "{}/model.json"), by(read_artifact, "web"), 200),
    **{
        name: Kind(by(exported, "ncnn_fp16", f"{{}}/{name}"), by(read_artifact, "ncnn_fp16"), 150)
        for name in ("model.param", "model.bin")
    },
    "file.mnn": Kind(by(exported, "mnn_fp16", "{}"), by(read_artifact, "mnn_fp16"), 150),
    "saved_model.pb": Kind(
        by(exported, "saved_model", "{}/saved_model.pb"), by(read_artifact, "saved_model"), 20
    ),
}
