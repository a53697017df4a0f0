"""A long run with AdamW for GhostNet 1.0 and GhostNetV3 1.0: a proposal that nobody has run.

Source: none published for these networks. It follows timm's `ra4_e3600` recipe, itself after
MobileNetV4's (arXiv 2404.10518): AdamW with a first beta of 0.6, much dropout and augmentation, a
very long cosine, gradients clipped to a norm of 5, averaged weights. It took MobileNetV3-Large from
75.78 to 76.31 and MobileNetV1 from 70.9 to 75.39 (timm's results).
Command: ghostnet train --recipe ghostnet_100_imagenet_modern --data IMAGENET --run-dir RUN
Hardware: 8 GPUs.
Duration: 3600 epochs; `--set epochs=600` is a sixth of it.
Expected: not known; not run, here or elsewhere.

Chosen here: a drop path of 0.05 and RandAugment's magnitude 9, since these networks are about as
large as those above. A teacher goes with it: `--set teacher=TEACHER`.
"""

from keras_ghostnet.training.recipes import ghostnetv2
from keras_ghostnet.training.recipes.recipe import Recipe

RECIPES = tuple(
    Recipe(
        name=f"{model}_imagenet_modern",
        published="not run",
        model=model,
        epochs=3600,
        batch_size=1024,
        optimizer="adamw",
        betas=(0.6, 0.999),
        epsilon=1e-6,
        learning_rate=0.001,
        warmup_epochs=5,
        weight_decay=0.01,
        label_smoothing=0.1,
        dropout_rate=0.3,
        drop_path=0.05,
        clip_norm=5.0,
        ema=0.9999,
        augmentation=ghostnetv2.AUGMENTATION,
    )
    for model in ("ghostnet_100", "ghostnetv3_100")
)
