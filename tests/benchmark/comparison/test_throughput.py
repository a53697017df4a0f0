"""Networks on the device of a Keras backend: here the CPU."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_ghostnet.benchmark.comparison import throughput

ROOT = pathlib.Path(__file__).parents[3]


def tiny():
    """A network of a ghost bottleneck and a classifier, of 16 pixels."""
    from keras_ghostnet import layers

    inputs = keras.Input((16, 16, 3))
    x = layers.GhostBottleneck(8, 8, strides=2, se_ratio=0.25, name="block")(inputs)
    x = layers.GroupedConv2D(8, 3, groups=2, name="grouped")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(10, name="predictions")(x), name="tiny")


def images(batch):
    """Those that `runner` takes."""
    return np.random.default_rng(0).normal(size=(batch, 16, 16, 3)).astype("float32")


def check():
    """In whichever backend is active: outputs of a batch are the model's, in each precision."""
    expected = None
    for name, tolerance in (("fp32", 1e-5), ("fp16", 0.01), ("bf16", 0.1)):
        with throughput.precision(name):
            model = tiny()
        if expected is None:
            weights = model.get_weights()
            expected = keras.ops.convert_to_numpy(model(images(3), training=False))
        model.set_weights(weights)
        outputs = throughput.runner(model, 3, is_accelerator=False)()
        assert keras.backend.standardize_dtype(outputs.dtype) == throughput.DTYPES[name]
        for weight in model.weights:
            assert keras.backend.standardize_dtype(weight.dtype) == throughput.DTYPES[name]
        outputs = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
        np.testing.assert_allclose(outputs, expected, atol=tolerance * expected.std())
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_outputs_on_tensorflow():
    check()


@pytest.mark.backends
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_outputs_on_other_backends_without_tensorflow(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}: `make test-backends` installs it")
    code = (
        "import sys\n"
        "from keras_ghostnet.benchmark.comparison import compare\n"
        "from tests.benchmark.comparison import test_throughput\n"
        "test_throughput.check()\n"
        "assert test_throughput.throughput.device().name\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_never_jit_on_a_cpu(monkeypatch):
    import tensorflow as tf

    seen = []
    function = tf.function
    monkeypatch.setattr(tf, "function", lambda f, **kw: seen.append(kw) or function(f, **kw))
    throughput.runner(tiny(), 1, is_accelerator=False)
    assert seen == [{"jit_compile": False}]


def test_a_runner_waits_for_the_whole_batch():
    """More images take longer, which they would not if only the launch were timed."""
    import time

    inputs = keras.Input((64, 64, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(64, 5)(inputs))
    seconds = {}
    for batch in (1, 64):
        run = throughput.runner(model, batch, is_accelerator=False)
        run()
        times = []
        for _ in range(5):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        seconds[batch] = min(times)
    assert seconds[64] > 5 * seconds[1]
