"""Compares what a sidecar says with the artifact, the model that it was made from, and the images.

A sidecar's checksum shows damage; whoever edits a sidecar can compute another. So what it says is
found out again, but for what nothing is left of: docs/security.md lists that.
"""

import hashlib
import pathlib

from keras_ghostnet.export import artifacts, contents, samples, verification
from keras_ghostnet.export.onnx.runtime import layout_of
from keras_ghostnet.export.openvino.information import information
from keras_ghostnet.export.openvino.runtime import LABELS
from keras_ghostnet.export.tflite import metadata, packaging
from keras_ghostnet.export.web.conversion import describe_page
from keras_ghostnet.model_input import INPUTS, PIXELS, resolve_input
from keras_ghostnet.training import predictions
from keras_ghostnet.training.heads import is_of_pixels, output_activation, outputs_are

SHOWN = 60  # characters of a value
ROUNDING = 10  # by which factor errors may differ between processors


class Unproven(ValueError):
    """Something in a folder of artifacts cannot be relied on."""


def compare(content, subject, fmt, held, data):
    """Compares a sidecar before its artifact is run.

    Args:
        content: The sidecar's.
        subject: The `keras_ghostnet.export.artifacts.Subject` that it leads to.
        fmt: The `Format` that it says.
        held: What the artifact holds, `keras_ghostnet.export.contents.describe`.
        data: The images that the user named, instead of the export's; or None.

    Raises:
        Unproven: If it says something else than what is found; the message names both.
    """
    options, calibration = content["options"], content["calibration"]
    if (calibration is not None) != fmt.is_calibrated:
        raise Unproven(f"its sidecar says that its calibration is {_text(calibration)}.")
    folded = options.get("fold_preprocessing", False)
    found = artifacts.describe(subject, fmt, held, folded)
    del found["source"]["origin"], found["verification"]["origin"]
    if data is None:
        found["verification"].setdefault("training_images", 0)
        said = {**content, "verification": {"training_images": 0, **content["verification"]}}
        _require_sample(content, subject, fmt)
        _require_source(found["verification"].pop("source"), content["verification"]["source"])
    else:
        said = content
        del found["verification"]
    if held:
        found["precision"], said = held["precision"], {**said, "precision": fmt.dtype}
        found["options"], said = _options(options, held), {**said, "options": options}
        if "reduced_precision" in held:
            found["reduced_precision"] = held["reduced_precision"]
            half = contents.TFLITE_HALF.decode() if fmt.dtype == contents.FLOAT16 else None
            said["reduced_precision"] = half
        if "labels" in held:
            _require_labels(subject, fmt, held, folded)
    _require_equal(found, said, "")
    names = subject.sample.class_names
    if names and sorted(names) == sorted(subject.labels) and names != subject.labels:
        raise Unproven("its labels are those of the images, but in another order.")


def _require_equal(found, said, place):
    for key, value in found.items():
        if isinstance(value, dict):
            _require_equal(value, said[key], f"{place}{key}.")
        elif said.get(key) != value:
            raise Unproven(
                f"its sidecar says that {place}{key} is {_text(said.get(key))}. Found: "
                f"{_text(value)}."
            )


def _text(value):
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."


def _require_source(found, said):
    """Compares the names of two sources, of which one may be relative to a folder."""
    parts = pathlib.PurePath(said).parts
    if not parts or pathlib.PurePath(found).parts[-len(parts) :] != parts:
        raise Unproven(f"its sidecar says that its images are of {_text(said)}. Found: {found!r}.")


def require_usual(content):
    """Refuses other images than an export takes, before they are read: training images, or fewer.

    Args:
        content: The sidecar's.

    Raises:
        Unproven: If it says that it was verified on others.
    """
    origin = content["verification"]["origin"]
    if "data" in origin:
        crop = content["preprocessing"]["crop"]
        usual = {"split": "val", "count": samples.HELD_OUT, "crop": crop}
        _require_equal(usual, origin, "verification.origin.")
        if not 0 <= origin.get("training", 0) <= samples.ENOUGH:
            raise Unproven(f"it was verified on {origin['training']} training images.")


def _require_sample(content, subject, fmt):
    """Refuses another number of training images than an export takes: none of what trained it."""
    origin, sample = content["verification"]["origin"], subject.sample
    if "unlabeled" in origin:
        return
    training = {0}
    if "train_data" not in fmt.options:
        held_out, seed = sample.held_out, origin["seed"]
        training = {
            samples.reserve(origin["data"], held_out, seed=seed, is_calibrated=value)
            for value in (False, True)
        }
    if origin.get("training", 0) not in training:
        raise Unproven(
            f"it was verified on {sample.composition}. An export takes "
            f"{' or '.join(map(str, sorted(training)))} training images."
        )


