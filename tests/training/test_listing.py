"""Which files of a folder are images, of which class and split."""

import os
import pathlib
import shutil
import unicodedata

import numpy as np
import PIL.Image
import pytest

from keras_ghostnet.training.data import decoding, image_files, image_formats, open_source
from keras_ghostnet.training.data.image_files import list_image_files
from keras_ghostnet.training.data.listing import list_images
from tests.training.photographs import encode, picture, write_folder

JPEG = encode(picture(8, 8))
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)


def write(folder, files):
    """Writes files, by their paths; of text None, the bytes of a JPEG."""
    for name, content in files.items() if isinstance(files, dict) else ((f, JPEG) for f in files):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def classes(*folders, names=("cat", "dog")):
    """One JPEG for each class below each folder."""
    return [f"{folder}{name}/1.jpg" for folder in folders for name in names]


# Formats.


@pytest.mark.parametrize(
    "form", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "PPM", "AVIF", "ICO", "TGA"]
)
def test_every_format_is_listed_and_decoded(tmp_path, form):
    if form not in image_formats.readable_formats():
        pytest.skip(f"this Pillow does not read {form}")
    encoded = encode(picture(16, 16), form)
    suffixes = {each.name: each.suffixes for each in image_formats.IMAGE_FORMATS}[form]
    names = [f"image{suffix.upper()}" for suffix in suffixes]
    if form not in ("ICO", "TGA"):  # their first bytes do not identify them
        names += ["no suffix", "image.heic", "image.of.2024"]
    write(tmp_path, dict.fromkeys(names, encoded))
    assert list_image_files(tmp_path).formats == dict.fromkeys(sorted(names), form)
    error = decoding.decode(encoded).astype(float) - picture(16, 16)
    assert np.abs(error).mean() < 20  # AVIF's and GIF's own


@pytest.mark.parametrize("mode", ["L", "1"])
def test_portable_maps_in_gray(mode):
    image = PIL.Image.fromarray(picture(16, 16)).convert(mode)
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(decoding.decode(encode(image, "PPM")), expected)


def test_what_is_no_image_is_counted_by_suffix(tmp_path):
    write(
        tmp_path,
        {
            "a.jpg": JPEG,
            "b.txt": b"BM stands for bitmap, P6 for a map of pixels",
            "c.TXT": b"",
            "README": b"P6 is no map here",
            "d.heic": HEIC,
            "e.dng": b"II*\0" + bytes(99),  # a raw file begins as a TIFF
            "f.eps": b"%!PS-Adobe-3.0 EPSF-3.0",
            "broken.png": b"<html>",  # named in bad_examples.csv when it is read
        },
    )
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "endless.jpg").symlink_to("/dev/zero")
    with (tmp_path / "sparse.jpg").open("wb") as file:
        file.truncate(image_files.MAX_BYTES + 1)
    found = list_image_files(tmp_path)
    assert list(found.formats) == ["a.jpg", "broken.png"]
    heic = "HEIF" not in image_formats.readable_formats()
    assert sorted(found.skipped) == sorted(
        [
            ("b.txt", ".txt"),
            ("c.TXT", ".txt"),
            ("README", "without suffix"),
            ("e.dng", ".dng (camera raw)"),
            ("f.eps", ".eps"),
            ("pipe", "no regular file"),
            ("pipe.jpg", "no regular file"),
            ("endless.jpg", "no regular file"),
            ("sparse.jpg", ".jpg (more than 512 MiB)"),
        ]
        + [("d.heic", ".heic (install pillow-heif)")] * heic
    )


def test_only_the_formats_of_the_table_are_decoded():
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"
    with pytest.raises(ValueError, match="not an image: begins with b'%!PS-Ado'"):
        decoding.decode(postscript)


def test_a_format_that_pillow_lacks_names_the_package(monkeypatch):
    monkeypatch.setattr(image_formats, "readable_formats", lambda: ("JPEG", "PNG"))
    with pytest.raises(ValueError, match="to read HEIF, pip install pillow-heif"):
        decoding.decode(HEIC)


