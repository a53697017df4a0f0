"""Images with maps of classes: found in folders, decoded, moved together, refused by name."""

import io
import json
import re
import struct
import zlib

import fsspec
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_ghostnet.training.data import (
    Augmentation,
    Pipeline,
    images,
    label_maps,
    make_records,
    open_source,
)
from keras_ghostnet.training.data.label_maps import IGNORED, decode_map
from keras_ghostnet.training.recipes.class_weights import count_classes
from tests.training.scenes import CLASSES, COLORS, make_scenes, write_folder, write_image

SIZE = (40, 56)  # of the scenes
GRAY, PALETTE = 0, 3  # PNG's kinds of colors
SEEN = 48  # of what the network sees


@pytest.fixture(scope="module", params=["jpg", "png"])
def folder(request, tmp_path_factory):
    suffix = request.param
    return write_folder(tmp_path_factory.mktemp(suffix) / "scenes", 8, 4, SIZE, suffix)


def encoded(array):
    file = io.BytesIO()
    PIL.Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def relabel(folder, split, number, array, suffix="png"):
    path = folder / split / "masks" / f"{number:03}.png"
    path.unlink()
    PIL.Image.fromarray(array).save(path.with_suffix(f".{suffix}"))


# ------------------------------------------------------------------ decoding


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", [GRAY, PALETTE])
def test_numbers_are_as_they_were_written(bits, kind):
    expected = np.random.default_rng(0).integers(0, 2**bits, (6, 9)).astype("uint8")
    np.testing.assert_array_equal(decode_map(png(expected, bits, kind)), expected)


def png(values, bits, kind):
    """A PNG of so many bits a pixel, by its specification: Pillow writes not all of them."""
    height, width = values.shape
    digits = np.unpackbits(values[..., None], axis=-1)[..., -bits:].reshape(height, -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in digits)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))]
    if kind == PALETTE:
        colors = np.random.default_rng(1).integers(0, 256, 3 * 2**bits).astype("uint8")
        chunks.append((b"PLTE", colors.tobytes()))
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def test_numbers_of_16_bits_are_classes_if_they_are_small():
    wide = np.arange(6, dtype="uint16").reshape(2, 3)
    np.testing.assert_array_equal(decode_map(encoded(wide)), wide)
    with pytest.raises(
        ValueError, match="numbers from 0 to 300: classes are numbered from 0 to 254"
    ):
        decode_map(encoded(np.array([[0, 300]], "uint16")))


# --------------------------------------------------------------- augmentation


@pytest.mark.parametrize(
    "settings",
    [
        dict(area=(0.3, 1.0)),
        dict(area=None, pad_crop=6, interpolation="bilinear", flip=False),
        dict(area=(0.5, 1.0), color_jitter=0.2, shift_rotate_zoom=(0.1, 0.05, 0.2)),
    ],
)
def test_images_and_maps_move_together(folder, settings):
    """Wherever a pixel clearly has the color of a class, the map has that class."""
    augmentation = Augmentation(**{"color_jitter": 0.0, **settings})
    source = open_source(folder, "train")
    pipeline = Pipeline(
        source, image_size=SEEN, training=True, augmentation=augmentation, input="pixels"
    )
    assert require_agreement(pipeline) > 0.3
    assert len(pipeline.bad) == 0


def test_evaluation_sees_the_same_part_of_both(folder):
    source = open_source(folder, "val")
    for crop in (1.0, 0.8):
        pipeline = Pipeline(source, image_size=SEEN, training=False, crop=crop, input="pixels")
        assert require_agreement(pipeline) > 0.3


def require_agreement(pipeline):
    """The fraction of pixels that are clear, two from an edge; all of which must agree."""
    clear_ones = []
    for epoch in range(2):
        for batch in pipeline.batches(epoch, global_batch=4):
            pixels, labels = batch["image"].numpy(), batch["label"].numpy()
            assert labels.shape == (4, SEEN, SEEN)
            distance = np.abs(pixels[..., None, :] - COLORS.astype("float32")).max(axis=-1)
            nearest = distance.argmin(axis=-1)
            alone = np.ones_like(nearest, bool)
            for axis in (1, 2):
                for step in (-2, -1, 1, 2):
                    alone &= np.roll(nearest, step, axis) == nearest
            clear = alone & (distance.min(axis=-1) < 70) & (labels != IGNORED)
            np.testing.assert_array_equal(labels[clear], nearest[clear])
            clear_ones.append(clear.mean())
    return np.mean(clear_ones)


