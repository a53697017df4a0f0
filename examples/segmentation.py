"""Finds handwritten digits in pictures of many, pixel by pixel: a segmenter on GhostNet's maps.

Scenes are composed of the digits that scikit-learn ships: up to four bright cards on a background
of dark blocks, and for every pixel the digit of its card. The network is GhostNet 0.5 at an output
stride of 16 with the head of MobileNetV3's segmenter, LR-ASPP (Howard et al., ICCV 2019, section
6.4). It trains in minutes on a CPU, and is exported to TFLite, in float32 and int8.

    python examples/segmentation.py --out segmentation
"""

import argparse
import pathlib

import keras
import numpy as np
import PIL.Image
from sklearn.datasets import load_digits

import keras_ghostnet
from keras_ghostnet.export import export

SIZE = 96  # pixels of a scene's side
CELL = SIZE // 2  # of four, each with a card or without
CARDS, CARD_SIZES = 0.8, (32, 47)  # the fraction of cells with one; its side, from and below
CLASSES = ("background", *"0123456789")
HELD_OUT = 360  # digits, chosen at random, that no training scene shows
# A color for each class, in which the picture shows them.
COLORS = np.array(
    [(0, 0, 0), (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48)]
    + [(145, 30, 180), (70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212)],
    "uint8",
)


def make_scenes(count: int, digits: np.ndarray, labels: np.ndarray, seed: int):
    """Composes scenes.

    Args:
        count: How many.
        digits: Gray images `(n, 8, 8)`, values 0 to 16.
        labels: Which digits they are, `(n,)`.
        seed: Of everything random.

    Returns:
        Pixels uint8 `(count, SIZE, SIZE, 3)`, and classes uint8 `(count, SIZE, SIZE)`.
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
            truth[y : y + side, x : x + side] = 1 + labels[which]
    noise = random.normal(0, 8, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype("uint8"), classes


def build_segmenter(units: int = 64) -> keras.Model:
    """A network that outputs logits `(n, SIZE, SIZE, classes)` of normalized images."""
    layers = keras.layers
    pyramid = keras_ghostnet.feature_pyramid(
        "ghostnet_050", ("P2", "P5"), output_stride=16, input_shape=(SIZE, SIZE, 3), deepest=True
    )
    low, high = pyramid.output["P2"], pyramid.output["P5"]  # at strides of 4 and of 16
    x = layers.Conv2D(units, 1, use_bias=False, name="project")(high)
    x = layers.ReLU(name="project_relu")(layers.BatchNormalization(name="project_bn")(x))
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="gate_pool")(high)
    gate = layers.Conv2D(units, 1, activation="sigmoid", name="gate")(gate)
    x = layers.Multiply(name="gated")([x, gate])
    x = layers.UpSampling2D(4, interpolation="bilinear", name="to_stride_4")(x)
    x = layers.Conv2D(len(CLASSES), 1, name="high_logits")(x)
    x = layers.Add(name="logits")([x, layers.Conv2D(len(CLASSES), 1, name="low_logits")(low)])
    x = layers.UpSampling2D(4, interpolation="bilinear", name="to_pixels")(x)
    return keras.Model(pyramid.input, x, name="digit_segmenter")


def train(model: keras.Model, pixels: np.ndarray, classes: np.ndarray, epochs: int) -> None:
    """Trains a segmenter by Adam, with a cosine."""
    batch = 16
    steps = epochs * -(-len(pixels) // batch)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,  # XLA takes several times as long on a CPU
    )
    images = keras_ghostnet.preprocess_input(pixels)
    model.fit(images, classes, batch_size=batch, epochs=epochs, verbose=2)


def draw(pixels: np.ndarray, truth: np.ndarray, found: np.ndarray, path: pathlib.Path) -> None:
    """Writes a picture of scenes, of their true classes and of those that were found."""
    rows = [pixels, COLORS[truth], COLORS[found]]
    picture = np.concatenate([np.concatenate(row, axis=1) for row in map(list, rows)], axis=0)
    PIL.Image.fromarray(picture).resize(
        (2 * picture.shape[1], 2 * picture.shape[0]), PIL.Image.Resampling.NEAREST
    ).save(path)


def main(out: str, scenes: int = 2400, epochs: int = 12) -> dict[str, float]:
    """Trains, exports and draws; returns the mean intersection over union by format."""
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    digits, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    digits, labels = digits.reshape(-1, 8, 8)[order], labels[order]
    pixels, classes = make_scenes(scenes, digits[HELD_OUT:], labels[HELD_OUT:], seed=0)
    held_out = make_scenes(400, digits[:HELD_OUT], labels[:HELD_OUT], seed=1)
    model = build_segmenter()
    train(model, pixels, classes, epochs)
    results = export(
        model,
        folder,
        ["tflite_fp32", "tflite_int8"],
        data=held_out,
        calibration=pixels[:200],
        labels=CLASSES,
        replace=True,
    )
    found = {result.format: result.verification.mean_iou for result in results}
    for name, mean_iou in found.items():
        print(f"{name}: {mean_iou:.3f} mean IoU on {len(held_out[0])} held-out scenes, verified")
    shown = held_out[0][:6]
    maps = model.predict(keras_ghostnet.preprocess_input(shown), verbose=0).argmax(axis=-1)
    draw(shown, held_out[1][:6], maps, folder / "segmentation.png")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="segmentation", help="folder for the files")
    parser.add_argument("--scenes", type=int, default=2400, help="to train on")
    parser.add_argument("--epochs", type=int, default=12)
    main(**vars(parser.parse_args()))
