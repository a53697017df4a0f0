"""Files of Keras 3: told apart by their shapes here, read by Keras itself.

Keras names a file's groups after the classes and attributes of the layers; that is its own
business and changes with it. So a model of the file's kind is built, Keras loads the file into
it, and the weights are handed on by the variables' paths.
"""

import os
import shutil
import tempfile

import keras

from keras_ghostnet import specs
from keras_ghostnet.weights import layouts

SUFFIX = {"keras3_h5": ".weights.h5", "keras3_archive": ".keras"}


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
    stem = tensors.get("layers/conv2d/vars/0")
    spec = _find_spec(tensors) if stem is not None and stem.ndim == 4 else None
    if spec is None:
        raise ValueError(
            f"{path}: a Keras 3 file, but not of one of this package's models alone. If it holds "
            "a network that contains one, load it with `keras.models.load_model`."
        )
    bias = tensors.get(f"layers/{'dense_1' if spec.family == 'ghostnet' else 'dense'}/vars/1")
    return spec, None if bias is None else bias.size, stem.shape[2]


def foreign_classes(checkpoint):
    """How many classes a classifier that is not GhostNet's tells apart, or None if there is none.

    It is what fine-tuning puts on a backbone: a dense layer without GhostNet's head before it.

    Args:
        checkpoint: An `IdentifiedCheckpoint`.
    """
    kernel = checkpoint.tensors.get("layers/dense/vars/0")
    if checkpoint.layout is not None or checkpoint.spec.family != "ghostnet" or kernel is None:
        return None
    alone = "layers/dense_1/vars/0" not in checkpoint.tensors
    return kernel.shape[1] if alone and kernel.shape[:-1] == (checkpoint.spec.final,) else None


def _find_spec(tensors):
    if "layers/ghost_bottleneck/residual/ghost_module/primary/conv2d/vars/0" in tensors:
        final = tensors.get("layers/conv2d_1/vars/0")
        if final is None or final.ndim != 4:
            return None
        return next(
            (
                spec
                for spec in layouts.ghostnets_ending_in(final.shape[-1])
                if _same_blocks(tensors, spec)
            ),
            None,
        )
    for size in specs.REGNETX:
        spec = specs.g_ghost_regnetx(size)
        depth = sum(name.startswith("layers/g_ghost_stage") for name in tensors)
        if depth and _same_stages(tensors, spec):
            return spec
    return None


def _same_blocks(tensors, spec):
    blocks = [block for stage in spec.stages for block in stage]
    for number, block in enumerate(blocks):
        name = "ghost_bottleneck" + (f"_{number}" if number else "")
        for module, channels in (
            ("ghost_module", block.expansion),
            ("ghost_module_1", block.output),
        ):
            scale = tensors.get(
                f"layers/{name}/residual/{module}/primary/batch_normalization/vars/0"
            )
            if scale is None or scale.shape != (-(-channels // 2),):
                return False
    return True


def _same_stages(tensors, spec):
    ghosts = [stage for stage in spec.stages if stage.ghost]
    for number, stage in enumerate(ghosts):
        name = "g_ghost_stage" + (f"_{number}" if number else "")
        scale = tensors.get(f"layers/{name}/base/expand/batch_normalization/vars/0")
        raw = sum(
            key.startswith(f"layers/{name}/raw/") and key.endswith("/expand/conv2d/vars/0")
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
        Dictionary: variable path -> array; without a classifier that is not GhostNet's.

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
