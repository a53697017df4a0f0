"""A few steps on tiny images, to see that everything runs.

Command: ghostnet train --recipe smoke --data digits --run-dir RUN
Duration: half a minute on a CPU.
Expected: nothing but that it ends.
"""

from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes.recipe import Recipe

RECIPES = (
    Recipe(
        name="smoke",
        model="ghostnet_050",
        epochs=1,
        batch_size=64,
        image_size=32,
        learning_rate=0.05,
        ema=0.9,
        l2=4e-5,
        clip_norm=5.0,
        augmentation=Augmentation(area=(0.5, 1.0)),
    ),
)
