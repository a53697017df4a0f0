"""GhostNetV3 on ImageNet, distilled from a larger network.

Paper: GhostNetV3 (arXiv 2404.11202), section 4.1; the loss is that of the authors' train.py
(ghostnetv3_pytorch in huawei-noah/Efficient-AI-Backbones), which is timm's script, with timm's
defaults: no command was published.
Command: ghostnet train --recipe ghostnetv3_100_imagenet --data IMAGENET --run-dir RUN
    --set teacher=TEACHER
Hardware: not published.
Duration: 600 epochs.
Expected: top-1 77.1 / 79.1 / 80.4 at 1.0x / 1.3x / 1.6x (paper), with BEiTv2-L as the teacher;
nothing of it was trained here, and nothing was published at 0.5x.

The authors' loss adds the cross-entropy with the teacher's probabilities, at a temperature of 1, to
that with the labels. A `distillation` of 0.5 has half of that sum, which LAMB's steps do not depend
on. TEACHER is a run's folder, a `.keras` file or an exported file, for the same images and classes.
BEiTv2 is no Keras model: in Python, `keras_ghostnet.training.Teacher` wraps a function that calls
PyTorch's. Without a teacher the network learns from the labels alone. The averaged weights (`ema`)
are what is evaluated: the released ones have 77.13, those that were not averaged 76.93.

Optimizer, rate, batch and epochs are the paper's, whose text was not at hand when they were written
down: compare them with its section 4.1 before a run of this length.

Open in the paper: the warm-up (timm's default here) and the strength of RandAugment and of random
erasing (those of GhostNetV2). Keras' LAMB decays weights beside the step, where LAMB's paper has
the decay within the ratio of norms. Mixup and CutMix are left out: the paper finds that they hurt.
The network is trained with its branches; every export folds them.
"""

from keras_ghostnet.training.recipes import ghostnetv2
from keras_ghostnet.training.recipes.recipe import Recipe

PUBLISHED = {"050": "", "100": 77.1, "130": 79.1, "160": 80.4}

RECIPES = tuple(
    Recipe(
        name=f"ghostnetv3_{width}_imagenet",
        published=f"top-1 {published} (paper, distilled)" if published else "",
        model=f"ghostnetv3_{width}",
        epochs=600,
        batch_size=2048,
        optimizer="lamb",
        epsilon=1e-6,
        learning_rate=0.005,
        warmup_epochs=3,
        weight_decay=0.05,
        label_smoothing=0.1,
        dropout_rate=0.2,
        ema=0.9999,
        distillation=0.5,
        augmentation=ghostnetv2.AUGMENTATION,
    )
    for width, published in PUBLISHED.items()
)
