"""The layouts of public checkpoints: how one is identified, and how it lays out a variable."""

import dataclasses

from keras_ghostnet import specs
from keras_ghostnet.weights import tables

TORCH, KERAS2, PADDLE = "torch", "keras2", "paddle"
COLUMNS = {TORCH: 1, KERAS2: 2, PADDLE: 3}  # of the tables
G_GHOST = "g_ghost_regnetx"
# Ends of the names of depthwise convolutions, or of the layers that these are branches of.
DEPTHWISE = ("cheap_conv", "depthwise_conv", "horizontal_conv", "vertical_conv")

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
        family: `"ghostnet"`, that of a successor, or `"g_ghost_regnetx"`.
        source: `TORCH`, `KERAS2` or `PADDLE`.
        title: What a message calls it.
        signature: Names of tensors by which a checkpoint of this layout is identified.
        deployed: Whether the branches of the network are folded.
        alias: A part of names that other files have, and what stands for it here.
    """

    family: str
    source: str
    title: str
    signature: tuple
    deployed: bool = False
    alias: tuple = ()

    def spec(self, width):
        """The specification of a width, of C-GhostNet or a successor."""
        if self.deployed:
            return specs.ghostnetv3(width, deployed=True)
        return getattr(specs, self.family)(width)

    def layers(self, spec):
        """Our layers' paths and the source's names of them: a dictionary."""
        rows = tables.g_ghostnet_rows if self.family == G_GHOST else tables.ghostnet_rows
        return rows(spec, COLUMNS[self.source])

    def tensor_name(self, layer, variable):
        """The checkpoint's name of a layer's variable.

        Args:
            layer: The source's name of the layer.
            variable: Our variable's path; its last part is the variable's own name.
        """
        name = variable.split("/")[-1]
        patterns = VARIABLES[self.source]
        if self._is_depthwise(variable) and name == "kernel":
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
        if self._is_depthwise(variable):
            return array.transpose(2, 3, 0, 1)
        return array.transpose(2, 3, 1, 0)

    def from_keras(self, array, variable):
        """The inverse of `to_keras`, for PyTorch's layouts.

        Args:
            array: As the variable holds it.
            variable: The variable's path.
        """
        *_, owner, name = variable.split("/")
        if name != "kernel":
            return array
        if array.ndim == 2:
            return array.T[:, :, None, None] if owner == "head" else array.T
        return array.transpose((2, 3, 0, 1) if self._is_depthwise(variable) else (3, 2, 0, 1))

    def short_name(self, tensor):
        """A tensor's name without the outer layers, which Keras 2 puts in front of it."""
        if self.alias:
            tensor = tensor.replace(*self.alias)
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

    def _is_depthwise(self, variable):
        """Whether a variable is of depthwise convolutions; G-GhostNet's `cheap_conv` has none."""
        parts = variable.split("/")
        return self.family != G_GHOST and any(part.endswith(DEPTHWISE) for part in parts)


# Of layouts that share names those come first that have more of them.
LAYOUTS = (
    Layout(
        "ghostnetv3",
        TORCH,
        "timm's or Huawei's GhostNetV3",
        ("conv_stem.weight", "blocks.0.0.ghost1.primary_rpr_conv.0.conv.weight"),
        alias=(".bn.", ".bn1."),  # as Huawei's branches call their batch norms
    ),
    Layout(
        "ghostnetv3",
        TORCH,
        "timm's or Huawei's GhostNetV3, its branches folded",
        (
            "conv_stem.weight",
            "blocks.0.0.ghost1.primary_conv.0.bias",
            "blocks.2.0.ghost1.short_conv.0.weight",
        ),
        deployed=True,
    ),
    Layout(
        "ghostnetv2",
        TORCH,
        "timm's or Huawei's GhostNetV2",
        ("conv_stem.weight", "blocks.2.0.ghost1.short_conv.0.weight"),
    ),
    Layout(
        "repghostnet",
        TORCH,
        "timm's or the authors' RepGhostNet",
        ("conv_stem.weight", "blocks.0.0.ghost1.fusion_bn.0.weight"),
    ),
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


def torch_layout(spec: specs.Spec) -> Layout | None:
    """The layout of a network in PyTorch; None where none is public."""
    wanted = (spec.family, TORCH, getattr(spec, "deployed", False))
    for layout in LAYOUTS:
        if (layout.family, layout.source, layout.deployed) == wanted:
            return layout
    return None


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
    found = {}
    for layout in LAYOUTS:
        names = {tensor: layout.short_name(tensor) for tensor in tensors}
        for prefix in layout.prefixes(set(names.values())):
            found.setdefault(prefix, (layout, names))
    if not found:
        return None
    if len(found) > 1:
        prefixes = ", ".join(sorted(map(repr, found)))
        raise ValueError(
            f"holds {len(found)} networks, with the prefixes {prefixes}. Save one of them alone."
        )
    ((prefix, (layout, names)),) = found.items()
    own = {}
    for tensor, name in names.items():
        first = own.setdefault(name.removeprefix(prefix), tensor)
        if first != tensor:
            raise ValueError(f"holds one tensor twice, as {first!r} and {tensor!r}.")
    return layout, own
