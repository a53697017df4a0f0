"""Which convolutions become ghost modules, and what each of them takes over."""

import dataclasses
from collections.abc import Callable, Iterable

import keras
import numpy as np

from keras_ghostnet.ghosting.graph import Calls, walk
from keras_ghostnet.layers import GhostModule, GroupedConv2D
from keras_ghostnet.layers.convolution import channel_axis
from keras_ghostnet.specs import suggest

WORTH = 0.75  # of a convolution's multiply-adds: what a module may take at most, to be worth it
PLAIN = (keras.layers.Conv2D, GroupedConv2D)
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
# Operations that are activations, as `keras.activations` calls them.
OPERATIONS = {"Relu": "relu", "Relu6": "relu6", "Silu": "silu", "HardSilu": "hard_silu"}

Select = Callable[[keras.layers.Conv2D], bool] | Iterable[str] | None


@dataclasses.dataclass
class Candidate:
    """A convolution of a model.

    Attributes:
        path: Names of the models that it is nested in, and its own.
        layer: The layer.
        absorbed: What follows it and becomes part of the module: a batch norm, an activation.
        activation: Of the module.
        obstacle: Why it cannot become a ghost module; empty if it can.
        doubt: Why it does not by default; empty if it does.
    """

    path: str
    layer: keras.Layer
    absorbed: list = dataclasses.field(default_factory=list)
    activation: Callable = keras.activations.linear
    obstacle: str = ""
    doubt: str = ""

    @property
    def reason(self):
        """Why it stays a convolution, if it does."""
        return self.obstacle or self.doubt or "not selected"

    @property
    def batch_norm(self):
        """The batch norm among what is absorbed, or None."""
        found = [x for x in self.absorbed if isinstance(x, keras.layers.BatchNormalization)]
        return found[0] if found else None

    def module(self, ratio: int, cheap_kernel_size: int) -> GhostModule:
        """The ghost module that takes its place, with random weights."""
        layer = self.layer
        return GhostModule(
            layer.filters,
            kernel_size=layer.kernel_size[0],
            ratio=ratio,
            cheap_kernel_size=cheap_kernel_size,
            strides=layer.strides[0],
            padding=layer.padding,
            dilation_rate=layer.dilation_rate[0],
            activation=self.activation,
            data_format=layer.data_format,
            name=layer.name,
            dtype=layer.dtype_policy,
            trainable=layer.trainable,
        )


def candidates(model: keras.Model, ratio: int, cheap_kernel_size: int) -> list[Candidate]:
    """All 2D convolutions of a model in their order, depthwise ones among them."""
    calls, first = Calls(model), _first_convolutions(model)
    found = []
    for path, layer in calls.layers.items():
        if not isinstance(layer, CONVOLUTIONS):
            continue
        candidate = Candidate(path, layer, obstacle=_obstacle(layer, ratio))
        if not candidate.obstacle:
            _absorb(candidate, calls)
            candidate.doubt = "the first" if id(layer) in first else ""
            candidate.doubt = candidate.doubt or _doubt(candidate, calls, ratio, cheap_kernel_size)
        found.append(candidate)
    return found


def choose(found: list[Candidate], select: Select) -> list[Candidate]:
    """Those of the candidates that become ghost modules.

    Args:
        found: Of `candidates`.
        select: As `ghostify`.

    Raises:
        ValueError: If `select` is or returns something else, names a layer that is not there or
            cannot become a module, or chooses none.
    """
    possible = [each for each in found if not each.obstacle]
    if select is None:
        chosen = [each for each in possible if not each.doubt]
    elif callable(select):
        chosen = [each for each in possible if _is_selected(select, each)]
    else:
        chosen = _by_name(found, select)
    if not chosen:
        reasons = [f"{each.path} ({each.reason})" for each in found[:10]]
        raise ValueError(
            f"No convolution becomes a ghost module. There are: {', '.join(reasons)}. Choose "
            "others by name, select=['...'], or with another ratio."
            if found
            else "No convolution becomes a ghost module: the model has no 2D convolutions."
        )
    return chosen


def _is_selected(select, candidate):
    answer = select(candidate.layer)
    if not isinstance(answer, bool | np.bool_):
        raise ValueError(
            "`select` must return True or False for a convolution. It returned "
            f"{answer!r} for {candidate.path}."
        )
    return bool(answer)