def test_what_is_beyond_the_image_has_no_class(folder):
    augmentation = Augmentation(area=None, flip=False, color_jitter=0.0, pad_crop=12)
    pipeline = Pipeline(
        open_source(folder, "train"),
        image_size=SEEN,
        training=True,
        augmentation=augmentation,
        input="pixels",
    )
    (batch, *_) = pipeline.batches(0, global_batch=8)
    beyond = batch["label"].numpy() == IGNORED
    assert 0.01 < beyond.mean() < 0.5
    assert np.abs(batch["image"].numpy()[beyond]).max() < 30  # but for the edge, black


def test_the_class_of_the_nearest_pixel():
    labels = np.random.default_rng(0).integers(0, 9, (7, 11, 1)).astype("uint8")
    seen = images.center_crop_map(tf.constant(labels), (5, 5), 0.8).numpy()
    # The shorter side of 7 becomes 6, the longer one 9; of 6 x 9, 5 x 5 in the center.
    rows = ((np.arange(5) + 0.5 + 0) * 7 / 6).astype(int)
    columns = ((np.arange(5) + 0.5 + 2) * 11 / 9).astype(int)
    np.testing.assert_array_equal(seen, labels[np.ix_(rows, columns)])


def test_what_is_for_images_of_one_class_is_refused(folder):
    source = open_source(folder, "train")
    for settings, name in (
        (dict(mixup=0.2), "mixup"),
        (dict(cutmix=1.0), "cutmix"),
        (dict(erasing=0.2), "erasing"),
        (dict(rand_augment=(2, 9)), "rand_augment"),
    ):
        with pytest.raises(ValueError, match=rf"`augmentation.{name}` is for images of one class"):
            Pipeline(source, image_size=SEEN, training=True, augmentation=Augmentation(**settings))


# ---------------------------------------------------------------- bad examples


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_maps_that_do_not_fit_are_bad_examples(tmp_path, suffix):
    folder = write_folder(tmp_path / "scenes", 8, 4, SIZE, suffix)
    wrong = {
        2: (np.zeros((*SIZE, 3), "uint8"), r"002.png has colors \(RGB\), not one number"),
        3: (np.zeros(SIZE[::-1], "uint8"), "its map has 40 x 56 pixels, the image 56 x 40"),
        5: (np.full(SIZE, 7, "uint8"), "class 7 at row 0, column 0: classes are 0 to 3, and 255"),
    }
    for number, (array, _) in wrong.items():
        relabel(folder, "train", number, array)
    source, bad = open_source(folder, "train"), tmp_path / "bad.csv"
    pipeline = Pipeline(source, image_size=SEEN, training=False, bad_examples=bad)
    with pipeline.explained():
        (batch,) = pipeline.batches(0, global_batch=8)
    assert batch["weight"].numpy().tolist() == [1, 1, 0, 0, 1, 0, 1, 1]
    rows = sorted(bad.read_text().splitlines()[1:])
    for row, (number, (_, reason)) in zip(rows, wrong.items(), strict=True):
        assert f"{number:03}.{suffix}" in row
        assert re.search(reason, row)


def test_lossy_maps_are_refused(tmp_path):
    folder = write_folder(tmp_path / "scenes", 8, 4, SIZE)
    relabel(folder, "train", 2, np.zeros(SIZE, "uint8"), "jpg")
    reader = open_source(folder, "train").reader
    with pytest.raises(ValueError, match=r"002.jpg is a JPEG, which changes numbers"):
        reader.read(2)


