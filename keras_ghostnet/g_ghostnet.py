"""G-GhostNet, for GPUs: RegNetX whose stages make half of their channels by cheap operations.

*GhostNets on Heterogeneous Devices via Cheap Operations*, Han et al., IJCV 2022
(arXiv 2201.03297), section 4.
"""

import os

import keras

from keras_ghostnet import builder, specs
from keras_ghostnet.layers import GGhostStage, RegNetBlock
from keras_ghostnet.layers.types import Activation, Shape, Tensor


def _constructor(size):
    """The constructor of one size; the twelve differ in nothing but their specification."""

    @builder.document(features=specs.g_ghost_regnetx(size).stages[-1].width, size=size)
    def model(
        *,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = None,
        input_tensor: Tensor | None = None,
        input_shape: Shape | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Activation = "softmax",
        dropout_rate: float = 0.2,
        output_stride: int = 32,
        name: str | None = None,
    ) -> keras.Model:
        """G-GhostNet on RegNetX-{size}.

        Reference: [GhostNets on Heterogeneous Devices via Cheap Operations](
        https://arxiv.org/abs/2201.03297) (IJCV 2022), section 4, and the authors' code.

        Args:
            {arguments}

        {results}
        """
        return builder.build(
            specs.g_ghost_regnetx(size),
            builder.at_output_stride(_backbone, output_stride),
            lambda x, spec: x,
            include_top=include_top,
            weights=weights,
            input_tensor=input_tensor,
            input_shape=input_shape,
            pooling=pooling,
            classes=classes,
            classifier_activation=classifier_activation,
            dropout_rate=dropout_rate,
            name=name,
        )

    model.__name__ = model.__qualname__ = f"GGhostRegNetX{size}"
    return model


def _backbone(x, spec, output_stride=32):
    _, *dilations = specs.stage_dilations(spec.strides, output_stride)
    x = builder.conv_bn_relu(x, spec.stem, 3, "stem", strides=2)
    for number, (stage, dilation) in enumerate(zip(spec.stages, dilations, strict=True), start=1):
        if stage.ghost:
            x = GGhostStage(
                stage.width,
                stage.depth,
                stage.group_width,
                name=f"stage{number}",
                **builder.dilated(True, *dilation),
            )(x)
            continue
        for block in range(1, stage.depth + 1):
            x = RegNetBlock(
                stage.width,
                stage.group_width,
                strides=2 if block == 1 else 1,
                name=f"stage{number}_block{block}",
                **builder.dilated(block == 1, *dilation),
            )(x)
    return x


GGhostRegNetX002 = _constructor("002")
GGhostRegNetX004 = _constructor("004")
GGhostRegNetX006 = _constructor("006")
GGhostRegNetX008 = _constructor("008")
GGhostRegNetX016 = _constructor("016")
GGhostRegNetX032 = _constructor("032")
GGhostRegNetX040 = _constructor("040")
GGhostRegNetX064 = _constructor("064")
GGhostRegNetX080 = _constructor("080")
GGhostRegNetX120 = _constructor("120")
GGhostRegNetX160 = _constructor("160")
GGhostRegNetX320 = _constructor("320")
