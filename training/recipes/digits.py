"""The handwritten digits of scikit-learn, in minutes on a CPU.

Source: this package's quickstart.
Command: ghostnet train --recipe digits --data digits --run-dir RUN
Hardware: two CPU cores.
Duration: two to five minutes.
Expected: at least 98 % of the held-out digits.
"""

from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes.recipe import Recipe

RECIPES = (
    Recipe(
        name="digits",
        model="ghostnet_050",
        epochs=16,
        batch_size=32,
        image_size=48,
        crop=1.0,
        learning_rate=0.05,
        warmup_epochs=1.6,
        nesterov=True,
        label_smoothing=0.1,
        # Digits are not mirrored, and their colors say nothing.
        augmentation=Augmentation(
            area=None, flip=False, color_jitter=0.0, shift_rotate_zoom=(0.08, 0.04, 0.1)
        ),
    ),
)
