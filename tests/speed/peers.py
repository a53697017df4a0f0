"""What we are compared with, in PyTorch: run by the benchmarks, as `sides` describes.

`peers.py timm BATCH STEPS` trains a network, `peers.py torchvision FOLDER BATCH WORKERS` reads
images. It imports nothing of ours: the Python that runs it may have PyTorch alone.
"""

import sys
import time

import torch
from sides import serve


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


def torchvision_images(folder, batch, workers):
    """Images as PyTorch's ImageNet example reads them."""
    torchvision = with_torchvision()
    from torchvision import transforms

    dataset = torchvision.datasets.ImageFolder(
        folder,
        transforms.Compose(
            [
                transforms.RandomResizedCrop(224),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        ),
    )
    loader = torch.utils.data.DataLoader(
        dataset, batch, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=True
    )

    def turn():
        start, count = time.perf_counter(), 0
        for images, _ in loader:
            count += len(images)
        return count / (time.perf_counter() - start)

    turn()  # starts the workers
    serve(f"torchvision {torchvision.__version__}, PyTorch {torch.__version__}", turn)


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
        torchvision_images(sys.argv[2], *map(int, sys.argv[3:]))
