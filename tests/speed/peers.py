"""What we are compared with, in PyTorch: run by the benchmarks, as `sides` describes.

`peers.py timm BATCH STEPS` trains a network, `peers.py torchvision FOLDER BATCH WORKERS
INTERPOLATION JITTER AHEAD COUNTED` reads images. It imports nothing of ours: the Python that runs
it may have PyTorch alone.
"""

import itertools
import sys
import time

import torch
from sides import serve, steady_rate


def timm_step(batch, steps):
    """Training steps of timm's GhostNet 1.0, channels last, on one batch."""
    with_torchvision()
    import timm

    torch.manual_seed(0)
    network = timm.create_model("ghostnet_100").train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    images = torch.randn(batch, 3, 224, 224).to(memory_format=torch.channels_last)
    labels = torch.arange(batch)

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    def turn():
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return batch * steps / (time.perf_counter() - start)

    step()
    serve(f"timm {timm.__version__}, PyTorch {torch.__version__}", turn)


def torchvision_images(folder, batch, workers, interpolation, jitter, ahead, counted):
    """Images as PyTorch's ImageNet example reads them, and with color jitter."""
    torchvision = with_torchvision()
    from torchvision import transforms

    crop = transforms.RandomResizedCrop(
        224, interpolation=transforms.InterpolationMode(interpolation)
    )
    dataset = torchvision.datasets.ImageFolder(
        folder,
        transforms.Compose(
            [
                crop,
                transforms.RandomHorizontalFlip(),
                *([transforms.ColorJitter(jitter, jitter, jitter)] if jitter else []),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        ),
    )
    loader = torch.utils.data.DataLoader(
        dataset, batch, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=True
    )
    images = (images for _ in itertools.count() for images, _ in loader)
    next(images)  # starts the workers
    versions = f"torchvision {torchvision.__version__}, PyTorch {torch.__version__}"
    serve(versions, lambda: steady_rate(images, ahead, counted))


def with_torchvision():
    """torchvision, which timm imports too."""
    try:
        import torchvision
    except RuntimeError:
        # Its compiled operations do not load beside a PyTorch that was built without CUDA. None
        # is needed here: that they have names is enough.
        for name in ("nms", "qnms"):
            schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{name}", schema)
        import torchvision
    return torchvision


if __name__ == "__main__":
    if sys.argv[1] == "timm":
        timm_step(*map(int, sys.argv[2:]))
    else:
        folder, batch, workers, interpolation, jitter, *turn = sys.argv[2:]
        torchvision_images(
            folder, int(batch), int(workers), interpolation, float(jitter), *map(int, turn)
        )
