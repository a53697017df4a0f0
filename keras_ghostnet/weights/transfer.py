"""From an identified checkpoint into a model: all of it, once, or an error and nothing."""

import dataclasses
import warnings
from collections.abc import Callable

import keras
import numpy as np

from keras_ghostnet import specs
from keras_ghostnet.weights import catalog, folding, hub, hub_config, identification, keras3

BACKBONE = 'include_top=False, pooling="avg", weights=...'
TOP = ("head", "head_bn", "predictions")  # the layers that `include_top=False` leaves out
CONSTRUCTORS = {
    "ghost_resnet": "GhostResNet56",
    "ghost_vgg": "GhostVGG16",
    "ghostnet": "GhostNet",
    "ghostnetv2": "GhostNetV2",
    "ghostnetv3": "GhostNetV3",
    "repghostnet": "RepGhostNet",
}
FOLDED = (
    "The weights in {path} have parallel branches and batch norms; they were folded for {model}, "
    "which is deployed."
)
UNFOLDED = (
    "The weights in {path} are folded. {model} has branches and batch norms: of each convolution's "
    "branches one took the folded weights, the others scale by 0. It computes the same; to train "
    "it, load weights that are not folded, or build it with deployed=True."
)


@dataclasses.dataclass(frozen=True)
class Assignment:
    """One variable and what it is set to.

    Attributes:
        variable: The model's Keras variable.
        tensor: The name of the checkpoint's tensor; if it was made of several, all of their
            names, with commas.
        value: The array, in Keras' layout.
    """

    variable: object
    tensor: str
    value: np.ndarray


def open_weights_for(weights, spec, classes, channels):
    """Reads what `weights=` of a constructor names, if it fits the model.

    Whatever can be said before a download is said before it.

    Args:
        weights: A tag of the registry, a path, or `"hf://ORG/NAME"` of the Hugging Face hub.
        spec, classes, channels: As `require_fit`.

    Returns:
        An `IdentifiedCheckpoint`.

    Raises:
        ValueError: As `require_fit`, or if `weights` is neither a tag nor a GhostNet's file.
        ImportError: If the hub's client is not installed.
        OSError: If the file cannot be read or downloaded.
    """
    if hub.is_reference(weights):
        repository = hub.open_repository(weights)
        if repository.published is not None:
            _require_published(repository.published, spec, classes, channels)
        weights = repository.weights()
    if isinstance(weights, str) and weights in catalog.list_tags(spec.name):
        require_fit(catalog.REGISTRY[spec.name, weights], spec, classes, channels)
    checkpoint = identification.open_weights(weights, spec)
    require_fit(checkpoint, spec, classes, channels)
    return checkpoint


def require_fit(
    checkpoint: identification.IdentifiedCheckpoint | catalog.WeightsEntry | hub_config.Published,
    spec: specs.Spec,
    classes: int | None,
    channels: int,
) -> None:
    """Raises if a checkpoint does not fit a model that is about to be built.

    Args:
        checkpoint: The `IdentifiedCheckpoint`, or the `WeightsEntry` or `Published` that announces
            one.
        spec: The model's specification.
        classes: Classes of the model's classifier, or None if it has none.
        channels: Channels of the model's input.

    Raises:
        ValueError: Says what the checkpoint holds, what the model is, and what to do.
    """
    if checkpoint.spec != spec:
        raise ValueError(
            f"The weights in {checkpoint.path} are of {_describe(checkpoint.spec)} "
            f"({checkpoint.title}), but the model is {_describe(spec)}. Build the model as "
            f"{_call(checkpoint.spec)}{_setting(checkpoint.spec)}, or use weights of {spec.name}."
        )
    _require_sizes(checkpoint, spec, classes, channels)


