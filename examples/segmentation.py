"""Finds handwritten digits in pictures of many, pixel by pixel: trained, evaluated and exported.

Scenes are composed of the digits that scikit-learn ships: up to four bright cards on a background
of dark blocks. They are written as a data set of segmentation, a folder of images and one of masks,
on which the recipe `segmentation` trains GhostNet 0.5 with the head of MobileNetV3's segmenter,
LR-ASPP (Howard et al., ICCV 2019, section 6.4), at an output stride of 16. It takes minutes on a
CPU, and is exported to TFLite, in float32 and int8.

    python examples/segmentation.py --out segmentation

The digit of a whole card is its label; with `--label ink`, of the pen's strokes on it alone.
"""

import argparse
import pathlib

import numpy as np
import PIL.Image
from rich.console import Console
from sklearn.datasets import load_digits

from keras_ghostnet.export import export
from keras_ghostnet.training import evaluate, train

SIZE = 96  # pixels of a scene's side
CELL = SIZE // 2  # of four, each with a card or without
CARDS, CARD_SIZES = 0.8, (32, 47)  # the fraction of cells with one; its side, from and below
INK = 0.25  # of black, from which a pixel of a card is one of the digit's strokes
CLASSES = ("background", *"0123456789")
HELD_OUT = 360  # digits, chosen at random, that no training scene shows
SETTINGS = (
    "model=ghostnet_050",
    "weights=none",
    f"image_size={SIZE}",
    "optimizer=adamw",
    "learning_rate=0.003",
    "l2=0",
    # Digits are not mirrored, and scenes differ enough as they are.
    "augmentation.area=none",
    "augmentation.flip=false",
    "augmentation.color_jitter=0",
)


def make_scenes(
    count: int, digits: np.ndarray, labels: np.ndarray, seed: int, ink_alone: bool = False
):
    """Composes scenes.

    Args:
        count: How many.
        digits: Gray images `(n, 8, 8)`, values 0 to 16.
        labels: Which digits they are, `(n,)`.
        seed: Of everything random.
        ink_alone: Whether the strokes alone are labeled, and not their card.

    Returns:
        Pixels uint8 `(count, SIZE, SIZE, 3)`, and classes uint8 `(count, SIZE, SIZE)`: of a card
        its digit, of all else the background.
    """
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 110, (count, SIZE // 8, SIZE // 8, 3), "uint8")
    pixels = pixels.repeat(8, axis=1).repeat(8, axis=2)
    classes = np.zeros((count, SIZE, SIZE), "uint8")
    for scene, truth in zip(pixels, classes, strict=True):
        for cell in np.argwhere(random.random((2, 2)) < CARDS):
            which, side = random.integers(len(digits)), random.integers(*CARD_SIZES)
            y, x = cell * CELL + random.integers(0, CELL - side, 2)
            ink = PIL.Image.fromarray((digits[which] * 15.9).astype("uint8"))
            ink = np.asarray(ink.resize((side, side), PIL.Image.Resampling.BICUBIC)) / 255
            paper, dark = random.uniform(150, 255, 3), random.uniform(0, 90, 3)
            card = paper + ink[..., None] * (dark - paper)
            scene[y : y + side, x : x + side] = card
            labeled = ink > INK if ink_alone else np.ones_like(ink, bool)
            truth[y : y + side, x : x + side][labeled] = 1 + labels[which]
    noise = random.normal(0, 8, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype("uint8"), classes


def write_scenes(folder: pathlib.Path, scenes: int, ink_alone: bool) -> None:
    """Writes `train` and `val`, each with `images` and `masks`, and `classes.txt`."""
    digits, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    digits, labels = digits.reshape(-1, 8, 8)[order], labels[order]
    parts = {"train": (scenes, slice(HELD_OUT, None)), "val": (400, slice(HELD_OUT))}
    for seed, (split, (count, chosen)) in enumerate(parts.items()):
        pixels, classes = make_scenes(count, digits[chosen], labels[chosen], seed, ink_alone)
        for kind, arrays in (("images", pixels), ("masks", classes)):
            (folder / split / kind).mkdir(parents=True, exist_ok=True)
            for number, array in enumerate(arrays):
                PIL.Image.fromarray(array).save(folder / split / kind / f"{number:05}.png")
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")


def main(out: str, scenes: int = 2400, epochs: int = 12, label: str = "cards") -> dict[str, float]:
    """Trains, evaluates and exports; returns the mean intersection over union by format."""
    folder, console = pathlib.Path(out), Console()
    data, run = folder / "scenes", folder / "run"
    if not data.exists():
        write_scenes(data, scenes, label == "ink")
    train("segmentation", data, run, settings=[*SETTINGS, f"epochs={epochs}"], console=console)
    found = {"Keras": evaluate(run, data).mean_iou}
    formats = ["tflite_fp32", "tflite_int8"]
    results = export(run, folder / "exports", formats, replace=True, console=console)
    found |= {result.format: result.verification.mean_iou for result in results}
    for name, mean_iou in found.items():
        print(f"{name}: {mean_iou:.3f} mean IoU of held-out scenes")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="segmentation", help="folder for the files")
    parser.add_argument("--scenes", type=int, default=2400, help="to train on")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--label", choices=("cards", "ink"), default="cards")
    main(**vars(parser.parse_args()))
