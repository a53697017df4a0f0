"""C-GhostNet on ImageNet, as its authors trained it.

Paper: GhostNet (arXiv 1911.11907), section 4.2; what it leaves open is from the authors'
TensorFlow code and their answers in issues #53 (Efficient-AI-Backbones), #3 and #18
(ghostnet.pytorch).
Command: ghostnet train --recipe ghostnet_100_imagenet --data IMAGENET --run-dir RUN
Hardware: the authors' was 8 GPUs with 128 images each.
Duration: 400 epochs; users who left out the long cosine, the warm-up or the label smoothing
stopped at 72.7 to 73.4.
Expected: top-1 66.2 / 73.9 / 75.7 at 0.5x / 1.0x / 1.3x (paper); nothing of it was trained
here.

Open in the paper: the area of the random crop is 0.08 to 1, and 0.49 to 1 below width 1 (their
code). Mixup and CutMix are left out: they hurt at this size (GhostNetV3).
"""

from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes.recipe import Recipe


def _recipe(width, published, area):
    return Recipe(
        name=f"ghostnet_{width}_imagenet",
        published=f"top-1 {published} (paper)",
        model=f"ghostnet_{width}",
        epochs=400,
        batch_size=1024,
        learning_rate=0.4,
        warmup_epochs=5,
        l2=4e-5,
        label_smoothing=0.1,
        dropout_rate=0.2,
        augmentation=Augmentation(area=area, color_jitter=0.4),
    )


RECIPES = (
    _recipe("050", 66.2, (0.49, 1.0)),
    _recipe("100", 73.9, (0.08, 1.0)),
    _recipe("130", 75.7, (0.08, 1.0)),
)
