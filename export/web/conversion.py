"""From a deployment model to the folder of a page."""

import json
import pathlib

from keras_ghostnet.export import preprocessing, tflite
from keras_ghostnet.export.web import litert, page_files
from keras_ghostnet.model_input import NORMALIZED
from keras_ghostnet.training.heads import is_multi_label, outputs_are


def export(
    model,
    path,
    dtype="float32",
    calibration=None,
    labels=None,
    crop=0.875,
    input=NORMALIZED,
    target="arm",
    vendor=None,
):
    """Writes a page that classifies pictures in the browser: any static server serves its folder.

    Args:
        model: A Keras model in its deployment form, `for_tracing(deploy(model))`, with one input
            of a fixed image size.
        path: The folder to create.
        dtype: `"float32"`, of the `.tflite` file in it.
        calibration: Not used.
        labels: The classes' names in the order of the outputs; None shows their numbers.
        crop: The fraction of a resized picture's shorter side that the model sees, in (0, 1].
        input: What the model takes, of `keras_ghostnet.model_input.INPUTS`.
        target: The processor whose kernels the model is lowered for, as for TFLite.
        vendor: A folder with npm's packages of LiteRT.js, `keras_ghostnet.export.web.litert`, which
            are copied, so that the page works offline; None has browsers load them from a CDN.

    Raises:
        FileNotFoundError: If the packages are not in `vendor`.
        ImportError: If LiteRT is missing.
        ValueError: If an argument does not fit, or LiteRT has no kernel for a layer.
    """
    folder, is_vendored = pathlib.Path(path), vendor is not None
    folder.mkdir()
    if is_vendored:
        litert.vendor(vendor, folder)
    file = folder / page_files.MODEL
    tflite.export(model, file, dtype, labels=labels, input=input, target=target)
    page_files.write(folder, is_vendored)
    page = {**describe_page(model, labels, crop, input), "runtime": page_files.runtime(is_vendored)}
    text = json.dumps(page, indent=2) + "\n"
    (folder / page_files.DESCRIPTION).write_text(text, "utf-8")


def describe_page(model, labels, crop, input):
    """What a page is told of its model.

    Args:
        model, labels, crop, input: As `export`.

    Returns:
        A dictionary as JSON can hold it.
    """
    described = preprocessing.describe(model, crop, False, input)
    return {
        "name": model.name,
        **{key: described[key] for key in ("size", "crop", "mean", "std")},
        "outputs_are": outputs_are(model),
        "labels_are": "independent" if is_multi_label(model) else "exclusive",
        "labels": list(labels or map(str, range(max(2, model.output_shape[-1])))),
    }