def test_an_image_without_any_class_has_no_weight(tmp_path):
    folder = write_folder(tmp_path / "scenes", 8, 4, SIZE)
    relabel(folder, "train", 2, np.full(SIZE, IGNORED, "uint8"))
    pipeline = Pipeline(open_source(folder, "train"), image_size=SEEN, training=False)
    (batch,) = pipeline.batches(0, global_batch=8)
    assert batch["weight"].numpy().tolist() == [1, 1, 0, 1, 1, 1, 1, 1]
    assert len(pipeline.bad) == 0


# ------------------------------------------------------------------- listing


def lay_out(root, pattern, splits=("train", "val"), count=3, masks="masks", pictures="images"):
    """Writes scenes in a layout; `split` also begins the names of its files."""
    for split in splits:
        for kind, arrays in zip((pictures, masks), make_scenes(count), strict=True):
            folder = root / pattern.format(split=split, kind=kind)
            for number, array in enumerate(arrays):
                write_image(folder / f"{split}{number}.png", array)
    return root


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("{split}/{kind}", dict()),
        ("{split}/{kind}", dict(masks="labels", splits=("Train", "validation"))),
        ("{kind}/{split}", dict(masks="annotations", splits=("training", "validation"))),
    ],
)
def test_layouts(tmp_path, pattern, names):
    lay_out(tmp_path, pattern, **names)
    for split in ("train", "val"):
        source = open_source(tmp_path, split)
        assert (source.examples, source.of_pixels, source.is_held_out) == (3, True, False)
        assert source.class_names == ("0", "1", "2", "3")
        encoded_image, labels = source.reader.read(1)
        image = np.asarray(PIL.Image.open(io.BytesIO(encoded_image)))
        assert np.abs(image - COLORS[labels].astype(int)).max() <= 20  # the noise


@pytest.mark.parametrize("is_stored", [False, True])
def test_classes_without_names_are_counted_once(tmp_path, monkeypatch, is_stored):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_folder(tmp_path / "scenes", 4, 2, SIZE)
    (folder / "classes.txt").unlink()
    read, decode = [], label_maps.decode_map
    monkeypatch.setattr(label_maps, "decode_map", lambda data: read.append(data) or decode(data))
    memory, place = fsspec.filesystem("memory"), folder
    try:
        if is_stored:
            memory.put(f"{folder}/", "/counted/", recursive=True)
            place = "memory://counted"
        for _ in range(2):
            assert open_source(place, "train").class_names == ("0", "1", "2", "3")
        assert len(read) == 6
        write_image(folder / "val" / "masks" / "001.png", np.full((9, 9), 4, "uint8"))
        if is_stored:
            memory.put(f"{folder}/", "/counted/", recursive=True)
        assert len(open_source(place, "train").class_names) == 5
        assert len(read) == 12
    finally:
        if is_stored:
            memory.rm("/counted", recursive=True)


def test_a_count_without_all_maps_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_folder(tmp_path / "scenes", 4, 2, SIZE)
    (folder / "classes.txt").unlink()
    write_image(folder / "val" / "masks" / "001.png", np.full((9, 9), 6, "uint8"))
    decode = label_maps.decode_map

    def fail_once(data):
        labels = decode(data)
        if labels.max() == 6:
            monkeypatch.setattr(label_maps, "decode_map", decode)
            raise OSError("the disk is away for a moment")
        return labels

    monkeypatch.setattr(label_maps, "decode_map", fail_once)
    assert len(open_source(folder, "train").class_names) == 4
    assert len(open_source(folder, "train").class_names) == 7
    (kept,) = (tmp_path / "cache").rglob("classes/*.txt")
    for damaged in ("-3", "100000", "many"):
        kept.write_text(damaged)
        assert len(open_source(folder, "train").class_names) == 7


def test_pascal_voc_and_its_lists(tmp_path):
    lay_out(tmp_path, "{kind}", ("a", "b"), 3, "SegmentationClass", "JPEGImages")
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a0\nb1\n")
    (lists / "val.txt").write_text("b2\n")
    train, val = (open_source(tmp_path, split) for split in ("train", "val"))
    assert [train.key(0)[-6:], train.key(1)[-6:], val.key(0)[-6:]] == ["a0.png", "b1.png", "b2.png"]
    assert (len(train.class_names), train.class_names[15]) == (21, "person")
    (lists / "val.txt").write_text("b2\nc7\n")
    with pytest.raises(ValueError, match=r"names 1 images without an image file and a map: c7"):
        open_source(tmp_path, "val")


