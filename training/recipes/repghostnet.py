"""RepGhostNet on ImageNet, as its authors trained it.

Paper: RepGhost (arXiv 2211.06088); the settings are those of train.sh and of the
args.yaml beside every released model (ChengpengChen/RepGhost), which is timm's script.
Command: ghostnet train --recipe repghostnet_100_imagenet --data IMAGENET --run-dir RUN
Hardware: the authors' was 8 GPUs with 128 images each.
Duration: 300 epochs.
Expected: top-1 66.95 / 68.94 / 72.24 / 74.22 / 75.07 / 76.37 / 77.45 / 78.81 at 0.5x / 0.58x /
0.8x / 1.0x / 1.11x / 1.3x / 1.5x / 2.0x (their released models); nothing of it was trained here.

From 1.3x on RandAugment takes the place of the color jitter. Differences: the rate rises from 0,
not from 1e-4, and falls to 0, not to 1e-5; depthwise kernels are not decayed; crops are resized
bicubically, not by bilinear or bicubic interpolation at random; what is erased gets the mean color,
not noise.
"""

from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes import ghostnetv2
from keras_ghostnet.training.recipes.recipe import Recipe

SMALL, LARGE = Augmentation(color_jitter=0.4, erasing=0.2), ghostnetv2.AUGMENTATION
PUBLISHED = {
    **{"050": 66.95, "058": 68.94, "080": 72.24, "100": 74.22, "111": 75.07},
    **{"130": 76.37, "150": 77.45, "200": 78.81},
}

RECIPES = tuple(
    Recipe(
        name=f"repghostnet_{width}_imagenet",
        published=f"top-1 {published} (authors)",
        model=f"repghostnet_{width}",
        epochs=300,
        batch_size=1024,
        learning_rate=0.6,
        warmup_epochs=5,
        nesterov=True,  # as timm's "sgd" is
        l2=1e-5,
        label_smoothing=0.1,
        dropout_rate=0.2,
        ema=0.9999,
        augmentation=LARGE if width >= "130" else SMALL,
    )
    for width, published in PUBLISHED.items()
)
