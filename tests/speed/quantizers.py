"""Prints what quantizes a network to int8 better: TFLite's converter or ai-edge-quantizer.

`python -m tests.speed.quantizers RUN`: the best model of a run's folder, on the images that
the run held out. Both take their ranges from the same training images, and both files have int8
inputs and outputs. Latencies are of one thread, the files in turn in one run.
"""

import pathlib
import sys
import tempfile

import numpy as np
import tensorflow as tf

from keras_ghostnet import files, model_reference
from keras_ghostnet.benchmark.latency import measure_latency
from keras_ghostnet.export import formats, images, tflite
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.verification import compare
from keras_ghostnet.model_input import NORMALIZED
from keras_ghostnet.quiet import quiet

CALLS = 400
NAMES = ("float32", "converter", "ai-edge-quantizer")
SIGNATURE = "serving_default"


def quantizer(model, path, calibration):
    """Quantizes a network's float file by ai-edge-quantizer's recipe `static_wi8_ai8`."""
    from ai_edge_quantizer import quantizer, recipe

    work = quantizer.Quantizer(with_signature(model), recipe.static_wi8_ai8())
    result = work.calibrate({SIGNATURE: [{"images": image[None]} for image in calibration]})
    path.write_bytes(work.quantize(result, enable_progress_report=False).quantized_model)


def with_signature(model):
    """The bytes of a float `.tflite` file as the quantizer wants it, run by a signature."""
    module = tf.Module()
    module.weights = [variable.value for variable in model.weights]
    specification = tf.TensorSpec((1, *model.input_shape[1:]), "float32", name="images")
    module.run = tf.function(
        lambda images: {"outputs": model(images, training=False)}, input_signature=[specification]
    )
    function = module.run.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([function], module).convert()


def main(run):
    source = model_reference.resolve_model(run)
    settings = dict(crop=source.crop, seed=source.seed)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        model = source.load()
        size, folder = model.input_shape[1:3], pathlib.Path(folder)
        held_out = images.from_source(source.data, "val", size, count=10_000, **settings)
        calibration = images.from_source(source.data, "train", size, count=200, **settings)
        calibration, inputs = (x.prepared(NORMALIZED) for x in (calibration, held_out))
        deployed = for_tracing(deploy(model))
        paths = {name: folder / f"{index}.tflite" for index, name in enumerate(NAMES)}
        tflite.export(deployed, paths["float32"])
        tflite.export(deployed, paths["converter"], "int8", calibration)
        quantizer(deployed, paths["ai-edge-quantizer"], calibration)
        runners = {name: tflite.load(path) for name, path in paths.items()}
        reference = model.predict(inputs, verbose=0)
        int8 = formats.get_format("tflite_int8")
        figures = {
            name: compare(runner(inputs), reference, held_out.labels, int8)
            for name, runner in runners.items()
        }
        times = measure_latency({n: r.single(inputs[0]) for n, r in runners.items()}, calls=CALLS)
        sizes = {name: files.size(path) for name, path in paths.items()}
        kinds = {name: np.dtype(runner.input["dtype"]).name for name, runner in runners.items()}
    print(f"{'':18} {'input':8} {'MB':>6} {'top-1':>8} {'same':>8} {'error':>7} {'median ms':>10}")
    for name, result in figures.items():
        print(
            f"{name:18} {kinds[name]:8} {sizes[name] / 1e6:6.2f} {result.accuracy:8.2%} "
            f"{result.agreement:8.2%} {result.max_error:7.3f} {times[name].median:10.3f}"
        )


if __name__ == "__main__":
    main(sys.argv[1])
