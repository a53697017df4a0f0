"""Real images for calibration and verification, as whole pixels: the same for every format."""

import dataclasses
import hashlib
import pathlib

import numpy as np

from keras_ghostnet import files, model_input, stores
from keras_ghostnet.files import printable

MOST = 600  # files that are taken of a folder without classes
ARRAYS = ("images", "pixels", "x")  # names of the pixels among several arrays of an .npz file


@dataclasses.dataclass(frozen=True)
class Images:
    """Some images of a source.

    Attributes:
        name: What they are.
        pixels: RGB uint8 `(n, height, width, 3)`, resized and cropped as in evaluation.
        labels: The true classes' indices, of those that are held out, or maps of them, in which 255
            is no class; None if not known.
        class_names: The classes of the source; None if not known.
        origin: What `keras_ghostnet.export.samples.reopen` needs to find them again, a
            dictionary.
        training: How many, the last ones, are training images in a sample to verify on.
        of_pixels: Whether the labels are maps.
    """

    name: str
    pixels: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple | None = None
    origin: dict = dataclasses.field(default_factory=dict)
    training: int = 0
    of_pixels: bool = False

    @property
    def held_out(self):
        """Those without the training images at the end."""
        pixels = self.pixels[: len(self.pixels) - self.training]
        origin = {key: value for key, value in self.origin.items() if key != "training"}
        return dataclasses.replace(self, pixels=pixels, origin=origin, training=0)

    @property
    def composition(self):
        """How many they are of which kind, for messages."""
        held_out = f"{len(self.pixels) - self.training} held-out"
        added = f" and {self.training} training" if self.training else ""
        return f"{held_out}{added} images"

    @property
    def described(self):
        """How many they are of which kind, and where they are from."""
        return f"{self.composition} of {self.name}"

    def prepared(self, kind):
        """A network's input, float32: of a kind of `keras_ghostnet.model_input.INPUTS`."""
        return model_input.prepare(self.pixels, kind)

    def describe(self):
        """Where they are from, how many they are and their hash, for a sidecar."""
        digest = hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()
        added = {"training_images": self.training} if self.training else {}
        return {"source": self.name, "images": len(self.pixels), **added, "sha256": digest}


def from_source(data, split, size, *, crop, seed, count, reserved=0):
    """Images from all over one split of a labeled source, not augmented.

    Args:
        data: As `keras_ghostnet.training.data.open_source`.
        split: `"train"` or `"val"`.
        size: `(height, width)` in pixels.
        crop: The fraction of the resized image's shorter side that is kept, in (0, 1].
        seed: Of the split, for a source without splits.
        count: The number of images, at most.
        reserved: None of those that are taken with this `count`.

    Returns:
        `Images`.

    Raises:
        FileNotFoundError, ValueError: As `open_source`.
    """
    from keras_ghostnet.training.data import decoding, open_source
    from keras_ghostnet.training.data.labels import labels_of

    source = open_source(data, split, seed=seed)
    others = np.setdiff1d(np.arange(source.examples), _everywhere(source.examples, reserved))
    indices = others[_everywhere(len(others), count)]
    kind = labels_of(source, size, crop)
    pixels, labels = [], []
    for index in indices:
        try:
            encoded, label = source.reader.read(index)
            image = decoding.decode(encoded)
            kind.require_fit(label, image)
            pixels.append(center_crop(image, size, crop))
            labels.append(kind.take(label, image, None))
        except ValueError:  # it cannot be decoded; training counts and names those
            continue
    if not pixels:
        raise ValueError(f"No image of {source.name} can be used.")
    origin = dict(data=files.absolute(data), split=split, crop=crop, seed=seed, count=count)
    return Images(
        source.name,
        np.stack(pixels),
        np.stack(labels),
        tuple(source.class_names),
        origin,
        of_pixels=source.of_pixels,
    )


def _everywhere(total, count):
    """At most `count` of the numbers below `total`, evenly: sources are ordered by class."""
    return np.unique(np.linspace(0, total - 1, count).round().astype(int))


def from_files(path, size, *, crop):
    """Images without classes.

    Args:
        path: A folder of images, of any depth; or pixels of the model's size, uint8
            `(n, height, width, 3)`, an array or a `.npy` or `.npz` file of one. Either may be in
            a store.
        size: `(height, width)` in pixels.
        crop: The fraction of a file's shorter side that is kept when it is resized, in (0, 1].

    Returns:
        `Images`.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If the folder holds no images, too many cannot be decoded, or the array does
            not fit.
    """
    if isinstance(path, np.ndarray):
        return from_arrays(path, None, size)
    origin = dict(unlabeled=files.absolute(path), crop=crop)
    path = _located(path)
    if not path.exists():
        raise FileNotFoundError(f"There are no calibration images at {path}. Check the path.")
    if path.is_file():
        pixels = _load(path if isinstance(path, pathlib.Path) else stores.local(str(path)))
        return Images(str(path), _require_pixels(pixels, size, path), origin=origin)
    from keras_ghostnet.training.data.bad_examples import BadExamples

    found = list_files(path)
    chosen = _spread(len(found), MOST)
    bad, pixels = BadExamples(len(chosen), None), []
    for index in chosen:
        try:
            pixels.append(read_file(found[index], size, crop))
        except ValueError as error:
            bad.report(printable(found[index]), str(error))
    return Images(str(path), np.stack(pixels), origin=origin)


