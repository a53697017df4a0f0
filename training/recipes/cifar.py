"""Ghost-VGG-16 and Ghost-ResNet-56 on CIFAR-10.

Paper: GhostNet (arXiv 1911.11907), section 4.1; the schedule is from its first author's answer in
issue #7 of ghostnet.pytorch.
Command: ghostnet train --recipe ghost_vgg16_cifar10 --data cifar-10-batches-bin --run-dir RUN
Hardware: one GPU.
Duration: 400 epochs.
Expected: 93.7 / 92.7 % of the test images with VGG-16 / ResNet-56 (paper); nothing of it was
trained here. With s=1 the paper has 93.6 / 93.0.

Data: the folder of CIFAR-10's binary version. Its 10,000 test images are what every epoch is
evaluated on and the best epoch chosen by: compare the last epoch's accuracy, not the best one's.

Open in the paper: batch 128, padding by 4 and mirroring are those of ResNet's paper (arXiv
1512.03385, section 4.2) and of kuangliu/pytorch-cifar, which the author names as the base of his
code. Weight decay is 1e-4 to 1e-5 in his words; 1e-4 here. It applies to the kernels of
convolutions and dense layers; PyTorch's SGD decays batch norm and depthwise kernels as well. In
issue #13 he says that the paper's ResNet-56 had ResNet's own, shorter schedule: its 64,000 steps
are about `--set epochs=164 --set milestones=82,123`. With 400 epochs the plain ResNet-56 of the
one who asked came to 94.3. Images are normalized by ImageNet's mean and deviation instead of
CIFAR's, as everywhere in this package; the first batch norm makes up for it.
"""

from keras_ghostnet.training.data import Augmentation
from keras_ghostnet.training.recipes.recipe import Recipe

RECIPES = tuple(
    Recipe(
        name=f"{model}_cifar10",
        published=f"top-1 {published} (paper)",
        model=model,
        epochs=400,
        batch_size=128,
        image_size=32,
        crop=1.0,
        learning_rate=0.1,
        schedule="step",
        milestones=(200, 300, 375),
        l2=1e-4,
        dropout_rate=0.0,
        augmentation=Augmentation(area=None, pad_crop=4, color_jitter=0.0),
    )
    for model, published in (("ghost_vgg16", 93.7), ("ghost_resnet56", 92.7))
)
