"""Weights for ghost modules from the convolutions that they replace, layer by layer.

The trained network and the one of ghost modules see the same calibration images. From the input on,
each module is fitted to what its convolution answers in the trained network, by what reaches it
through the modules before it:

1. All filters of the convolution are refitted to these inputs, so that errors do not add up.
2. The filters whose responses make those of others best become the intrinsic ones. Where something
   else than weights depends on the order of the channels, such as an addition, the first ones are.
3. The cheap kernels are fitted by least squares to the responses of the others.
4. Both batch norms get the statistics of these responses.

Layers that read the channels get their weights in the order that the channels have now.
"""

import inspect

import keras
import numpy as np

from keras_ghostnet import console as terminal
from keras_ghostnet.ghosting import fitting
from keras_ghostnet.ghosting.channels import find_readers, reorder
from keras_ghostnet.ghosting.graph import Calls, walk

PLACES = 16_384  # of a convolution's output that its kernels are fitted to
PAIR_PLACES = 4096  # to which those of all pairs of filters are
LEAST = 8  # images


def check_calibration(model, calibration):
    """The calibration images as a list of tensors, one for each input of the model.

    Raises:
        ValueError: If they are not images that the model takes, or too few.
    """
    given = keras.tree.flatten(_by_input(model, calibration))
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in model.inputs)
    if len(given) != len(model.inputs):
        raise ValueError(
            f"`calibration` must hold an array for each input of {model.name}, of the shapes "
            f"{shapes}. Received {len(given)} arrays."
        )
    images = []
    for array, tensor in zip(given, model.inputs, strict=True):
        array = np.asarray(array)
        wanted = tuple(tensor.shape[1:])
        fits = array.ndim == len(tensor.shape) and all(
            size in (None, found) for size, found in zip(wanted, array.shape[1:], strict=True)
        )
        if not fits or array.dtype.kind not in "fiub":
            raise ValueError(
                f"`calibration` must be numbers (images, {str(wanted)[1:-1]}), prepared as "
                f"{model.name} takes them. Received: {array.dtype} {array.shape}."
            )
        if len(array) < LEAST or len(array) != len(given[0]):
            raise ValueError(
                f"`calibration` needs {LEAST} images at least, better some hundred, and as many of "
                f"each input. Received: {len(array)}."
            )
        if not np.isfinite(array).all():
            raise ValueError(
                "`calibration` holds values that are not finite (NaN or infinity). Leave such "
                "images out, or check how they were prepared."
            )
        images.append(keras.ops.convert_to_tensor(array, tensor.dtype))
    return images


def _by_input(model, calibration):
    """Calibration images in the order of the model's inputs, if they are given by name."""
    if not isinstance(calibration, dict):
        return calibration
    given = {} if isinstance(model, keras.Sequential) else model.input
    names = list(given) if isinstance(given, dict) else [tensor.name for tensor in model.inputs]
    if set(calibration) != set(names):
        raise ValueError(
            f"`calibration` must hold an array for each input of {model.name}, by the names "
            f"{', '.join(names)}. Received: {', '.join(map(str, calibration))}."
        )
    if isinstance(given, dict):  # which Keras flattens by its own rule
        return {name: calibration[name] for name in given}
    return [calibration[name] for name in names]


def fit(model, chosen, made, images, console=None):
    """Sets the weights of ghost modules.

    Args:
        model: The trained model.
        chosen: The `Candidate`s that became modules.
        made: By the ids of the model's layers: the new layers in their places; None for what became
            part of a module.
        images: Of `check_calibration`.
        console: Where to show progress; None shows nothing.
    """
    calls = Calls(model)
    waiting = {id(each.layer): each for each in chosen}
    orders = {}  # in which modules get the channels of their inputs, by the ids of convolutions

    with terminal.progress(console, "fitting", len(chosen)) as progress:

        def visit(node, given):
            trained, ghost = zip(*given, strict=True)
            layer = node.operation
            new = made[id(layer)]
            candidate = waiting.pop(id(layer), None)
            if candidate:
                progress(len(chosen) - len(waiting), candidate.path)
                readers = find_readers(calls, [layer, *candidate.absorbed][-1], layer.data_format)
                order = _fit_module(
                    candidate, new, trained[0], ghost[0], orders.get(id(layer)), readers is not None
                )
                for reader in readers or ():
                    if id(reader) in waiting:
                        orders[id(reader)] = order
                    else:
                        copy = made[id(reader)]
                        copy.set_weights(reorder(reader, copy.get_weights(), order))
            before = _run(layer, node, trained)
            after = list(ghost) if new is None else _run(new, node, ghost)
            return list(zip(before, after, strict=True))

        walk(model, [(tensor, tensor) for tensor in images], visit)


def _run(layer, node, values):
    """What a layer returns for a call of the model, at inference."""
    tensors = dict(zip(map(id, node.input_tensors), values, strict=True))
    args, options = node.arguments.fill_in(tensors)
    if "training" in inspect.signature(layer.call).parameters:
        options = {**options, "training": False}
    return keras.tree.flatten(layer(*args, **options))


