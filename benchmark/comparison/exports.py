"""Networks as files to be timed, all of a format made in the same way."""

import dataclasses
import functools
import pathlib

import numpy as np

from keras_ghostnet import count_macs, count_parameters, files
from keras_ghostnet.benchmark.comparison import runtimes
from keras_ghostnet.benchmark.networks import random_weights
from keras_ghostnet.export import formats, sandbox, sidecar, tflite
from keras_ghostnet.export.device import run
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.tflite import runtime as litert
from keras_ghostnet.quiet import quiet

IMAGES = 16  # that ranges, and the statistics of random weights, are taken from
INTEGERS = ("int8", "uint8")
TFLITE = "tflite"  # the formats' module


@dataclasses.dataclass(frozen=True)
class Export:
    """An exported file, or folder, and what is known of its network.

    Attributes:
        model: The subject's name.
        runtime: That runs it, of `keras_ghostnet.benchmark.comparison.runtimes.RUNTIMES`.
        format: `"fp32"`, `"fp16"` or `"int8"`.
        path: The file.
        size: Side of the image in pixels.
        bytes, sha256: Of the file.
        parameters, macs: Counted; None if only the file is known.
        parts: The number of partitions that XNNPACK divides it into, the remainder included; None
            in other runtimes.
        top1, images: As in `keras_ghostnet.benchmark.comparison.results.Measurement`.
    """

    model: str
    runtime: str
    format: str
    path: pathlib.Path
    size: int
    bytes: int
    sha256: str
    parameters: int | None
    macs: int | None
    parts: int | None
    top1: float | None = None
    images: str = ""

    @property
    def artifact_format(self):
        """Its `keras_ghostnet.export.formats.Format`."""
        return runtimes.format_of((self.runtime, self.format))

    @property
    def fields(self):
        """Fields of a `keras_ghostnet.benchmark.comparison.results.Measurement`, a dictionary."""
        return {name: value for name, value in vars(self).items() if name != "path"}


class Exporter:
    """Writes the files of one network.

    Args:
        model: A Keras model.
        random: Whether its weights are random. Its batch norms then get the statistics of random
            images.
    """

    def __init__(self, model, random):
        self.model, self.random = model, random

    @functools.cached_property
    def images(self):
        """Random images that ranges are taken from: only the latency of an int8 file is of use."""
        return random_weights.random_images(IMAGES, *self.model.input_shape[1:3])

    @functools.cached_property
    def counts(self):
        """Parameters and multiply-adds of one image, a dictionary."""
        return dict(parameters=count_parameters(self.model), macs=count_macs(self.model))

    def write(self, path, choice, target):
        """Writes the artifact of a runtime and precision for a processor.

        Those of int8 take their ranges from `images`.
        """
        fmt = runtimes.format_of(choice)
        if fmt.module == TFLITE:  # which networks of others are taken to in parts, too
            options = dict(one_partition=False, target=target)
            tflite.export(self.deployed, path, fmt.dtype, self.images, **options)
            return
        formats.write(self.deployed, fmt, path, self.images)

    @functools.cached_property
    def deployed(self):
        """The network in its deployment form."""
        with quiet():
            if self.random:
                random_weights.settle_batch_norms(self.model, self.images)
            return for_tracing(deploy(self.model))


def describe(path, is_tflite=True):
    """What the artifact itself holds: `bytes`, `sha256` and `parts`, a dictionary.

    Raises:
        ImportError: If LiteRT is missing.
        ValueError: If it is not a network that takes one image.
    """
    return dict(
        bytes=files.size(path),
        sha256=sidecar.artifact_hash(path),
        parts=_parts(path) if is_tflite else None,
    )


def of_file(subject):
    """The `Export` of a user's own `.tflite` file; errors as `describe`.

    It is run once in a process of its own before it is loaded into this one, which it might end.
    """
    sandbox.Sandbox(subject.file, "tflite").close()
    is_integer = np.dtype(tflite.load(subject.file).output["dtype"]).name in INTEGERS
    graph = tflite.graph(subject.file.read_bytes())
    tensors = (graph.subgraph.Tensors(i).Type() for i in range(graph.subgraph.TensorsLength()))
    floats = "fp16" if "FLOAT16" in map(graph.type_names.get, tensors) else "fp32"
    return Export(
        model=subject.name,
        runtime="litert",
        format="int8" if is_integer else floats,
        path=subject.file,
        size=tflite.load(subject.file).input_shape[0],
        parameters=None,
        macs=None,
        **describe(subject.file),
    )


def _parts(path):
    try:
        litert.check_partition(path)
    except ValueError:
        # There is no public way to the delegated parts: LiteRT only logs their number.
        operators = run.Model(path).interpreter._get_ops_details()
        return max(2, sum(operator["op_name"] == "DELEGATE" for operator in operators))
    return 1