def _options(options, held):
    """The options that can be found out, of those that a sidecar says."""
    (tensor,), found = held["inputs"], {}
    if "io" in options:
        found["io"] = tensor["dtype"]
    if options.get("fold_preprocessing"):
        found["fold_preprocessing"] = tensor["dtype"] == "uint8"
    if "layout" in options:
        found["layout"] = layout_of(tensor["shape"])
    if "runtime" in options:
        found["runtime"] = held["runtime"]
    if "top_k" in options:
        found["top_k"] = held.get("top_k")
    return found


def _require_labels(subject, fmt, held, folded):
    """Compares the labels, and what a TFLite file says of its images, with the artifact's own."""
    labels = list(subject.labels)
    if fmt.module.startswith("tflite") or fmt.module == "web":
        labels = packaging.label_lines(labels, held["outputs"][0]["shape"][-1])
        expected = metadata.encode(
            name=subject.model.name,
            labels_file=packaging.LABELS,
            folded=folded or (subject.input == PIXELS and fmt.module in ("tflite", "web")),
            outputs_are=outputs_are(subject.model),
            is_trained="train_data" in fmt.options,
        )
        if held["metadata"] != hashlib.sha256(expected).hexdigest():
            raise Unproven("its TFLite metadata are not those of an export of its model.")
    if fmt.module == "openvino":
        expected = information(labels, subject.input, is_of_pixels(subject.model))
        labels = expected[LABELS].split(" ")
        if held["metadata"] != expected:
            raise Unproven("its model_info is not that of an export of its model.")
    if fmt.module == "web":
        page = describe_page(subject.model, subject.labels, subject.crop, subject.input)
        if held["page"] != page:
            raise Unproven("its model.json is not that of an export of its model.")
    if held["labels"] != labels:
        raise Unproven(
            f"its sidecar says that labels is {_text(labels)}. Found in the artifact: "
            f"{_text(held['labels'])}."
        )


def require_input(subject, fmt, reference):
    """Refuses another kind of input than the model shows, unless the images show that it is right.

    Args:
        subject, fmt: As `compare`.
        reference: What `subject.reference()` returned.

    Raises:
        Unproven: If it is another.
    """
    try:
        detected = resolve_input(subject.model)
    except ValueError:  # neither
        detected = None
    if detected == subject.input:
        return
    sample, activation = subject.sample, output_activation(subject.model)
    if sample.labels is not None:
        (other,) = set(INPUTS) - {subject.input}
        outputs = predictions.run(subject.model, sample.prepared(other))
        accuracies = [
            verification.compare(x, reference, sample.labels, fmt, activation).accuracy
            for x in (reference, outputs)
        ]
        if accuracies[0] > accuracies[1]:
            return
    raise Unproven(
        f"its sidecar says that the model takes {subject.input} images. Found: "
        f"{detected or 'neither kind'}, and no images with classes that it recognizes better so."
    )


def compare_figures(content, result, fmt, pixels=1):
    """Compares the figures of a sidecar with those that were found on the same images.

    Other processors round in other ways: figures may differ by as much as rounding may change.

    Args:
        content: The sidecar's.
        result: A `Verification`.
        fmt: The `Format`.
        pixels: How many of an image are classified.

    Raises:
        Unproven: If one differs by more.
    """
    said = content["verification"]
    decisions = said["images"] * pixels
    changed = 1 - fmt.min_agreement + (1 - result.agreement)
    slack = {
        "cosine": 1 - fmt.min_cosine,
        "agreement": changed,
        "accuracy": changed,
        "mean_iou": 2 * changed,
        "flips": changed * decisions,
        "close_flips": changed * decisions,
        "p_value": 1e-4 if said["flips"] == result.flips else 1,
    }
    for name, limit in (("max_error", fmt.max_error), ("typical_error", fmt.max_typical_error)):
        most = max(said[name], getattr(result, name))
        slack[name] = min(limit / 2, most - most / ROUNDING + limit / 1e4)
    for name, allowed in slack.items():
        before, now = said.get(name), getattr(result, name)
        known = (before is None, now is None)
        if known == (True, True) or (not any(known) and abs(before - now) <= allowed):
            continue
        raise Unproven(f"its sidecar says that verification.{name} is {before}. Found: {now}.")
