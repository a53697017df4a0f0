"""Writes the small reference files of this folder with the real PyTorch and Paddle.

    python tests/weights/data/make_files.py torch     # where PyTorch is installed
    python tests/weights/data/make_files.py paddle    # where Paddle is installed

The files were written by PyTorch 2.13.0 and PaddlePaddle 3.3.1. Their values follow from
`ramp`, which `tests/weights/test_readers.py` has too.
"""

import argparse
import collections
import pathlib
import sys

import numpy as np

FOLDER = pathlib.Path(__file__).parent


def ramp(shape, start=0):
    """Returns start, start + 0.5, start + 1, ... in the given shape: exact in every float type."""
    return (start + 0.5 * np.arange(np.prod(shape, dtype=int))).reshape(shape)


def torch_state(torch):
    """Returns a state_dict with what PyTorch writes in different ways."""
    base = torch.from_numpy(ramp((4, 6)).astype("float32"))
    return collections.OrderedDict(
        {
            "parameter": torch.nn.Parameter(torch.from_numpy(ramp((2, 3)).astype("float32"))),
            "transposed": base.t(),
            "window": base[1:3, 2:5],
            "stepped": base[::2, 1],
            "double": torch.from_numpy(ramp((3,))),
            "half": torch.from_numpy(ramp((2, 2))).half(),
            "bfloat": torch.from_numpy(ramp((2, 2))).bfloat16(),
            "scalar": torch.tensor(2.5),
            "empty": torch.zeros(0, 3),
            "num_batches_tracked": torch.tensor(7),
            "mask": torch.tensor([True, False]),
        }
    )


def make_torch():
    """Writes the PyTorch files."""
    import torch

    state = torch_state(torch)
    torch.save(state, FOLDER / "torch_zip.pth")
    torch.save(state, FOLDER / "torch_legacy.pth", _use_new_zipfile_serialization=False)
    training = {
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1, device=torch.device("cpu"), sizes=torch.Size([2])),
        "best": np.float64(73.98),
        "optimizer": torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1).state_dict(),
        "state_dict": {f"module.{name}": tensor for name, tensor in state.items()},
    }
    torch.save(training, FOLDER / "torch_training.pth")
    average = {"module.parameter": 2 * state["parameter"].detach()}
    torch.save({**training, "state_dict_ema": average}, FOLDER / "torch_ema.pth")
    # A type without a storage class of its own: the storage is one of bytes.
    counts = torch.tensor([1, 2, 2**32 - 1], dtype=torch.uint32)
    torch.save({"counts": counts}, FOLDER / "torch_untyped.pth")


def make_paddle():
    """Writes the Paddle files."""
    import paddle

    layer = paddle.nn.Linear(2, 3)
    layer.weight.set_value(ramp((2, 3)).astype("float32"))
    layer.bias.set_value(ramp((3,), 5).astype("float32"))
    raw = {
        "float": paddle.to_tensor(ramp((2, 3)).astype("float32")),
        "double": paddle.to_tensor(ramp((3,))),
        "half": paddle.to_tensor(ramp((2, 2)).astype("float16")),
        "bfloat": paddle.to_tensor(ramp((2, 2)).astype("float32")).astype("bfloat16"),
        "count": paddle.to_tensor(np.int64(7)),
    }
    for protocol in (2, 4):
        state, plain = layer.state_dict(), dict(raw)
        paddle.save(state, str(FOLDER / f"paddle_state_{protocol}.pdparams"), protocol=protocol)
        paddle.save(plain, str(FOLDER / f"paddle_raw_{protocol}.pdparams"), protocol=protocol)


if __name__ == "__main__":
    {"torch": make_torch, "paddle": make_paddle}[sys.argv[1]]()