def test_a_fraction_is_held_out_by_the_seed(tmp_path):
    lay_out(tmp_path, "{kind}", ("a",), 10)
    (tmp_path / "classes.json").write_text(json.dumps(dict(enumerate(CLASSES))))
    splits = [
        {
            split: {*open_source(tmp_path, split, seed=seed).reader.images.paths}
            for split in ("train", "val")
        }
        for seed in (0, 0, 3)
    ]
    assert splits[0] == splits[1] != splits[2]
    assert (len(splits[0]["train"]), len(splits[0]["val"])) == (9, 1)
    assert not splits[0]["train"] & splits[0]["val"]
    assert open_source(tmp_path, "train").class_names == CLASSES


def test_what_is_left_out_is_named(folder, tmp_path):
    scenes = write_folder(tmp_path / "scenes", 8, 4, SIZE)
    (scenes / "train" / "masks" / "003.png").unlink()
    (scenes / "val" / "images" / "001.jpg").unlink()
    text = open_source(scenes, "train").description
    assert "7 train, 3 val" in text
    assert "1 image without a map (003.jpg)" in text
    assert "1 map without an image (001.png)" in text


def test_bad_folders(tmp_path):
    other = lay_out(tmp_path / "a", "{split}/{kind}")
    for path in (other / "train" / "masks").iterdir():
        path.rename(path.with_name(f"mask_{path.name}"))
    with pytest.raises(ValueError, match=r"No image in .*has a map of its name.*mask_train0.png"):
        open_source(other, "train")
    two = lay_out(tmp_path / "b", "{split}/{kind}")
    (two / "train" / "labels").mkdir()
    with pytest.raises(ValueError, match=r"two folders that could be the maps: train/labels and"):
        open_source(two, "train")
    for text in ('["a", 3]', '{"1": "a"}', "no list"):
        (other / "classes.json").write_text(text)
        (other / "val").rename(other / "x") if (other / "val").exists() else None
        with pytest.raises(ValueError, match=r"No image in|must be a list of the classes' names"):
            open_source(other, "train")
    with pytest.raises(ValueError, match="images with maps of classes, for which there are no"):
        make_records(two.parent / "a", tmp_path / "records")


def test_pixels_are_counted_for_balanced_weights(folder):
    expected = np.bincount(make_scenes(8, SIZE, 0)[1].ravel(), minlength=len(CLASSES))
    np.testing.assert_array_equal(count_classes(open_source(folder, "train")), expected)


def test_maps_in_a_store(tmp_path, monkeypatch):
    """The batches are those of the same folder on a disk; what cannot be read is named."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_folder(tmp_path / "scenes", 8, 4, SIZE)
    memory = fsspec.filesystem("memory")
    memory.put(f"{folder}/", "/maps/", recursive=True)
    try:
        memory.pipe("/maps/train/masks/002.png", b"no image")
        stored, local = (open_source(each, "train") for each in ("memory://maps", folder))
        assert (stored.class_names, stored.examples) == (local.class_names, local.examples)
        assert stored.fingerprint == local.fingerprint
        batches = [
            next(iter(Pipeline(each, image_size=SEEN, training=False).batches(0, global_batch=8)))
            for each in (stored, local)
        ]
        assert batches[0]["weight"].numpy().tolist() == [1, 1, 0, 1, 1, 1, 1, 1]
        used = np.flatnonzero(batches[0]["weight"])
        for name in ("image", "label"):
            first, second = (batch[name].numpy()[used] for batch in batches)
            np.testing.assert_array_equal(first, second)
        with pytest.raises(ValueError, match=r"its map memory://maps/train/masks/002.png cannot"):
            stored.reader.read(2)
    finally:
        memory.rm("/maps", recursive=True)
