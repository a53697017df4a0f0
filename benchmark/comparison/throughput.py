"""Keras models on the device of the active backend: an accelerator, or the CPU in small.

A model runs compiled on an accelerator, by what its backend has for it (`MODES`), and never on a
CPU. Of TensorFlow, JAX and PyTorch only the backend is imported.
"""

import contextlib
import dataclasses

import keras
import numpy as np

from keras_ghostnet import count_macs, count_parameters, specs
from keras_ghostnet.benchmark.comparison.measure import MeasurementRun, describe_versions
from keras_ghostnet.console import step
from keras_ghostnet.export.device.conditions import Conditions

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
WEIGHT_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}
# How a backend runs a model on an accelerator and on a CPU.
MODES = {
    "tensorflow": ("tf.function(jit_compile=True)", "tf.function"),
    "jax": ("jax.jit", "op by op"),
    "torch": ("op by op, inference_mode", "op by op, inference_mode"),
}


BATCHES = (1, 8, 32, 128)


@dataclasses.dataclass(frozen=True)
class Device:
    """What the backend computes on.

    Attributes:
        name: Of the card or processor.
        is_accelerator: Whether it is not the CPU.
    """

    name: str
    is_accelerator: bool

    @property
    def mode(self):
        """How models run on it."""
        return MODES[keras.backend.backend()][0 if self.is_accelerator else 1]


def validate_options(options, found):
    """Tells before long work what does not fit.

    Args:
        options: `keras_ghostnet.benchmark.comparison.compare.Options`.
        found: A list of `ComparedNetwork`.

    Raises:
        ValueError: If a format, a model or the backend does not fit.
    """
    for name in options.formats or ():
        if name not in DTYPES:
            raise ValueError(f"The gpu suite has no format {name!r}.{specs.suggest(name, DTYPES)}")
    for subject in found:
        if subject.row is None:
            raise ValueError(
                f"The gpu suite builds networks of the table in several precisions; {subject.name} "
                "is a file. Compare it with --suite paper or since."
            )
    device()


def measure(options, found, out, console):
    """Measures milliseconds for a batch, all models in turn for each precision and batch size.

    Args:
        options, found: As `validate_options`.
        out: The folder of the CSV, a `pathlib.Path`.
        console: A `rich.console.Console` for progress.

    Returns:
        A list of `keras_ghostnet.benchmark.comparison.results.Measurement`.
    """
    here, backend = device(), keras.backend.backend()
    names = options.formats or (tuple(DTYPES) if here.is_accelerator else ("fp32",))
    batches = options.batch or (BATCHES if here.is_accelerator else (1,))
    console.print(f"{here.name}, {backend}: {here.mode}", soft_wrap=True)
    timing = MeasurementRun(
        out,
        [[subject.name for subject in found], names, batches, options.size],
        device=here.name,
        runtime=backend,
        versions=describe_versions(backend, here.mode),
        calls=options.calls,
        console=console,
        force=options.force,
    )
    measured = []
    for name in names:
        with step(console, f"Building {len(found)} networks in {name}") as done, precision(name):
            models = {subject.name: subject.build(options.size) for subject in found}
            fields = {model.name: _fields(model, name) for model in models.values()}
            done(f"built {len(found)} networks in {name}")
        for batch in sorted(batches):
            measured += timing.measure(
                f"{name}, batch {batch}",
                {model: {**fields[model], "batch": batch} for model in models},
                {name: runner(model, batch, here.is_accelerator) for name, model in models.items()},
            )
    timing.finish()
    return measured


def _fields(model, name):
    """What is known of a network before it is measured."""
    return dict(
        model=model.name,
        format=name,
        threads=1,
        size=model.input_shape[1],
        bytes=model.count_params() * WEIGHT_BYTES[name],
        parameters=count_parameters(model),
        macs=count_macs(model),
        sha256="",
    )


def device():
    """The `Device` of the active backend.

    Raises:
        ValueError: If the backend is none of `MODES`.
    """
    backend = keras.backend.backend()
    if backend not in MODES:
        raise ValueError(
            f"The gpu suite runs on the backends {', '.join(MODES)}. Found: {backend}. Set "
            "KERAS_BACKEND."
        )
    name = {"tensorflow": _tensorflow_card, "jax": _jax_card, "torch": _torch_card}[backend]()
    return Device(name or Conditions().device, name is not None)


@contextlib.contextmanager
def precision(name):
    """Models that are built within have the weights, and compute in, this precision.

    Args:
        name: `"fp32"`, `"fp16"` or `"bf16"`.
    """
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(DTYPES[name])
    keras.config.set_dtype_policy(DTYPES[name])
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def runner(model, batch, is_accelerator):
    """A function without arguments that runs one batch and waits for its end, to be timed.

    The images are on the device before. The first call compiles.

    Args:
        model: A Keras model of images of a fixed size.
        batch: The number of images.
        is_accelerator: As in `Device`.

    Returns:
        A function that returns the outputs, `(batch, classes)`, a tensor of the backend.
    """
    images = np.random.default_rng(0).normal(size=(batch, *model.input_shape[1:]))
    images = keras.ops.convert_to_tensor(images.astype("float32"), dtype=model.compute_dtype)
    make = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    return make(model, images, is_accelerator)


def _tensorflow(model, images, is_accelerator):
    import tensorflow as tf

    # Never on a CPU, where XLA is several times slower.
    function = tf.function(lambda x: model(x, training=False), jit_compile=is_accelerator)

    def run():
        outputs = function(images)
        tf.test.experimental.sync_devices()
        return outputs

    return run


def _jax(model, images, is_accelerator):
    import jax

    def forward(trainable, fixed, x):
        return model.stateless_call(trainable, fixed, x, training=False)[0]

    function = jax.jit(forward) if is_accelerator else forward
    trainable, fixed = (
        [variable.value for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    return lambda: jax.block_until_ready(function(trainable, fixed, images))


def _torch(model, images, is_accelerator):
    import torch

    def run():
        with torch.inference_mode():
            outputs = model(images, training=False)
        if is_accelerator:
            torch.cuda.synchronize()
        return outputs

    return run


def _tensorflow_card():
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    if not cards:
        return None
    return tf.config.experimental.get_device_details(cards[0]).get("device_name", cards[0].name)


def _jax_card():
    import jax

    (first, *_) = jax.devices()
    return None if first.platform == "cpu" else first.device_kind


def _torch_card():
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
