"""How the public checkpoints name and lay out the variables of our layers.

One table per family: a row per layer, a column per source. A layer's path is that of its
variables (`stage3_block2/ghost1/primary_conv`), without the variable's own name. The rules
for whole blocks are expanded along a specification.
"""

import dataclasses

from keras_ghostnet import specs

TORCH, KERAS2, PADDLE = "torch", "keras2", "paddle"

# fmt: off
# ours                      timm, Huawei                  keras_cv_attention_models  Paddle
GHOSTNET = """
stem_conv                   conv_stem                     stem_conv                  conv1._conv
stem_bn                     bn1                           stem_bn                    conv1._batch_norm
final_conv                  blocks.9.0.conv               pre_conv                   conv_last._conv
final_bn                    blocks.9.0.bn1                pre_bn                     conv_last._batch_norm
head                        conv_head                     features_conv              fc_0
predictions                 classifier                    head                       fc_1
"""  # noqa: E501 - a table with its columns under one another
GHOST_BOTTLENECK = """
ghost1/primary_conv         ghost1.primary_conv.0         ghost_1_prim_conv          ghost_module_1.primary_conv._conv
ghost1/primary_bn           ghost1.primary_conv.1         ghost_1_prim_bn            ghost_module_1.primary_conv._batch_norm
ghost1/cheap_conv           ghost1.cheap_operation.0      ghost_1_cheap_dw_conv      ghost_module_1.cheap_operation._conv
ghost1/cheap_bn             ghost1.cheap_operation.1      ghost_1_cheap_bn           ghost_module_1.cheap_operation._batch_norm
depthwise_conv              conv_dw                       down_dw_conv               depthwise_conv._conv
depthwise_bn                bn_dw                         down_bn                    depthwise_conv._batch_norm
se/reduce                   se.conv_reduce                se_1_conv                  se_block.squeeze
se/expand                   se.conv_expand                se_2_conv                  se_block.excitation
ghost2/primary_conv         ghost2.primary_conv.0         ghost_2_prim_conv          ghost_module_2.primary_conv._conv
ghost2/primary_bn           ghost2.primary_conv.1         ghost_2_prim_bn            ghost_module_2.primary_conv._batch_norm
ghost2/cheap_conv           ghost2.cheap_operation.0      ghost_2_cheap_dw_conv      ghost_module_2.cheap_operation._conv
ghost2/cheap_bn             ghost2.cheap_operation.1      ghost_2_cheap_bn           ghost_module_2.cheap_operation._batch_norm
shortcut_depthwise_conv     shortcut.0                    short_1_dw_conv            shortcut_depthwise._conv
shortcut_depthwise_bn       shortcut.1                    short_1_bn                 shortcut_depthwise._batch_norm
shortcut_conv               shortcut.2                    short_2_conv               shortcut_conv._conv
shortcut_bn                 shortcut.3                    short_2_bn                 shortcut_conv._batch_norm
"""  # noqa: E501
# ours                      Huawei
G_GHOSTNET = """
stem_conv                   conv1
stem_bn                     bn1
predictions                 fc
"""
REGNET_BLOCK = """
conv1                       conv1
bn1                         bn1
conv2                       conv2
bn2                         bn2
conv3                       conv3
bn3                         bn3
shortcut_conv               downsample.0
shortcut_bn                 downsample.1
"""
G_GHOST_STAGE = """
mix_conv1                   merge.1
mix_bn1                     merge.2
mix_conv2                   merge.4
mix_bn2                     merge.5
cheap_conv                  cheap.0
cheap_bn                    cheap.1
"""
# fmt: on
COLUMNS = {TORCH: 1, KERAS2: 2, PADDLE: 3}

# Names of the variables of a layer, as patterns of the layer's name.
VARIABLES = {
    TORCH: {
        "kernel": "{}.weight",
        "bias": "{}.bias",
        "gamma": "{}.weight",
        "beta": "{}.bias",
        "moving_mean": "{}.running_mean",
        "moving_variance": "{}.running_var",
    },
    PADDLE: {
        "kernel": "{}.weight",
        "bias": "{}.bias",
        "gamma": "{}.weight",
        "beta": "{}.bias",
        "moving_mean": "{}._mean",
        "moving_variance": "{}._variance",
    },
    KERAS2: {
        "kernel": "{}/kernel:0",
        "depthwise_kernel": "{}/depthwise_kernel:0",
        "bias": "{}/bias:0",
        "gamma": "{}/gamma:0",
        "beta": "{}/beta:0",
        "moving_mean": "{}/moving_mean:0",
        "moving_variance": "{}/moving_variance:0",
    },
}