def _require_sizes(checkpoint, spec, classes, channels):
    if checkpoint.channels != channels:
        raise ValueError(
            f"The weights in {checkpoint.path} are of a network that takes "
            f"{checkpoint.channels} channels, but the model takes {channels}. Build it with "
            f"input_shape={_shape(checkpoint.channels)}, and in front of it "
            + ("repeat or project" if checkpoint.channels > channels else "average or project")
            + " the channels of the images."
        )
    if classes is None:
        return
    if checkpoint.classes is None and keras3.foreign_classes(checkpoint) is not None:
        raise ValueError(
            f"The classifier in {checkpoint.path} is not that of {spec.name}. Load the whole "
            "file with `keras.models.load_model`, or the backbone alone with `include_top=False`."
        )
    if checkpoint.classes is None:
        raise ValueError(
            f"The weights in {checkpoint.path} have no classifier, but the model has one. Use "
            "`include_top=False` and put a classifier of your own on top."
        )
    if checkpoint.classes != classes:
        raise ValueError(
            f"The weights in {checkpoint.path} are for {checkpoint.classes} classes, but the model "
            f"has classes={classes}. To use them as they are, build the model with "
            f"classes={checkpoint.classes}. To fine-tune on {classes} classes, leave the "
            "classifier out and put your own on top:\n"
            f"    backbone = {_call(spec, BACKBONE)}\n"
            f'    outputs = keras.layers.Dense({classes}, activation="softmax")(backbone.output)\n'
            "    model = keras.Model(backbone.input, outputs)"
        )


def _require_published(published, spec, classes, channels):
    """Refuses before a download what a repository itself says does not fit."""
    published.require_known()
    if published.spec is not None:
        known = classes if published.classes is not None else None
        is_named_so = published.spec.name == spec.name  # also of another form or ratio
        (_require_sizes if is_named_so else require_fit)(published, spec, known, channels)
    if not published.is_normalized_as_usual:
        print(
            f"{published.path} expects images normalized by other figures than `preprocess_input` "
            f"takes: (image / 255 - {list(published.mean)}) / {list(published.std)}"
        )


def plan_assignments(checkpoint, model, include_top, build=None):
    """Which variable is set to what, without setting anything.

    Args:
        checkpoint: The `IdentifiedCheckpoint`, which `require_fit` found to fit.
        model: The model.
        include_top: Whether the model has its classifier; without it the checkpoint's tensors
            of the classifier (and of GhostNet's head) are left out, and no others; the
            checkpoint must have all of them or none.
        build: A function without arguments that builds the network of a Keras 3 file, as
            `keras3.read_values` takes it; other files do without.

    Returns:
        A list of `Assignment`, one for each of the model's weights.

    Raises:
        ValueError: If a variable finds no tensor, a tensor no variable, shapes differ, or a
            value is too large for the variable's type; all of them are named.
    """
    if checkpoint.layout is None:  # Keras itself sees to it that no tensor is unknown
        values = keras3.read_values(checkpoint, build)
        found, unknown = {path: (path, value) for path, value in values.items()}, []
    else:
        found, unknown = _named(checkpoint, model)
    made = 0
    if checkpoint.spec.family == "ghostnetv3":
        found, made = folding.fit(found, model.weights)
    assignments, problems = [], []
    for variable in model.weights:
        tensor, value = found.pop(variable.path, (None, None))
        if tensor is None:
            problems.append(f"{variable.path} has no tensor in the checkpoint")
        elif value is None:
            problems.append(f"{variable.path} needs {tensor}, which the checkpoint lacks")
        elif value.shape != tuple(variable.shape):
            problems.append(
                f"{tensor} of shape {value.shape} does not fit {variable.path} of shape "
                f"{tuple(variable.shape)}"
            )
        elif not _finite_as(value, variable.dtype):
            problems.append(f"{tensor} has values that are infinite as {variable.dtype}")
        else:
            assignments.append(Assignment(variable, tensor, value))
    # Each layer of the top is there or not: timm's files without classifier have a head.
    lacking = {
        path.split("/")[0]: tensor for path, (tensor, value) in found.items() if value is None
    }
    for path, (tensor, value) in found.items():
        if value is None:
            continue
        layer = path.split("/")[0]
        if include_top or layer not in TOP:
            unknown.append(tensor)
        elif layer in lacking:
            problems.append(f"{tensor} is of a top that is incomplete: {lacking[layer]} is missing")
    problems += [f"{tensor} belongs to no variable of the model" for tensor in unknown]
    if problems:
        shown = "\n  ".join(problems[:10])
        more = f"\n  and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise ValueError(
            f"The weights in {checkpoint.path} ({checkpoint.title}) do not fit {model.name}; "
            f"nothing was loaded:\n  {shown}{more}"
        )
    if made:
        deployed = all(variable.name != "gamma" for variable in model.weights)
        word = FOLDED if deployed else UNFOLDED
        warnings.warn(word.format(path=checkpoint.path, model=model.name), stacklevel=2)
    return assignments