def _fit_module(candidate, module, trained, ghost, order, is_free):
    """Fits a module.

    Args:
        candidate: The `Candidate` that it replaces.
        module: The `GhostModule`.
        trained, ghost: What the convolution gets in the trained network, and the module in the new.
        order: The earlier numbers of the latter's channels; None if they are what they were.
        is_free: Whether its own channels may come in any order.

    Returns:
        The filters in the order in which the module makes them.
    """
    layer, filters = candidate.layer, candidate.layer.filters
    kernel, shift = _folded(candidate)
    maps = _convolve(layer, trained, kernel)
    places = _places(maps.shape)
    wanted = maps[places] + shift  # before the activation

    if order is not None:
        kernel = kernel[:, :, order]
    seen = fitting.patches(
        _last(ghost, layer),
        places,
        layer.kernel_size[0],
        strides=layer.strides[0],
        padding=layer.padding,
        dilation_rate=layer.dilation_rate[0],
    )
    kernel = fitting.refit(seen, wanted, kernel.reshape(-1, filters)).reshape(kernel.shape)
    maps = _convolve(layer, ghost, kernel)
    answers = maps[places]
    target = wanted.mean(axis=0)
    maps = _activate(module, maps - answers.mean(axis=0) + target)

    ghosts = _ghosts(module, maps, places, wanted, is_free)
    intrinsic = list(ghosts)
    convolution, norm = module.primary[-2:]
    convolution.set_weights([kernel[..., intrinsic]])
    _settle(norm, answers[:, intrinsic], target[intrinsic])

    size, copies = module.cheap_kernel_size, module.ratio - 1
    cheap = np.zeros((size, size, module.intrinsic, copies))
    made = np.zeros((len(wanted), module.intrinsic, copies))
    target = np.zeros((module.intrinsic, copies))
    is_relu = module.activation is keras.activations.relu
    for number, (source, others) in enumerate(ghosts.items()):
        seen = fitting.patches(maps[..., [source]], places, size)
        for copy, ghost in enumerate(others):
            found, constant = fitting.fit_cheap(seen, wanted[:, ghost], is_relu)
            cheap[..., number, copy] = found.reshape(size, size)
            made[:, number, copy] = seen @ found
            target[number, copy] = made[:, number, copy].mean() + constant
    convolution, norm = module.cheap
    convolution.set_weights([cheap])
    _settle(norm, made.reshape(len(made), -1), target.ravel())
    return np.array([*intrinsic, *(ghost for others in ghosts.values() for ghost in others)])


def _ghosts(module, maps, places, wanted, is_free):
    """The ghosts of every intrinsic filter, a dictionary of lists."""
    filters, copies = module.filters, module.ratio - 1
    if not is_free:
        others = range(module.intrinsic, filters)
        return {each: list(others[each * copies :][:copies]) for each in range(module.intrinsic)}
    few = tuple(axis[:PAIR_PLACES] for axis in places)
    neighborhoods = (
        fitting.patches(maps[..., [number]], few, module.cheap_kernel_size)
        for number in range(filters)
    )
    loss = fitting.losses(neighborhoods, _activate(module, wanted[:PAIR_PLACES]))
    return fitting.assign(loss, module.intrinsic, module.ratio)


def _activate(module, maps):
    return _array(module.activation(keras.ops.convert_to_tensor(maps)))


def _settle(norm, values, target):
    """Gives a batch norm the statistics of values, and weights by which their means are others."""
    mean, variance = values.mean(axis=0), values.var(axis=0)
    norm.set_weights([np.sqrt(variance + norm.epsilon), target, mean, variance])


def _folded(candidate):
    """A convolution's kernel and offset, those of the batch norm behind it included."""
    layer, norm = candidate.layer, candidate.batch_norm
    kernel = _array(layer.kernel)
    shift = _array(layer.bias) if layer.use_bias else np.zeros(layer.filters, "float32")
    if norm is None:
        return kernel, shift
    scale = 1 / np.sqrt(_array(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        scale = scale * _array(norm.gamma)
    shift = (shift - _array(norm.moving_mean)) * scale
    return kernel * scale, shift + _array(norm.beta) if norm.center else shift


def _convolve(layer, maps, kernel):
    """A convolution with another kernel and without bias: `(n, height, width, filters)`."""
    options = dict(
        strides=layer.strides[0],
        padding=layer.padding,
        dilation_rate=layer.dilation_rate[0],
        data_format=layer.data_format,
    )
    maps = keras.ops.cast(maps, "float32")
    kernel = keras.ops.convert_to_tensor(kernel, "float32")
    return _last(keras.ops.conv(maps, kernel, **options), layer)


def _last(maps, layer):
    """Maps of a layer, channels last."""
    maps = _array(maps)
    return maps if layer.data_format == "channels_last" else np.moveaxis(maps, 1, -1)


def _array(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def _places(shape):
    """Image, row and column of some places of maps, at random, or of all if they are few."""
    total = int(np.prod(shape[:3]))
    chosen = np.random.default_rng(0).choice(total, min(total, PLACES), replace=False)
    return np.unravel_index(chosen, shape[:3])
