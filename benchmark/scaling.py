"""How training scales from one accelerator to many: tables of what a model of it says.

It is computed from what a network is (its gradients' bytes, its batch norms) and from assumptions
that are printed and can be given: above all the images per second of one accelerator, which
--measure takes from the device at hand.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from keras_ghostnet.benchmark import scaling_model
from keras_ghostnet.benchmark.scaling_model import Cluster, Workload
from keras_ghostnet.command import hyphenated
from keras_ghostnet.quiet import quiet

if TYPE_CHECKING:
    from keras_ghostnet.training.recipes import Recipe

IMAGENET = 1_281_167  # training images
ACCELERATORS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
# Images per second with mixed precision, channels last, on an RTX 3090: timm's published figures
# for ghostnet_100 and, as there is none of G-GhostNet, for regnetx_032 (its file
# results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv). Assumptions for any other device.
PUBLISHED = {"ghostnet_100": 2130.0, "g_ghost_regnetx_032": 309.0}
REPLICA_BATCH = 128  # the authors' own, on each of 8 GPUs
# Images on a replica below which all batch norms should be synchronized: ResNet-50's error on
# ImageNet is 23.6 % with 32, 23.7 % with 16, 24.8 % with 8 (arXiv 1803.08494, "sensitivity to batch
# sizes").
LEAST_BATCH = 16


def table(
    network: Workload, cluster: Cluster, largest_batch: int = scaling_model.LARGEST_BATCH
) -> Iterator[str]:
    """The lines of a network's table."""
    yield (
        "| accelerators | hosts | batch | each | images/s | efficiency | bound by | "
        "learning rate | warm-up epochs | synchronized BN | cores/host | hours |"
    )
    yield "|---" * 12 + "|"
    for accelerators in ACCELERATORS:
        now = scaling_model.step(network, cluster, accelerators, largest_batch)
        hours = network.epochs * IMAGENET / now.rate / 3600
        cells = (
            accelerators,
            scaling_model.hosts_for(accelerators, cluster),
            f"{now.batch:,}",
            now.replica_batch,
            f"{now.rate:,.0f}",
            f"{now.efficiency:.0%}",
            now.bound,
            f"{scaling_model.learning_rate(network, now.batch):.2g}",
            f"{scaling_model.warmup_epochs(network, now.batch):g}",
            now.synchronized,
            scaling_model.cores_needed(network, cluster, accelerators),
            f"{hours:.1f}",
        )
        yield f"| {' | '.join(map(str, cells))} |"


def network(
    name: str,
    rate: float | None = None,
    replica_batch: int = REPLICA_BATCH,
    least_batch: int = LEAST_BATCH,
) -> Workload:
    """A model with its published recipe.

    Args:
        name: `"ghostnet_100"` or `"g_ghost_regnetx_032"`.
        rate: Images per second that one accelerator trains; None takes the published figure.
        replica_batch: Images with which an accelerator is full.
        least_batch: Images on each below which all batch norms should be synchronized.

    Returns:
        A `Workload`.
    """
    recipe = published_recipe(name)
    layers, norms, pooled = _size(name)
    return Workload(
        name=name,
        layers=layers,
        norms=norms,
        pooled=pooled,
        epochs=recipe.epochs,
        batch=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        warmup_epochs=recipe.warmup_epochs,
        rate=rate or PUBLISHED[name],
        largest=replica_batch,
        least=least_batch,
    )


@functools.cache
def _size(name):
    """Parameters and multiply-adds of layers; channels of all batch norms and of the pooled."""
    import keras_ghostnet
    from keras_ghostnet.counting import count_layer_macs
    from keras_ghostnet.layers.normalization import batch_norms, pooled_batch_norms

    model = keras_ghostnet.create_model(name)
    macs = count_layer_macs(model)
    leaves = [layer for layer in model._flatten_layers() if not layer._layers]
    layers = tuple(
        (sum(math.prod(weight.shape) for weight in leaf.trainable_weights), macs.get(id(leaf), 0))
        for leaf in leaves
        if leaf.trainable_weights
    )
    norms, pooled = (
        tuple(norm.gamma.shape[0] for norm in find(model))
        for find in (batch_norms, pooled_batch_norms)
    )
    return layers, norms, pooled


def published_recipe(name: str) -> Recipe:
    """The recipe of a model's own paper."""
    from keras_ghostnet.training import recipes

    return recipes.get_recipe(f"{name}_imagenet")


def measure(recipe: Recipe, steps: int = 10, classes: int = 1000) -> float:
    """Images per second of the trainer's step on the device at hand.

    Args:
        recipe: A `Recipe`.
        steps: The number of steps that are timed, after the one that builds the graph.
        classes: Of the data.
    """
    import tensorflow as tf

    from keras_ghostnet.training import classifiers, distribution
    from keras_ghostnet.training.loop import Loop

    strategy = distribution.strategy("one_device")
    loop = Loop(recipe, lambda: classifiers.build_classifier(recipe, classes), steps, strategy)
    images = recipe.batch_size
    batch = {
        "image": tf.zeros((images, recipe.image_size, recipe.image_size, 3)),
        "label": tf.zeros(images, tf.int32),
        "weight": tf.ones(images),
    }
    loop.train_step(batch).numpy()
    start = time.perf_counter()
    for _ in range(steps):
        result = loop.train_step(batch)
    result.numpy()
    return images * steps / (time.perf_counter() - start)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables; see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_ghostnet.benchmark.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", choices=PUBLISHED, help="this one alone")
    parser.add_argument("--rate", type=float, help="images per second of one accelerator")
    parser.add_argument("--measure", action="store_true", help="take it from the device at hand")
    parser.add_argument("--replica-batch", type=int, default=REPLICA_BATCH)
    parser.add_argument("--least-batch", type=int, default=LEAST_BATCH)
    parser.add_argument("--largest-batch", type=int, default=scaling_model.LARGEST_BATCH)
    for field in dataclasses.fields(Cluster):
        (option,) = hyphenated([f"--{field.name}"])
        parser.add_argument(option, type=field.type, default=field.default)
    options = vars(parser.parse_args(hyphenated(sys.argv[1:] if arguments is None else arguments)))
    cluster = Cluster(**{field.name: options[field.name] for field in dataclasses.fields(Cluster)})
    if options["rate"] and not options["model"]:
        parser.error("--rate is that of one model: give --model too")
    with quiet():
        lines = list(report(cluster, options))
    print("\n".join(lines))


def report(cluster: Cluster, options: dict[str, Any]) -> Iterator[str]:
    """The lines that are printed.

    Args:
        cluster: A `Cluster`.
        options: A dictionary of the command's options.
    """
    yield "; ".join(f"{key} {value:g}" for key, value in dataclasses.asdict(cluster).items())
    for name in [options["model"]] if options["model"] else PUBLISHED:
        batch, rate = options["replica_batch"], options["rate"]
        source = "given" if rate else "assumed: an RTX 3090, published by timm"
        if options["measure"]:
            recipe = dataclasses.replace(published_recipe(name), batch_size=batch)
            rate, source = measure(recipe), "measured here"
        described = network(name, rate, batch, options["least_batch"])
        size = described.gradients * cluster.gradient_bytes
        yield (
            f"\n{name}: {described.rate:,.1f} images/s on one accelerator ({source}), "
            f"{size / 1e6:.1f} MB of gradients, {len(described.norms)} batch norms "
            f"({len(described.pooled)} of pooled maps), "
            f"{described.epochs} epochs of ImageNet, {described.warmup_epochs:g} of warm-up\n"
        )
        yield from table(described, cluster, options["largest_batch"])


if __name__ == "__main__":
    main()