def assign_weights(
    checkpoint: identification.IdentifiedCheckpoint,
    model: keras.Model,
    include_top: bool,
    build: Callable[[], keras.Model] | None = None,
) -> list[Assignment]:
    """Sets every weight of a model from a checkpoint.

    Args:
        checkpoint, model, include_top, build: As `plan_assignments`.

    Returns:
        The list of `Assignment` that was carried out.

    Raises:
        ValueError: As `plan_assignments`; the model is untouched then.
    """
    assignments = plan_assignments(checkpoint, model, include_top, build)
    for assignment in assignments:
        assignment.variable.assign(assignment.value)
    return assignments


def _named(checkpoint, model):
    """What a layout with a table of names says of a checkpoint.

    Returns:
        Dictionary from the paths of our variables to `(name, array or None)`, and the list of
        the tensors that the table does not know.
    """
    layers = checkpoint.layout.layers(checkpoint.spec)
    rest = dict(checkpoint.tensors)
    found = {}
    paths = [*(variable.path for variable in model.weights), *_top_variables(layers)]
    for path in paths + _own_variables(checkpoint, layers):
        layer = layers.get(path.rpartition("/")[0])
        if layer is None or path in found:
            continue
        tensor = checkpoint.layout.tensor_name(layer, path)
        array = rest.pop(tensor, None)
        value = None if array is None else checkpoint.layout.to_keras(array, path)
        found[path] = (checkpoint.name(tensor), value)
    return found, [checkpoint.name(tensor) for tensor in rest]


def _own_variables(checkpoint, layers):
    """The variables that a checkpoint has, if those of the model may be of another form."""
    if checkpoint.spec.family != "ghostnetv3":
        return []
    return [
        f"{layer}/{name}"
        for layer, theirs in layers.items()
        for name in (folding.NORM if "bn" in layer.rpartition("/")[2] else ("kernel", "bias"))
        if checkpoint.layout.tensor_name(theirs, f"{layer}/{name}") in checkpoint.tensors
    ]


def _finite_as(value, dtype):
    with np.errstate(over="ignore"):  # what overflows is what is looked for
        return bool(np.isfinite(value.astype(dtype)).all())


def _top_variables(layers):
    return [f"{layer}/{name}" for layer in TOP if layer in layers for name in ("kernel", "bias")]


def _shape(channels):
    """The `input_shape` of images with that many channels, as a message shows it."""
    first = keras.config.image_data_format() == "channels_first"
    return f"({channels}, ...)" if first else f"(..., {channels})"


def _describe(spec):
    if isinstance(spec, specs.GhostNetSpec):
        return f"{spec.name} (width {spec.width:g})"
    if isinstance(spec, specs.CifarSpec) and spec.ratio > 1:
        return f"{spec.name} (ratio {spec.ratio}, cheap kernel {spec.cheap_kernel_size})"
    return spec.name


def _setting(spec):
    """How the command line names the model, if it has a name of its own there."""
    if specs.SPECS.get(spec.name) == spec:
        return f" (`--set model={spec.name}` on the command line)"
    return ""


def _call(spec, arguments="weights=..."):
    if isinstance(spec, specs.GGhostSpec):
        return f"keras_ghostnet.GGhostRegNetX{spec.size}({arguments})"
    constructor = f"keras_ghostnet.{CONSTRUCTORS[spec.family]}"
    if isinstance(spec, specs.CifarSpec):
        return f"{constructor}({spec.ratio}, {spec.cheap_kernel_size}, {arguments})"
    return f"{constructor}({spec.width:g}, {arguments})"