@dataclasses.dataclass(frozen=True)
class Layout:
    """A source's names for the layers of one family.

    Attributes:
        family: `"ghostnet"` or `"g_ghost_regnetx"`.
        source: `TORCH`, `KERAS2` or `PADDLE`.
        title: What a message calls it.
        signature: Names of tensors by which a checkpoint of this layout is identified.
    """

    family: str
    source: str
    title: str
    signature: tuple

    def layers(self, spec):
        """Our layers' paths and the source's names of them: a dictionary."""
        rows = _ghostnet_rows if self.family == "ghostnet" else _g_ghostnet_rows
        return rows(spec, COLUMNS[self.source])

    def tensor_name(self, layer, variable):
        """The checkpoint's name of a layer's variable.

        Args:
            layer: The source's name of the layer.
            variable: Our variable's path; its last part is the variable's own name.
        """
        *_, owner, name = variable.split("/")
        patterns = VARIABLES[self.source]
        if self._is_depthwise(owner) and name == "kernel":
            name = "depthwise_kernel" if "depthwise_kernel" in patterns else "kernel"
        return patterns[name].format(layer)

    def to_keras(self, array, variable):
        """A tensor of the checkpoint in Keras' layout.

        Args:
            array: As the checkpoint holds it.
            variable: Path of the variable that it is for.
        """
        *_, owner, name = variable.split("/")
        if name != "kernel":
            return array
        if array.ndim == 2:
            return array.T if self.source == TORCH else array
        if owner == "head":  # a 1x1 convolution there, a dense layer here
            return array[:, :, 0, 0].T if self.source == TORCH else array[0, 0]
        if self.source == KERAS2:
            return array
        if self._is_depthwise(owner):
            return array.transpose(2, 3, 0, 1)
        return array.transpose(2, 3, 1, 0)

    def short_name(self, tensor):
        """A tensor's name without the outer layers, which Keras 2 puts in front of it."""
        return "/".join(tensor.split("/")[-2:]) if self.source == KERAS2 else tensor

    def prefixes(self, names):
        """The prefixes of this layout's names in a set of names; empty for another layout."""
        first, *rest = self.signature
        prefixes = [name.removesuffix(first) for name in names if name.endswith(first)]
        return [
            prefix
            for prefix in prefixes
            if prefix[-1:] in ("", ".", "/") and all(prefix + name in names for name in rest)
        ]

    def _is_depthwise(self, layer):
        """Whether a layer of ours is a depthwise convolution; G-GhostNet's `cheap_conv` is not."""
        return self.family == "ghostnet" and layer.endswith(("cheap_conv", "depthwise_conv"))


LAYOUTS = (
    Layout(
        "ghostnet",
        TORCH,
        "timm's or Huawei's GhostNet",
        ("conv_stem.weight", "blocks.0.0.ghost1.primary_conv.0.weight"),
    ),
    Layout(
        "ghostnet",
        KERAS2,
        "keras_cv_attention_models' GhostNet",
        ("stem_conv/kernel:0", "stack1_ghost_1_prim_conv/kernel:0"),
    ),
    Layout(
        "ghostnet",
        PADDLE,
        "Paddle's GhostNet",
        ("conv1._conv.weight", "_ghostbottleneck_0.ghost_module_1.primary_conv._conv.weight"),
    ),
    Layout(
        "g_ghost_regnetx",
        TORCH,
        "Huawei's G-GhostNet",
        ("conv1.weight", "layer1.0.conv1.weight", "layer3.merge.1.weight"),
    ),
)


def identify_layout(tensors):
    """The layout of a checkpoint, and what its tensors are called there.

    A prefix of all names (`model.`, `backbone.`, `net.encoder.`) is found by the layout's
    signature.

    Args:
        tensors: Names of its tensors.

    Returns:
        `(layout, names)`: a `Layout`, and a dictionary from its own names of the tensors to those
        in the checkpoint; tensors without the prefix keep their names. None if it is none of the
        layouts in `LAYOUTS`.

    Raises:
        ValueError: If the checkpoint holds several networks, or a tensor twice.
    """
    found = []
    for layout in LAYOUTS:
        names = {tensor: layout.short_name(tensor) for tensor in tensors}
        found += [(layout, names, prefix) for prefix in layout.prefixes(set(names.values()))]
    if not found:
        return None
    if len(found) > 1:
        prefixes = ", ".join(sorted(repr(prefix) for *_, prefix in found))
        raise ValueError(
            f"holds {len(found)} networks, with the prefixes {prefixes}. Save one of them alone."
        )
    ((layout, names, prefix),) = found
    own = {}
    for tensor, name in names.items():
        first = own.setdefault(name.removeprefix(prefix), tensor)
        if first != tensor:
            raise ValueError(f"holds one tensor twice, as {first!r} and {tensor!r}.")
    return layout, own


def _table(text, column):
    return [(row[0], row[column]) for row in map(str.split, text.strip().splitlines())]


def _ghostnet_rows(spec, column):
    rows = dict(_table(GHOSTNET, column))
    group, member = -1, 0
    blocks = [
        (stage, number, block)
        for stage, blocks in enumerate(spec.stages, start=1)
        for number, block in enumerate(blocks, start=1)
    ]
    for place, (stage, number, block) in enumerate(blocks):
        # Torch's groups: a block of stride 2 is one, the blocks of stride 1 after it another.
        if place == 0 or block.stride == 2 or blocks[place - 1][2].stride == 2:
            group, member = group + 1, 0
        else:
            member += 1
        prefix = (f"blocks.{group}.{member}.", f"stack{place + 1}_", f"_ghostbottleneck_{place}.")
        for ours, theirs in _table(GHOST_BOTTLENECK, column):
            rows[f"stage{stage}_block{number}/{ours}"] = prefix[column - 1] + theirs
    return rows


