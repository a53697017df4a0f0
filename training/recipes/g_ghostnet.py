"""G-GhostNet on ImageNet: the official PyTorch ImageNet example, as its authors say.

Paper: GhostNets on Heterogeneous Devices (arXiv 2201.03297), section 5.
Command: ghostnet train --recipe g_ghost_regnetx_032_imagenet --data IMAGENET --run-dir RUN
Hardware: 8 GPUs.
Duration: 100 epochs.
Expected: top-1 77.8 / 78.6 / 79.0 / 79.9 at 3.2 / 4.0 / 8.0 / 16 GF (paper); nothing of it was
trained here.

Open in the paper: the number of epochs (90 to 100) and the schedule (step or cosine); here 100
with the cosine, RegNet's own. The batch norms of the mix see one value per image: they take their
statistics over all replicas (`synchronized_bn`), which the paper does not mention.
"""

from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes.recipe import Recipe

RECIPES = tuple(
    Recipe(
        name=f"g_ghost_regnetx_{size}_imagenet",
        published=f"top-1 {published} (paper)",
        model=f"g_ghost_regnetx_{size}",
        epochs=100,
        batch_size=256,
        learning_rate=0.1,
        l2=1e-4,
        dropout_rate=0.2,
        augmentation=Augmentation(color_jitter=0.0, interpolation="bilinear"),
    )
    for size, published in (("032", 77.8), ("040", 78.6), ("080", 79.0), ("160", 79.9))
)
