"""Files of Keras 3: identified by their names and shapes here, read by Keras itself.

Keras names a file's groups after the classes and attributes of the layers; that is its own
business and changes with it. So a model of the file's kind is built, Keras loads the file into
it, and the weights are handed on by the variables' paths.
"""

import math
import os
import shutil
import tempfile

import keras

from keras_ghostnet import specs
from keras_ghostnet.weights.shapes import ghostnets_ending_in

SUFFIX = {"keras3_h5": ".weights.h5", "keras3_archive": ".keras"}
# Families with a dense layer in front of their classifier.
HEADED = ("ghostnet", "ghostnetv2", "ghostnetv3", "repghostnet", "ghost_vgg")


def describe(path, tensors):
    """What a Keras 3 file of one of our models holds.

    Args:
        path: The file's path, for messages.
        tensors: Dictionary of its arrays, named by their paths in the file.

    Returns:
        `(spec, classes or None, input channels)`.

    Raises:
        ValueError: If it is no file of one of our models.
    """
    first = "layers/conv2d/vars/0"
    stem = tensors.get(first, tensors.get("layers/ghost_module/primary/conv2d/vars/0"))
    spec = _find_spec(tensors) if stem is not None and stem.ndim == 4 else None
    if spec is None:
        raise ValueError(
            f"{path}: a Keras 3 file, but not of one of this package's models alone. If it holds "
            "a network that contains one, load it with `keras.models.load_model`."
        )
    bias = tensors.get(f"layers/{'dense_1' if spec.family in HEADED else 'dense'}/vars/1")
    return spec, None if bias is None else bias.size, stem.shape[2]


def foreign_classes(checkpoint):
    """The number of classes of a classifier that is not the network's own; None without one.

    It is what fine-tuning puts on a backbone: a dense layer without the network's head before it.

    Args:
        checkpoint: An `IdentifiedCheckpoint`.
    """
    kernel = checkpoint.tensors.get("layers/dense/vars/0")
    spec = checkpoint.spec
    if checkpoint.layout is not None or spec.family not in HEADED or kernel is None:
        return None
    features = spec.final if isinstance(spec, specs.GhostNetSpec) else spec.stages[-1][-1]
    alone = "layers/dense_1/vars/0" not in checkpoint.tensors
    return kernel.shape[1] if alone and kernel.shape[:-1] == (features,) else None


def _find_spec(tensors):
    for spec in _candidates(tensors):
        same = _same_stages if spec.family == "g_ghost_regnetx" else _same_modules
        if same(tensors, spec):
            return spec
    return None


def _candidates(tensors):
    """Specifications that agree with the shapes of a few of the arrays."""
    final = tensors.get("layers/conv2d_1/vars/0")
    if final is not None and final.ndim == 4:
        yield from ghostnets_ending_in(final.shape[-1], _c_ghost(tensors))
    for make in (specs.ghost_vgg16, specs.ghost_resnet56):
        group, _ = _ghost_modules(make())[0]
        cheap = tensors.get(f"{group}/cheap/depthwise_conv2d/vars/0")
        if cheap is None:
            yield make(ratio=1)
        elif cheap.ndim == 4:
            yield make(ratio=cheap.shape[3] + 1, cheap_kernel_size=cheap.shape[0])
    yield from map(specs.g_ghost_regnetx, specs.REGNETX)


def _c_ghost(tensors):
    """Of C-GhostNet and its successors, that whose layers a file has: a function of a width."""
    first = "layers/ghost_bottleneck/residual/ghost_module/primary"
    if any(name.startswith("layers/rep_ghost_bottleneck/") for name in tensors):
        return specs.repghostnet
    if any(name.startswith(f"{first}/rep_conv2d/") for name in tensors):
        return specs.ghostnetv3
    if f"{first}/conv2d/vars/1" in tensors:  # a bias
        return lambda width: specs.ghostnetv3(width, deployed=True)
    attended = any("/ghost_module/gate/" in name for name in tensors)
    return specs.ghostnetv2 if attended else specs.ghostnet


