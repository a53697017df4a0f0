"""Fine-tuning on a folder of your own images, from ImageNet's weights.

Source: none published; the settings of *Do Better ImageNet Models Transfer Better?* (Kornblith et
al., CVPR 2019) for full fine-tuning, with a shorter run.
Command: ghostnet train --recipe fine_tuning --data PHOTOS --run-dir RUN
Hardware: one GPU, or a CPU for some thousand images.
Duration: 20 epochs.
Expected: depends on the images.
"""

from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes.recipe import Recipe

RECIPES = (
    Recipe(
        name="fine_tuning",
        model="ghostnet_100",
        epochs=20,
        batch_size=64,
        learning_rate=0.02,
        warmup_epochs=1,
        nesterov=True,
        l2=1e-4,
        label_smoothing=0.1,
        weights="imagenet",
        augmentation=Augmentation(area=(0.25, 1.0), color_jitter=0.2),
    ),
)