def _by_name(found, select):
    names = None if isinstance(select, str) else list(select) if np.iterable(select) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise ValueError(
            "`select` must be a function of a layer, a list of names of layers, or None. "
            f"Received: select={select!r}."
        )
    chosen = []
    for name in names:
        matching = [each for each in found if name in (each.path, each.layer.name)]
        if not matching:
            known = [each.path for each in found]
            raise ValueError(f"The model has no convolution {name!r}.{suggest(name, known)}")
        for each in matching:
            if each.obstacle:
                raise ValueError(f"{each.path} cannot become a ghost module: {each.obstacle}.")
        chosen += matching
    return [each for each in found if any(each is other for other in chosen)]


# ------------------------------------------------------------- what can, and what should


def _first_convolutions(model):
    """The ids of the convolutions that see the model's inputs before any other."""
    first = set()

    def visit(node, given):
        is_convolution = isinstance(node.operation, CONVOLUTIONS)
        if is_convolution and not any(given):
            first.add(id(node.operation))
        return [is_convolution or any(given)] * len(node.outputs)

    walk(model, [False] * len(model.inputs), visit)
    return first


def _obstacle(layer, ratio):
    kind = type(layer).__name__
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return "depthwise already"
    if type(layer) not in PLAIN:
        return f"a {kind}, whose call is not known to be a plain convolution"
    if layer.groups > 1:
        return f"it has {layer.groups} groups, a ghost module's convolution none"
    for name in ("kernel_size", "strides", "dilation_rate"):
        height, width = getattr(layer, name)
        if height != width:
            return f"its `{name}` is {height} x {width}, a ghost module's is square"
    if layer.filters < ratio:
        return f"it has {layer.filters} filters, fewer than the ratio, {ratio}"
    if not _is_elementwise(layer.activation):
        return f"its activation, {layer.activation.__name__}, mixes channels"
    return ""


def _doubt(candidate, calls, ratio, cheap_kernel_size):
    layer = candidate.layer
    if _is_classifier(candidate, calls):
        return "the model's outputs"
    shapes = [node.outputs[0].shape for node in calls.of(layer)]
    axes = (1, 2) if layer.data_format == "channels_last" else (2, 3)
    if all(shape[axis] == 1 for shape in shapes for axis in axes):
        return "maps of one pixel"
    intrinsic = -(-layer.filters // ratio)
    inputs, cheap = np.prod(layer.kernel.shape[:3]), cheap_kernel_size**2
    if intrinsic * (inputs + (ratio - 1) * cheap) > WORTH * layer.filters * inputs:
        return "little to save"
    return ""


def _is_classifier(candidate, calls):
    """Whether its maps, linear, are the model's outputs but for what has no weights."""
    if candidate.batch_norm or candidate.activation is not keras.activations.linear:
        return False
    operation = candidate.layer
    while operation is not None:
        if None in calls.readers(operation):
            return True
        operation = calls.next(operation)
        if getattr(operation, "weights", None):
            return False
    return False


# --------------------------------------------------------------- what becomes part of a module


def _absorb(candidate, calls):
    """Takes over the batch norm and the activation that follow a convolution, and nothing else."""
    layer = candidate.layer
    candidate.activation = layer.activation
    if layer.activation is not keras.activations.linear:
        return
    follower = calls.next(layer)
    axis = channel_axis(layer.data_format) % 4
    if isinstance(follower, keras.layers.BatchNormalization) and follower.axis % 4 == axis:
        candidate.absorbed.append(follower)
        follower = calls.next(follower)
    activation = activation_of(follower)
    if activation is not None:
        candidate.absorbed.append(follower)
        candidate.activation = activation


def activation_of(operation) -> Callable | None:
    """The function of each value that a layer or operation is; None if it is none."""
    kind = type(operation)
    if kind is keras.layers.Activation:
        function = operation.activation
        is_function = not isinstance(function, keras.Layer)
        return function if is_function and _is_elementwise(function) else None
    if kind is keras.layers.ReLU and not operation.negative_slope and not operation.threshold:
        name = {None: "relu", 6: "relu6"}.get(operation.max_value)
        return keras.activations.get(name) if name else None
    if not isinstance(operation, keras.Layer) and kind.__name__ in OPERATIONS:
        return keras.activations.get(OPERATIONS[kind.__name__])
    return None


def _is_elementwise(function):
    """Whether a function of eight channels is the same function of four of them."""
    values = np.linspace(-3, 3, 16, dtype="float32").reshape(2, 8)
    whole, half = (keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(x)))
                   for x in (values, values[:, :4]))  # fmt: skip
    return whole.shape == values.shape and np.array_equal(whole[:, :4], half)
