"""Parameters and multiply-adds of a built model, counted layer by layer."""

import collections
import contextlib
import inspect
import math

import keras

from keras_ghostnet.symbolic import symbolic_activations

# Weights that training does not learn by gradients: the papers do not count them.
STATISTICS = {"moving_mean", "moving_variance", "mean", "variance", "count"}

# Layers that look up or scale: the papers count no multiply-adds for them.
FREE = (
    keras.layers.BatchNormalization,
    keras.layers.Embedding,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Normalization,
    keras.layers.PReLU,
    keras.layers.UnitNormalization,
)
CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
RECURRENT = (keras.layers.GRU, keras.layers.LSTM, keras.layers.SimpleRNN)
TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
# These multiply tensors with each other: the formulas are not known here.
PRODUCTS = (keras.layers.Attention, keras.layers.Dot)
PRODUCT_OPERATIONS = {
    "Conv",
    "ConvTranspose",
    "Correlate",
    "DepthwiseConv",
    "Dot",
    "DotProductAttention",
    "Einsum",
    "Inner",
    "Matmul",
    "SeparableConv",
    "Tensordot",
    "Vdot",
}


def count_parameters(model: keras.Model) -> int:
    """Counts the parameters of a model, as papers do.

    Args:
        model: Any built Keras model.

    Returns:
        The number of its weights without the statistics of batch norm; frozen weights count.
    """
    return sum(
        math.prod(weight.shape)
        for weight in model.weights
        if weight.trainable or weight.name not in STATISTICS
    )


def count_macs(model: keras.Model, input_shape: tuple[int, ...] | None = None) -> int:
    """Counts the multiply-adds of one image through a model.

    Convolutions and dense layers count, as in the papers; batch norm (which is folded away),
    activations, pooling, additions and gates do not. One multiply-add is one MAC; papers that
    say "FLOPs" mean the same.

    Args:
        model: A Keras model of standard layers, nested models, this package's layers, or
            custom layers that are made of such layers.
        input_shape: Shape of one image, without the batch; None takes the model's own.

    Returns:
        An integer.

    Raises:
        ValueError: If a size is unknown, if `input_shape` does not fit the model, or if a
            layer multiplies by a kernel, or tensors with each other, in a way that is not known
            here: nothing is left out silently.
    """
    return _count(model, input_shape).macs


def count_layer_macs(
    model: keras.Model, input_shape: tuple[int, ...] | None = None
) -> dict[int, int]:
    """Counts the multiply-adds of one image through each layer of a model, at any depth.

    Args:
        model, input_shape: As `count_macs`.

    Returns:
        A dictionary: by a layer's `id`, those of all its calls, the layers within it included.

    Raises:
        ValueError: As `count_macs`.
    """
    return dict(_count(model, input_shape).layers)


def _count(model, input_shape):
    own = getattr(model, "inputs", None) or []  # a subclassed model has none
    if input_shape is None and not own:
        raise ValueError(f"{model.name} has no input shape of its own: give `input_shape`.")
    if input_shape is None:
        inputs = _one(own[0]) if len(own) == 1 else keras.tree.map_structure(_one, model.input)
    elif len(own) <= 1:
        inputs = keras.Input(batch_shape=(1, *input_shape), dtype=own[0].dtype if own else None)
    else:
        raise ValueError(
            f"{model.name} has {len(own)} inputs: `input_shape` can be given for one only."
        )
    if any(None in tensor.shape for tensor in keras.tree.flatten(inputs)):
        raise ValueError(
            f"{model.name} takes inputs of any size: give `input_shape`, e.g. (224, 224, 3)."
        )
    counter = _Counter()
    with _no_trace(model):
        counter.enter(model, inputs)
    left = [
        weight.path
        for weight in model.weights
        if len(weight.shape) > 1 and id(weight) not in counter.seen
    ]
    if left:
        raise ValueError(
            f"The multiply-adds of {model.name} cannot be counted: nothing is known about how "
            f"these weights are used: {', '.join(left[:5])}."
        )
    if counter.unknown:
        raise ValueError(
            f"The multiply-adds of {model.name} cannot be counted: the cost of these is not "
            f"known: {', '.join(counter.unknown[:5])}."
        )
    return counter