def test_hidden_files_and_clutter_are_ignored(tmp_path):
    write(
        tmp_path,
        ["a.jpg", "._a.jpg", ".hidden/a.jpg", ".ipynb_checkpoints/a-checkpoint.jpg"]
        + ["__MACOSX/a.jpg", "@eaDir/a.jpg", "Thumbs.db", "sub/THUMBS.DB"],
    )
    found = list_image_files(tmp_path)
    assert list(found.formats) == ["a.jpg"]
    assert not found.skipped


def test_links_are_followed_once(tmp_path):
    write(tmp_path, ["photos/cat/1.jpg", "photos/dog/1.jpg", "elsewhere/2.jpg"])
    cat = tmp_path / "photos" / "cat"
    for name, target in {
        "more": "../../elsewhere",
        "self": ".",
        "above": "../..",
        "again": "more",
        "gone.jpg": "nothing",  # reported when it is read
    }.items():
        (cat / name).symlink_to(target)
    found = list_image_files(tmp_path / "photos")
    assert len(found.formats) == 4
    assert {"cat/1.jpg", "cat/gone.jpg", "dog/1.jpg"} <= set(found.formats)
    assert [reason for _, reason in found.skipped] == ["link to a folder that is read already"] * 3


def test_a_usual_suffix_is_believed(tmp_path, monkeypatch):
    """A large folder is listed without opening its files."""
    write(tmp_path, ["a.jpg", "b.png"])
    monkeypatch.setattr("builtins.open", lambda *_, **__: pytest.fail("a file was opened"))
    assert list_image_files(tmp_path).formats == {"a.jpg": "JPEG", "b.png": "PNG"}


# Classes and splits.


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("Train", "Val", "Test"),
        ("training", "validation", "testing"),
        ("TRAIN_SET", "valid", "test-images"),
        ("train", "dev", "Test Set"),
        ("training_data", "Evaluation", "testing"),
    ],
)
def test_usual_names_of_splits(tmp_path, train, val, test):
    write(tmp_path, classes(f"{train}/", f"{val}/", f"{test}/"))
    listing = list_images(tmp_path)
    assert listing.class_names == ("cat", "dog")
    assert listing.splits == {
        split: ((f"{folder}/cat/1.jpg", 0), (f"{folder}/dog/1.jpg", 1))
        for split, folder in (("train", train), ("val", val), ("test", test))
    }
    assert not listing.is_held_out


def test_without_validation_images_some_are_held_out(tmp_path):
    write_folder(tmp_path, per_class=4, splits=("train", "test"))
    listing = list_images(tmp_path)
    assert listing.is_held_out
    assert {split: len(images) for split, images in listing.splits.items()} == {
        "train": 6,
        "val": 2,
        "test": 8,
    }
    assert "6 train, 2 val held out of the former, 8 test" in listing.describe()


def test_a_source_may_be_for_evaluation_alone(tmp_path):
    write(tmp_path, classes("val/", "test/"))
    assert open_source(tmp_path, "val").examples == 2
    with pytest.raises(ValueError, match=r"no split 'train'\. Found: val, test"):
        open_source(tmp_path, "train")


def test_a_class_may_be_called_train(tmp_path):
    write(tmp_path, classes("", names=("bus", "train")))
    assert list_images(tmp_path).class_names == ("bus", "train")


def test_test_images_without_classes_do_not_matter(tmp_path):
    write(tmp_path, [*classes("train/", "val/"), "test/unknown/1.jpg", "annotations/a.txt"])
    listing = list_images(tmp_path)
    assert sorted(listing.splits) == ["train", "val"]
    assert set(listing.skipped) == {
        "folder annotations, which is no split",
        "folder test of other classes",
    }


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            classes("fold1/", "fold2/"),
            "fold1, fold2, which all hold the same subfolders: cat, dog",
        ),
        (classes("cat/", "dog/", names=("train", "val")), "the same subfolders: train, val"),
        (classes("train/", "val/", "valid/"), "two folders for the split 'val': val and valid"),
        (["cat/1.jpg"], "at least two classes. Found: cat"),
        ([*classes(""), "cow/readme.txt"], "without images: cow. Found in cow: 1 .txt"),
        ([*classes("train/", "val/"), "val/cow/1.jpg"], "lack: cow. Known: cat, dog"),
    ],
)
def test_folders_that_cannot_be_right_are_refused(tmp_path, files, message):
    write(tmp_path, files if isinstance(files, dict) else dict.fromkeys(files, JPEG))
    for path in tmp_path.rglob("*.txt"):
        path.write_bytes(b"text")
    with pytest.raises(ValueError, match=message):
        list_images(tmp_path)


