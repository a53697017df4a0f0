"""Writes `timm.json`: maps of timm's `features_only` networks with the weights of the goldens.

Where timm is installed: `python -m tests.golden.features.write`. Computed with timm 1.0.31 and
PyTorch 2.13 in float64. The names of the stages' tensors have an underscore in these networks
(`blocks_1` for `blocks.1`), so that a golden checkpoint must be renamed: loaded as it is, without
`strict`, the blocks would keep their random values.
"""

import json
import pathlib
import re

from tests import torch_libraries
from tests.golden import values

FOLDER = pathlib.Path(__file__).parent
GOLDENS = (
    "timm_ghostnet_100_192",
    "timm_ghostnetv2_100_224",
    "timm_ghostnetv3_100_224",
    "timm_repghostnet_100_224",
)


def features(record, model):
    """What timm computes for a golden file's checkpoint and images.

    Args:
        record: The content of the golden file.
        model: timm's name of the network.

    Returns:
        A list of dictionaries, one for each stride from 2 to 32.
    """
    torch, timm = map(torch_libraries.load, ("torch", "timm"))
    network = timm.create_model(model, features_only=True)
    tensors = {
        re.sub(r"^blocks\.", "blocks_", entry[0]): torch.from_numpy(values.tensor(*entry))
        for entry in record["tensors"]
    }
    missing = network.load_state_dict(tensors, strict=False).missing_keys
    assert all(name.endswith("num_batches_tracked") for name in missing), missing
    images = values.image_batch(**record["input"]).transpose(0, 3, 1, 2)
    with torch.no_grad():
        found = network.double().eval()(torch.from_numpy(images).double())
    return [
        {
            "stride": stride,
            "channels": maps.shape[1],
            "size": list(maps.shape[2:]),
            "mean": float(maps.mean()),
            "std": float(maps.std(correction=0)),
            "first8": maps.permute(0, 2, 3, 1).reshape(-1)[:8].tolist(),
            "last8": maps.permute(0, 2, 3, 1).reshape(-1)[-8:].tolist(),
        }
        for stride, maps in zip(network.feature_info.reduction(), found, strict=True)
    ]


if __name__ == "__main__":
    found = {}
    for name in GOLDENS:
        record = json.loads((FOLDER.parent / f"{name}.json").read_text())
        found[name] = features(record, name.removeprefix("timm_").rpartition("_")[0])
    (FOLDER / "timm.json").write_text(json.dumps(found, indent=1) + "\n")
