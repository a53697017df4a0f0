"""Segmentation of your own images: a class for every pixel, from ImageNet's weights.

Source: none published for GhostNet; crops and rate are in the manner of torchvision's reference for
LR-ASPP on MobileNetV3 (SGD with momentum 0.9, decay 1e-4, images scaled, cropped and mirrored), the
head is `keras_ghostnet.segmenter` at an output stride of 16.
Command: ghostnet train --recipe segmentation --data SCENES --run-dir RUN
Hardware: one GPU; a CPU for some thousand images of 100 to 200 pixels.
Duration: 40 epochs.
Expected: depends on the images; not run on a public data set.
"""

from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes.recipe import SEGMENTATION, Recipe

RECIPES = (
    Recipe(
        name="segmentation",
        task=SEGMENTATION,
        model="ghostnet_100",
        epochs=40,
        batch_size=16,
        image_size=512,
        crop=1.0,
        learning_rate=0.02,
        warmup_epochs=1,
        l2=1e-4,
        dropout_rate=0.1,
        weights="imagenet",
        augmentation=Augmentation(area=(0.25, 1.0), color_jitter=0.2),
    ),
)
