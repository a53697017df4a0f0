"""GhostNetV2 on ImageNet, as its authors' README calls their training script.

Paper: GhostNetV2 (arXiv 2211.12905); the settings are those of the command in
ghostnetv2_pytorch/README.md (huawei-noah/Efficient-AI-Backbones), which is timm's script.
Command: ghostnet train --recipe ghostnetv2_100_imagenet --data IMAGENET --run-dir RUN
Hardware: the authors' was 8 GPUs with 128 images each.
Duration: 450 epochs.
Expected: top-1 75.3 / 76.9 / 77.8 at 1.0x / 1.3x / 1.6x (paper); nothing of it was trained here.

Differences from that command: the rate rises from 0, not from 1e-6, and falls at the very step,
not between two epochs; depthwise kernels are not decayed; crops are resized bicubically, not by
bilinear or bicubic interpolation at random; what is erased gets the mean color, not noise; the
noise on the rate (--lr-noise 0.42 0.9) is left out; and its mixed precision (--amp) is
`--set precision=mixed_float16`.
"""

from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes.recipe import Recipe

AUGMENTATION = Augmentation(  # timm's rand-m9-mstd0.5, in place of the color jitter
    color_jitter=0.0,
    rand_augment=(2, 9),
    rand_augment_std=0.5,
    rand_augment_probability=0.5,
    erasing=0.2,
)

RECIPES = tuple(
    Recipe(
        name=f"ghostnetv2_{width}_imagenet",
        published=f"top-1 {published} (paper)",
        model=f"ghostnetv2_{width}",
        epochs=450,
        batch_size=1024,
        optimizer="rmsprop",
        epsilon=1e-3,
        learning_rate=0.064,
        warmup_epochs=3,
        schedule="exponential",
        decay=0.973,
        decay_epochs=2.4,
        l2=1e-5,
        label_smoothing=0.1,
        dropout_rate=0.2,
        ema=0.9999,
        augmentation=AUGMENTATION,
    )
    for width, published in (("100", 75.3), ("130", 76.9), ("160", 77.8))
)