def _located(path):
    """A file or folder of this machine, which need not be there, or of a store."""
    if not stores.is_remote(path):
        return pathlib.Path(path)
    from keras_ghostnet.training.data.stored_listing import open_path

    return open_path(path)


def _load(path):
    """The array of a file of NumPy's."""
    try:
        # Mapped: a header that promises more than the file holds is refused before it costs memory.
        content = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(content, np.ndarray):
            return np.array(content)
        with content:
            names = [name for name in ARRAYS if name in content.files] or content.files
            if len(content.files) == 1 or names is not content.files:
                return content[names[0]]
            found = f"arrays {', '.join(names)}, none of them called {' or '.join(ARRAYS)}"
    except Exception:  # what NumPy raises at damaged headers is of any kind
        found = "another kind of file, or a damaged one"
    raise ValueError(
        f"{path} must be a folder of images, or pixels in an .npy or .npz file. Found: {found}."
    )


def _spread(count, chosen):
    """Indices from all over, sorted: one at random of each of `chosen` equal stretches.

    At random, as a fixed distance would see one class alone where two alternate.
    """
    edges = np.linspace(0, count, min(count, chosen) + 1).astype(int)
    return np.random.default_rng(0).integers(edges[:-1], edges[1:])


def from_arrays(pixels, labels, size, map_size=()):
    """Images that are in memory.

    Args:
        pixels: uint8 `(n, height, width, 3)`.
        labels: The true classes' indices, integers `(n,)`, or maps of them; None if not known.
        size: `(height, width)` that the pixels must have.
        map_size: `(height, width)` that maps must have; nothing if there is one class an image.

    Returns:
        `Images`.

    Raises:
        ValueError: If an array does not fit.
    """
    pixels = _require_pixels(np.asarray(pixels), size, "The array of images")
    if labels is not None:
        labels = np.asarray(labels)
        shape = (len(pixels), *map_size)
        if labels.shape != shape or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"Labels of {len(pixels)} images must be integers {shape}. Received: "
                f"{labels.dtype} {labels.shape}."
            )
    return Images("arrays in memory", pixels, labels)


def split_in_halves(images):
    """Splits images in two: for calibration, and for verification; of neighbors one each."""
    count = len(images.pixels)
    first = np.arange(0, count, 2)
    first = np.minimum(first + np.random.default_rng(0).integers(2, size=len(first)), count - 1)
    return tuple(
        dataclasses.replace(
            images,
            name=f"{images.name}, {half} half",
            pixels=images.pixels[indices],
            labels=None if images.labels is None else images.labels[indices],
        )
        for half, indices in (
            ("one", first),
            ("the other", np.setdiff1d(np.arange(count), first)),
        )
    )


def _require_pixels(pixels, size, name):
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (*size, 3):
        raise ValueError(
            f"{name} must hold pixels, uint8 (n, {size[0]}, {size[1]}, 3). Found: {pixels.dtype} "
            f"{pixels.shape}."
        )
    return pixels


def list_files(path):
    """The image files of a folder, of any depth, sorted; of an image file itself.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If a folder holds no images.
    """
    path = _located(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no image and no folder {path}. Check the path.")
    if path.is_file():
        return [path]
    from keras_ghostnet.training.data.image_files import list_image_files

    found = list_image_files(path)
    if not found.formats:
        reasons = sorted({reason for _, reason in found.skipped})
        raise ValueError(
            f"{printable(path)} holds no images. Found: {', '.join(reasons) or 'nothing'}."
        )
    return [path / name for name in found.formats]


def read_file(path, size, crop):
    """The pixels of an image file, resized and cropped as in evaluation: uint8 `(*size, 3)`.

    Raises:
        OSError, ValueError: As `decode_file`.
    """
    return center_crop(decode_file(path), size, crop)


def decode_file(path):
    """The pixels of an image file: uint8 `(height, width, 3)`.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it cannot be decoded; the message names it.
    """
    from keras_ghostnet.training.data import decoding

    try:
        return decoding.decode(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{printable(path)} cannot be used: {error}.") from error


def center_crop(pixels, size, crop):
    """Pixels `(height, width, 3)` resized and cropped as in evaluation: uint8 `(*size, 3)`."""
    import tensorflow as tf

    from keras_ghostnet.training.data import images

    return np.rint(images.center_crop(tf.constant(pixels), size, crop).numpy()).astype("uint8")