def _g_ghostnet_rows(spec, column):
    rows = dict(_table(G_GHOSTNET, column))
    for stage, shape in enumerate(spec.stages, start=1):
        if shape.ghost:
            raw = {f"/raw{number}": f".layers.{number - 1}" for number in range(1, shape.depth - 1)}
            blocks = {"/base": ".base", **raw, "/end": ".end"}
            for ours, theirs in _table(G_GHOST_STAGE, column):
                rows[f"stage{stage}/{ours}"] = f"layer{stage}.{theirs}"
        else:
            blocks = {f"_block{n}": f".{n - 1}" for n in range(1, shape.depth + 1)}
        for our_block, their_block in blocks.items():
            for ours, theirs in _table(REGNET_BLOCK, column):
                rows[f"stage{stage}{our_block}/{ours}"] = f"layer{stage}{their_block}.{theirs}"
    return rows


# ------------------------------------------------------------------ what a checkpoint holds


def identify_spec(layout, tensors):
    """The specification of the network that a checkpoint was written from.

    Args:
        layout: Its layout.
        tensors: Dictionary of its arrays.

    Returns:
        `GhostNetSpec` of any width, `GGhostSpec`, or None if the shapes fit no such network.
    """
    if layout.family == "ghostnet":
        return _find_ghostnet(layout, tensors)
    for size in specs.REGNETX:
        spec = specs.g_ghost_regnetx(size)
        if _widths_agree(layout, tensors, spec):
            return spec
    return None


def _find_ghostnet(layout, tensors):
    layers = layout.layers(specs.ghostnet(1.0))
    final = tensors.get(layout.tensor_name(layers["final_bn"], "final_bn/gamma"))
    if final is None or final.ndim != 1:
        return None
    for spec in ghostnets_ending_in(final.shape[0]):
        if _widths_agree(layout, tensors, spec):
            return spec
    return None


def ghostnets_ending_in(channels):
    """Specifications of all widths whose last convolution has that many channels.

    No file holds the width itself: the shortest number that fits is taken.

    Args:
        channels: Output channels of the last convolution.

    Yields:
        `GhostNetSpec`, those with the fewest decimals of their width first.
    """
    low = (channels - specs.GHOSTNET_DIVISOR) / specs.GHOSTNET_FINAL
    high = (channels + specs.GHOSTNET_DIVISOR) / specs.GHOSTNET_FINAL
    for digits in range(1, 5):
        steps = 10**digits
        for step in range(max(1, int(low * steps)), int(high * steps) + 2):
            spec = specs.ghostnet(step / steps)
            if spec.final == channels:
                yield spec


def _widths_agree(layout, tensors, spec):
    """Whether the batch norms of a checkpoint have the channels that a specification asks for."""
    layers = layout.layers(spec)
    for path, channels in _batch_norms(spec).items():
        array = tensors.get(layout.tensor_name(layers[path], f"{path}/gamma"))
        if array is None or array.shape != (channels,):
            return False
    return True


def _batch_norms(spec):
    """Paths of some batch norms, one per block, and their channels, which identify a size."""
    norms = {"stem_bn": spec.stem}
    if spec.family == "ghostnet":
        norms["final_bn"] = spec.final
        for stage, blocks in enumerate(spec.stages, start=1):
            for number, block in enumerate(blocks, start=1):
                norms[f"stage{stage}_block{number}/ghost1/primary_bn"] = -(-block.expansion // 2)
                norms[f"stage{stage}_block{number}/ghost2/primary_bn"] = -(-block.output // 2)
        return norms
    for stage, shape in enumerate(spec.stages, start=1):
        if shape.ghost:
            norms[f"stage{stage}/base/bn1"] = norms[f"stage{stage}/end/bn1"] = shape.width
            norms[f"stage{stage}/raw{shape.depth - 2}/bn1"] = shape.raw_width
        else:
            norms[f"stage{stage}_block{shape.depth}/bn1"] = shape.width
    return norms


def classes(layout, tensors):
    """The number of classes of a checkpoint's classifier; None without one."""
    spec = specs.ghostnet(1.0) if layout.family == "ghostnet" else specs.g_ghost_regnetx("002")
    layer = layout.layers(spec)["predictions"]
    kernel = tensors.get(layout.tensor_name(layer, "predictions/kernel"))
    if kernel is None or kernel.ndim != 2:
        return None
    return kernel.shape[0 if layout.source == TORCH else 1]


def input_channels(layout, tensors):
    """The number of input channels of a checkpoint's network."""
    kernel = tensors[layout.signature[0]]
    return kernel.shape[1] if layout.source in (TORCH, PADDLE) else kernel.shape[2]