def test_one_common_subfolder_is_no_split(tmp_path):
    write(tmp_path, ["cat/images/1.jpg", "dog/images/1.jpg"])  # as Tiny ImageNet has it
    assert list_images(tmp_path).class_names == ("cat", "dog")


def test_what_this_package_wrote_is_no_class(tmp_path):
    write(
        tmp_path,
        [*classes(""), "runs/first/learning_curve.png", "runs/first/checkpoints/1"]
        + ["records/train-00000-of-00001", "exports/chart.png", "exports/ghostnet.tflite"]
        + ["cat/run/training_batch.png", "cat/run/bad_examples.csv"],
    )
    listing = list_images(tmp_path)
    assert listing.class_names == ("cat", "dog")
    assert [path for images in listing.splits.values() for path, _ in images] == [
        "cat/1.jpg",
        "dog/1.jpg",
    ]
    assert listing.skipped == {
        "folder of a run": 2,
        "folder of TFRecords": 1,
        "folder of a model": 1,
    }


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "photos.zip").write_bytes(b"PK")
    with pytest.raises(NotADirectoryError, match=r"photos\.zip is a file"):
        list_images(tmp_path / "photos.zip")


def test_the_description_counts_what_was_found_and_what_was_not(tmp_path):
    write(tmp_path, [*classes("train/", "val/"), "train/cat/2.PNG", "train/3.jpg"])
    write(tmp_path, {"val/dog/notes.txt": b"text"})
    assert list_images(tmp_path).describe() == (
        f"5 images of 2 classes in {tmp_path} (3 train, 2 val; 4 JPEG, 1 PNG; "
        "skipped: 1 image outside of the classes' folders, 1 .txt)"
    )


# Names.


@pytest.mark.parametrize("name", [".", "..", "../photos", "./", "../photos/", "../photos/.", "{}/"])
def test_every_way_to_name_a_folder(tmp_path, monkeypatch, name):
    write_folder(tmp_path / "photos", per_class=2, splits=("t",))
    folder = tmp_path / "photos" / ("t" if name != ".." else "t/ant")
    monkeypatch.chdir(folder)
    name = {"../photos": "../t", "../photos/": "../t/", "../photos/.": "../t/."}.get(name, name)
    source = open_source(name.format(folder), "train")
    assert source.class_names == ("ant", "bee")
    for index in range(source.examples):
        encoded, _ = source.reader.read(index)
        assert source.reader.load(index, source.reader.fetch(index))[0].numpy() == encoded
        assert pathlib.Path(source.key(index)).read_bytes() == encoded


def test_names_that_are_no_text(tmp_path):
    write(tmp_path, classes("train/", "val/"))
    os.rename(
        tmp_path / "val/cat/1.jpg", os.path.join(os.fsencode(tmp_path), b"val/cat/caf\xe9.jpg")
    )
    source = open_source(tmp_path, "val")
    assert source.key(0).endswith(r"caf\xe9.jpg")
    assert source.reader.read(0) == (JPEG, 0)
    assert source.reader.load(0, source.reader.fetch(0))[0].numpy() == JPEG
    os.rename(tmp_path / "train/cat", os.path.join(os.fsencode(tmp_path), b"train/c\xe9t"))
    with pytest.raises(ValueError, match=r"c\\xe9t is not UTF-8"):
        open_source(tmp_path, "train")


def test_accents_are_the_same_however_they_are_written(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    write(tmp_path, [f"train/{composed}/1.jpg", "train/tea/1.jpg", f"val/{decomposed}/1.jpg"])
    for split in ("train", "val"):
        source = open_source(tmp_path, split)
        assert source.class_names == (composed, "tea")
        assert source.reader.read(0) == (JPEG, 0)
    shutil.copytree(tmp_path / "train" / composed, tmp_path / "train" / decomposed)
    with pytest.raises(ValueError, match="differ only in how accents are written"):
        open_source(tmp_path, "train")
