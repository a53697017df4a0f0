"""Trains a small network on scikit-learn's digits and puts ghost modules into it.

    python examples/ghostify_digits.py

Prints the accuracy on 397 held-out digits with random weights in the ghost modules and with the
warm start: before any training, and after two epochs. Takes a minute or two on two CPU cores.
"""

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits

from keras_ghostnet import count_macs, count_parameters, ghostify

CALIBRATION = 256  # images


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=12, help="of the plain networks")
    parser.add_argument("--ratios", type=int, nargs="+", default=[2, 3, 4])
    options = parser.parse_args()
    train, held_out = digits()
    head = ("network", "ratio", "parameters", "MACs", "start", "at once", "2 epochs")
    print("{:9} {:>5} {:>10} {:>9}  {:6} {:>8} {:>8}".format(*head))
    for build in (chain, residual):
        keras.utils.set_random_seed(0)
        model = build()
        steps = options.epochs * -(-len(train[0]) // 32)
        fit(model, train, options.epochs, keras.optimizers.schedules.CosineDecay(0.05, steps))
        row(model, 1, "", accuracy(model, held_out))
        for ratio in options.ratios:
            for start, images in (("random", None), ("warm", train[0][:CALIBRATION])):
                keras.utils.set_random_seed(0)
                ghost = ghostify(model, ratio, calibration=images)
                at_once = accuracy(ghost, held_out)
                fit(ghost, train, 2, 0.01)
                row(ghost, ratio, start, at_once, accuracy(ghost, held_out))


def digits():
    """Training and held-out images `(n, 8, 8, 1)` in [-1, 1], with their classes."""
    data = load_digits()
    images = (data.images[..., None] / 8 - 1).astype("float32")
    order = np.random.default_rng(0).permutation(len(images))
    return [(images[part], data.target[part]) for part in (order[:1400], order[1400:])]


def unit(x, filters, relu=True):
    x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    return keras.layers.ReLU()(x) if relu else x


def chain():
    """Four convolutions, one after another."""
    x = inputs = keras.Input((8, 8, 1))
    x = keras.layers.MaxPooling2D(2)(unit(unit(x, 16), 32))
    x = keras.layers.GlobalAveragePooling2D()(unit(unit(x, 64), 64))
    return keras.Model(inputs, keras.layers.Dense(10)(x), name="chain")


def residual():
    """Two basic blocks, whose sums keep the order of their channels."""
    inputs = keras.Input((8, 8, 1))
    x = unit(inputs, 32)
    for _ in range(2):
        x = keras.layers.ReLU()(keras.layers.Add()([x, unit(unit(x, 32), 32, relu=False)]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x), name="residual")


def fit(model, split, epochs, rate):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate, 0.9, nesterov=True), loss, jit_compile=False)
    model.fit(*split, batch_size=32, epochs=epochs, verbose=0)


def accuracy(model, split):
    images, classes = split
    return (model.predict(images, verbose=0).argmax(axis=-1) == classes).mean()


def row(model, ratio, start, *accuracies):
    counts = f"{count_parameters(model):>10,} {count_macs(model):>9,}"
    figures = " ".join(f"{value:>8.2%}" for value in accuracies)
    print(f"{model.name:9} {ratio:>5} {counts}  {start:6} {figures}", flush=True)


if __name__ == "__main__":
    main()