@contextlib.contextmanager
def _no_trace(model):
    """Removes the nodes that calls in the body add to the graph of a model's layers.

    Keras keeps every call of a layer: summaries would show those of the counting, and models
    would grow.
    """
    operations = {}
    for layer in model._flatten_layers():
        # A sequential model keeps its graph, with an input of its own, in a private attribute.
        for graph in (layer, getattr(layer, "_functional", None)):
            parts = [] if graph is None else [graph, *getattr(graph, "operations", [])]
            operations.update((id(part), part) for part in parts)
    histories = [
        nodes
        for operation in operations.values()
        for nodes in (operation._inbound_nodes, operation._outbound_nodes)
    ]
    lengths = [len(nodes) for nodes in histories]
    try:
        yield
    finally:
        for nodes, length in zip(histories, lengths, strict=True):
            del nodes[length:]


class _Counter:
    """Runs layers on symbolic tensors and adds up the multiply-adds of each."""

    def __init__(self):
        self.macs = 0
        self.layers = collections.Counter()  # of the layers, by their ids
        self.seen = set()  # ids of the weights that are accounted for
        self.unknown = []  # descriptions of products that cannot be counted

    def enter(self, layer, *arguments, **options):
        """Counts within a layer or model that is made of other layers."""
        arguments, options = keras.tree.map_structure(_fresh, (arguments, options))
        given = keras.tree.flatten((arguments, options))
        inputs = [x for x in given if keras.utils.is_keras_tensor(x)]
        with symbolic_activations(layer):
            outputs = layer.call(*arguments, **options)
        inner = keras.Model(inputs, outputs)
        keras.models.clone_model(inner, clone_function=lambda part: part, call_function=self._visit)

    def _visit(self, layer, *arguments, **options):
        before = self.macs
        outputs = self._add(layer, *arguments, **options)
        self.layers[id(layer)] += self.macs - before
        return outputs

    def _add(self, layer, *arguments, **options):
        outputs = layer(*arguments, **options)
        kind = type(layer).__name__
        if not isinstance(layer, keras.layers.Layer):
            # Other bare operations, such as a slice, have nothing to multiply by.
            if kind in PRODUCT_OPERATIONS:
                self.unknown.append(f"operation {kind} ({layer.name})")
            return outputs
        if isinstance(layer, PRODUCTS):
            self.unknown.append(f"layer {kind} ({layer.name})")
            return outputs
        by_name = _by_name(layer, arguments, options)
        if _needs_sizes(layer) and not _has_sizes(by_name):
            self.unknown.append(f"layer {kind} ({layer.name}), called with unknown sizes")
            self.seen.update(map(id, layer.weights))
            return outputs
        if isinstance(layer, keras.layers.TimeDistributed):
            self._repeat(layer.layer, by_name["inputs"])
            return outputs
        macs = layer_macs(layer, by_name, outputs)
        if macs is not None:
            self.macs += macs
            self.seen.update(map(id, layer.weights))
        elif _may_multiply(layer):
            try:
                self.enter(layer, *arguments, **options)
            except Exception as error:  # whatever a layer raises that takes no symbolic tensors
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                self.unknown.append(f"layer {kind} ({layer.name}), whose call failed: {reason}")
                self.seen.update(map(id, layer.weights))
        return outputs

    def _repeat(self, layer, series):
        """Counts a layer that is applied to every step of a series."""
        batch, steps, *shape = series.shape
        before = self.macs
        self._visit(layer, keras.Input(batch_shape=(batch, *shape), dtype=series.dtype))
        self.macs += (steps - 1) * (self.macs - before)


def _may_multiply(layer):
    """Whether the layers within an unknown layer have to be counted."""
    own = not type(layer).__module__.startswith("keras.")  # Keras' others pool, pad, ...
    return own or isinstance(layer, (keras.Model, keras.layers.Lambda)) or _has_kernel(layer)


def _has_kernel(layer):
    return any(len(weight.shape) > 1 for weight in layer.weights)


