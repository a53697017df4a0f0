"""Which network a checkpoint holds, by the shapes of its tensors."""

from keras_ghostnet import specs
from keras_ghostnet.weights.layouts import G_GHOST, PADDLE, TORCH


def identify_spec(layout, tensors):
    """The specification of the network that a checkpoint was written from.

    Args:
        layout: Its layout.
        tensors: Dictionary of its arrays.

    Returns:
        `GhostNetSpec` or a successor's of any width, `GGhostSpec`, or None if the shapes fit no
        such network.
    """
    if layout.family != G_GHOST:
        return _find_ghostnet(layout, tensors)
    for size in specs.REGNETX:
        spec = specs.g_ghost_regnetx(size)
        if _widths_agree(layout, tensors, spec):
            return spec
    return None


def _find_ghostnet(layout, tensors):
    layers = layout.layers(layout.spec(1.0))
    final = tensors.get(layout.tensor_name(layers["final_bn"], "final_bn/gamma"))
    if final is None or final.ndim != 1:
        return None
    for spec in ghostnets_ending_in(final.shape[0], layout.spec):
        if _widths_agree(layout, tensors, spec):
            return spec
    return None


def ghostnets_ending_in(channels, make=specs.ghostnet):
    """Specifications of all widths whose last convolution has that many channels.

    No file holds the width itself: the shortest number that fits is taken.

    Args:
        channels: Output channels of the last convolution.
        make: Function of a width that returns the specification, `specs.ghostnet` or that of a
            successor.

    Yields:
        Specifications, those with the fewest decimals of their width first.
    """
    low = (channels - specs.GHOSTNET_DIVISOR) / specs.GHOSTNET_FINAL
    high = (channels + specs.GHOSTNET_DIVISOR) / specs.GHOSTNET_FINAL
    for digits in range(1, 5):
        steps = 10**digits
        for step in range(max(1, int(low * steps)), int(high * steps) + 2):
            spec = make(step / steps)
            if spec.final == channels:
                yield spec


def _widths_agree(layout, tensors, spec):
    """Whether the vectors of a checkpoint have the channels that a specification asks for."""
    layers = layout.layers(spec)
    for path, channels in _vectors(spec).items():
        array = tensors.get(layout.tensor_name(layers[path.rpartition("/")[0]], path))
        if array is None or array.shape != (channels,):
            return False
    return True


def _vectors(spec):
    """Paths of some variables of one value a channel, two per block, which identify a size."""
    found = {"stem_bn/gamma": spec.stem}
    if spec.family != G_GHOST:
        found["final_bn/gamma"] = spec.final
        ratio = 1 if spec.family == "repghostnet" else 2
        branches = getattr(spec, "branches", 1)
        scale = "bn/gamma" if branches == 1 else "conv/bn1/gamma" if branches else "conv/bias"
        for stage, blocks in enumerate(spec.stages, start=1):
            for number, block in enumerate(blocks, start=1):
                for module, filters in (("ghost1", block.expansion), ("ghost2", block.output)):
                    path = f"stage{stage}_block{number}/{module}/primary_{scale}"
                    found[path] = -(-filters // ratio)
        return found
    for stage, shape in enumerate(spec.stages, start=1):
        if shape.ghost:
            found[f"stage{stage}/base/bn1/gamma"] = found[f"stage{stage}/end/bn1/gamma"] = (
                shape.width
            )
            found[f"stage{stage}/raw{shape.depth - 2}/bn1/gamma"] = shape.raw_width
        else:
            found[f"stage{stage}_block{shape.depth}/bn1/gamma"] = shape.width
    return found


def classes(layout, tensors):
    """The number of classes of a checkpoint's classifier; None without one."""
    spec = specs.g_ghost_regnetx("002") if layout.family == G_GHOST else layout.spec(1.0)
    layer = layout.layers(spec)["predictions"]
    kernel = tensors.get(layout.tensor_name(layer, "predictions/kernel"))
    if kernel is None or kernel.ndim != 2:
        return None
    return kernel.shape[0 if layout.source == TORCH else 1]


def input_channels(layout, tensors):
    """The number of input channels of a checkpoint's network."""
    kernel = tensors[layout.signature[0]]
    return kernel.shape[1] if layout.source in (TORCH, PADDLE) else kernel.shape[2]