def _ghost_modules(spec):
    """The ghost modules of a network: pairs of their group in the file and their filters."""
    if spec.family == "ghost_vgg":
        widths = [filters for stage in spec.stages for filters in stage]
        return [(_numbered("ghost_module", i), filters) for i, filters in enumerate(widths)]
    module = "ghost_module"
    if isinstance(spec, specs.GhostNetSpec):
        rep = "rep_" if spec.family == "repghostnet" else ""
        layer, module = f"{rep}ghost_bottleneck", f"{rep}ghost_module"
        blocks = [(block.expansion, block.output) for stage in spec.stages for block in stage]
    else:
        layer = "ghost_basic_block"
        blocks = [(filters, filters) for filters, depth in spec.stages for _ in range(depth)]
    return [
        (f"{_numbered(layer, i)}/residual/{name}", filters)
        for i, block in enumerate(blocks)
        for name, filters in zip((module, f"{module}_1"), block, strict=True)
    ]


def _numbered(layer, number):
    """The group of a layer of which the network has several, counted from 0."""
    return f"layers/{layer}_{number}" if number else f"layers/{layer}"


def _same_modules(tensors, spec):
    ratio = 1 if spec.family == "repghostnet" else getattr(spec, "ratio", 2)
    branches = getattr(spec, "branches", 1)
    place = "batch_normalization/vars/0" if branches else "conv2d/vars/1"
    if branches > 1:
        place = "rep_conv2d/norms/batch_normalization/vars/0"
    for group, filters in _ghost_modules(spec):
        scale = tensors.get(f"{group}/primary/{place}")
        if scale is None or scale.shape != (math.ceil(filters / ratio),):
            return False
    return True


def _same_stages(tensors, spec):
    ghosts = [stage for stage in spec.stages if stage.ghost]
    for number, stage in enumerate(ghosts):
        group = _numbered("g_ghost_stage", number)
        scale = tensors.get(f"{group}/base/expand/batch_normalization/vars/0")
        raw = sum(
            key.startswith(f"{group}/raw/") and key.endswith("/expand/conv2d/vars/0")
            for key in tensors
        )
        if scale is None or scale.shape != (stage.width,) or raw != stage.depth - 2:
            return False
    return f"layers/g_ghost_stage_{len(ghosts)}/base/expand/conv2d/vars/0" not in tensors


def read_values(checkpoint, build):
    """The arrays of a Keras 3 file by our variables' paths.

    Args:
        checkpoint: An `IdentifiedCheckpoint` of a Keras 3 file.
        build: A function without arguments that builds the file's network: its specification,
            with a classifier of its classes if it has one, of any image size.

    Returns:
        Dictionary: variable path -> array; without a classifier that is not the network's own.

    Raises:
        ValueError: If the file does not hold exactly the variables of the model it was
            identified as, or Keras cannot load it.
    """
    whole = model = build()
    if (classes := foreign_classes(checkpoint)) is not None:
        pooled = keras.layers.GlobalAveragePooling2D()(model.output)
        bias = "layers/dense/vars/1" in checkpoint.tensors
        whole = keras.Model(model.input, keras.layers.Dense(classes, use_bias=bias)(pooled))
    if len(whole.weights) != len(checkpoint.tensors):
        raise ValueError(
            f"{checkpoint.path}: holds {len(checkpoint.tensors)} arrays, but "
            f"{checkpoint.spec.name} has {len(whole.weights)} variables. If the file "
            "holds more than this network, load it with `keras.models.load_model`."
        )
    with tempfile.TemporaryDirectory() as folder:
        # Keras goes by a file's name; ours may have any, except for what an index lists.
        if checkpoint.index:
            links = {path: os.path.basename(path) for path in (checkpoint.index, *checkpoint.files)}
        else:
            links = {checkpoint.path: "model" + SUFFIX[checkpoint.format]}
        named = [_link(path, os.path.join(folder, name)) for path, name in links.items()]
        try:
            whole.load_weights(named[0])
        except Exception as error:  # Keras raises what its layers and h5py raise
            raise ValueError(
                f"{checkpoint.path}: Keras cannot load it as {checkpoint.spec.name}: {error}"
            ) from error
    return {variable.path: variable.numpy() for variable in model.weights}


def _link(path, name):
    try:
        os.symlink(os.path.abspath(path), name)
    except OSError:  # a file system without links
        shutil.copyfile(path, name)
    return name