def _needs_sizes(layer):
    """Whether a layer is counted by a formula, rather than by the layers within it."""
    whole = (*RECURRENT, keras.layers.MultiHeadAttention, keras.layers.TimeDistributed)
    if isinstance(layer, FREE) or not _has_kernel(layer):
        return False
    return isinstance(layer, whole) or not layer._layers


def _has_sizes(values):
    tensors = filter(keras.utils.is_keras_tensor, keras.tree.flatten(values))
    return not any(None in tensor.shape for tensor in tensors)


def _by_name(layer, arguments, options):
    """What a layer was called with, as a dictionary in the order of its signature."""
    signature = inspect.signature(layer.call)
    # Keras itself takes `training` and `mask` for layers that do not.
    options = {name: value for name, value in options.items() if name in signature.parameters}
    return signature.bind(*arguments, **options).arguments


def _one(tensor):
    """A new input for a batch of one."""
    return keras.Input(batch_shape=(1, *tensor.shape[1:]), dtype=tensor.dtype)


def _fresh(value):
    if keras.utils.is_keras_tensor(value):
        return keras.Input(batch_shape=value.shape, dtype=value.dtype)
    return value


def layer_macs(layer, arguments, outputs):
    """Multiply-adds of one call of a standard layer.

    Args:
        layer: A Keras layer.
        arguments: What it was called with by name, Keras tensors of known shape (batch 1).
        outputs: What it returned.

    Returns:
        An integer, or None for a layer that is not known here.
    """
    if isinstance(layer, FREE):
        return 0
    first = next(iter(arguments.values()), None)
    if isinstance(layer, (*CONVOLUTIONS, *DEPTHWISE)) and not isinstance(layer, TRANSPOSED):
        # The kernel is applied once per output position; a group has a kernel of its own.
        return math.prod(layer.kernel.shape) * _positions(layer, outputs)
    if isinstance(layer, TRANSPOSED):
        return math.prod(layer.kernel.shape) * _positions(layer, first)
    if isinstance(layer, SEPARABLE):
        kernels = (layer.depthwise_kernel, layer.pointwise_kernel)
        return sum(math.prod(kernel.shape) for kernel in kernels) * _positions(layer, outputs)
    if isinstance(layer, keras.layers.Dense):
        return math.prod(layer.kernel.shape) * math.prod(first.shape[:-1])
    if isinstance(layer, keras.layers.EinsumDense):
        return _einsum_macs(layer.equation, first.shape, layer.kernel.shape)
    if type(layer) is keras.layers.MultiHeadAttention and len(first.shape) == 3:
        # Not for its subclasses, which may share or leave out projections.
        return _attention_macs(layer, outputs, **arguments)
    if isinstance(layer, RECURRENT):
        kernels = (layer.cell.kernel, layer.cell.recurrent_kernel)
        return sum(math.prod(kernel.shape) for kernel in kernels) * first.shape[1]
    return None


def _positions(layer, tensor):
    """The number of spatial positions of a feature map, for a batch of one."""
    shape = tensor.shape
    return math.prod(shape[1:-1] if layer.data_format == "channels_last" else shape[2:])


def _einsum_macs(equation, *shapes):
    """The product of the sizes of all indices of an einsum over two operands."""
    sizes = {}
    for term, shape in zip(equation.split("->")[0].split(","), shapes, strict=True):
        front = len(shape) - len(term.replace("...", ""))
        letters = term.replace("...", "".join(f"{axis}" for axis in range(front)))
        sizes.update(zip(letters, shape, strict=True))
    return math.prod(sizes.values())


def _attention_macs(layer, outputs, query, value, key=None, **others):
    """Projections, scores and weighted means of multi-head attention."""
    key = value if key is None else key
    (_, targets, width), (_, sources, _) = query.shape, value.shape
    output_width = keras.tree.flatten(outputs)[0].shape[-1]  # without the scores, if returned
    per_target = layer.num_heads * (width * layer.key_dim + layer.value_dim * output_width)
    per_source = layer.num_heads * (
        key.shape[-1] * layer.key_dim + value.shape[-1] * layer.value_dim
    )
    scores = layer.num_heads * targets * sources * (layer.key_dim + layer.value_dim)
    return targets * per_target + sources * per_source + scores
