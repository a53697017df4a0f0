"""The `config.json` of a model on the hub, in timm's form: what a network is, and what it expects.

Source: timm, `timm/models/_hub.py`, which writes and reads it.
"""

import dataclasses
import json
from typing import Any

from keras_ghostnet import specs
from keras_ghostnet.specs.conventions import MEAN, STD
from keras_ghostnet.weights.catalog import Transform
from keras_ghostnet.weights.layouts import torch_layout

MAX_SIZE, MAX_CLASSES = 8192, 1_000_000
MAX_LABEL = 1000  # characters


@dataclasses.dataclass(frozen=True)
class Published:
    """What a repository says of its model; nothing of it is trusted.

    Attributes:
        path: What a message calls the repository.
        architecture: The network's name, timm's and ours; None if it is not said.
        classes: Of its classifier; None if it is not said.
        labels: The classes' names; None if they are not said.
        size: Side of the images that it expects, pixels.
        crop: The fraction of the resized image's shorter side that the central crop keeps.
        mean, std: By which images in [0, 1] are normalized, RGB.
        channels: Of its input.
    """

    path: str
    architecture: str | None = None
    classes: int | None = None
    labels: tuple[str, ...] | None = None
    size: int = specs.IMAGENET_SIZE
    crop: float = Transform().crop
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    channels: int = 3

    title = "by its config.json"

    @property
    def spec(self) -> specs.Spec | None:
        """The specification of the network if it is one of the registry's; a file tells others."""
        return specs.SPECS.get(self.architecture or "")

    @property
    def is_normalized_as_usual(self) -> bool:
        """Whether it takes images as `preprocess_input` makes them."""
        pairs = zip((*self.mean, *self.std), (*MEAN, *STD), strict=True)
        return all(abs(found - usual) < 1e-3 for found, usual in pairs)

    def require_known(self) -> None:
        """Refuses the networks of other families by name.

        Raises:
            ValueError: If it is none of a family that is known here.
        """
        families = {name.rpartition("_")[0] for name in specs.SPECS}
        name = self.architecture
        if name is None or name in specs.SPECS or name.rpartition("_")[0] in families:
            return
        raise ValueError(
            f"{self.path} is a {name!r}, and no network of this package; nothing was downloaded."
            + specs.suggest(name, specs.SPECS)
        )


def parse_config(content: bytes, path: str) -> Published:
    """What a `config.json` says.

    Args:
        content: The file's bytes.
        path: What messages call the repository.

    Raises:
        ValueError: If it is no JSON object, or a value in it is out of range.
    """
    try:
        config = json.loads(content)
        if not isinstance(config, dict):
            raise ValueError(f"it is a {type(config).__name__}")
        # timm's older form has everything at the top.
        inner = config.get("pretrained_cfg", config)
        if not isinstance(inner, dict):
            raise ValueError("pretrained_cfg is no object")
        return _published({**inner, **config}, path)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its config.json cannot be used: {error}.") from error


def _published(config, path):
    architecture = config.get("architecture")
    if architecture is None and isinstance(config.get("architectures"), list):  # transformers'
        architecture = next(iter(config["architectures"]), None)
    if architecture is not None and not isinstance(architecture, str):
        raise ValueError("`architecture` is no text")
    channels, *sides = _numbers(config, "input_size", (3, 224, 224), 1, MAX_SIZE, int)
    if sides[0] != sides[1]:
        raise ValueError(f"`input_size` is {sides[0]} x {sides[1]}, where squares are expected")
    colors = config if channels == 3 else {}  # of others no figures are known
    (crop,) = _numbers(config, "crop_pct", (Transform().crop,), 1e-3, 1)
    (classes,) = _numbers(config, "num_classes", (0,), 0, MAX_CLASSES, int)
    return Published(
        path=path,
        architecture=architecture and architecture[:MAX_LABEL],
        classes=classes or None,
        labels=_labels(config.get("label_names", config.get("labels")), classes),
        size=sides[0],
        crop=crop,
        mean=_numbers(colors, "mean", MEAN, -1e3, 1e3),
        std=_numbers(colors, "std", STD, 1e-6, 1e3),
        channels=channels,
    )


def _numbers(config, key, default, least, most, kind=float):
    """As many numbers as a default has, a tuple; a single one may stand alone."""
    value = config.get(key)
    if value is None:
        return default
    values = value if isinstance(value, list) else [value]
    kinds = (int,) if kind is int else (int, float)
    fit = [type(number) in kinds and least <= number <= most for number in values]
    if len(values) != len(default) or not all(fit):
        raise ValueError(f"`{key}` is {json.dumps(value)[:100]}")
    return tuple(map(kind, values))


def _labels(names, classes):
    if names is None:
        return None
    if isinstance(names, dict):  # from the classes' numbers
        names = [names.get(str(index)) for index in range(len(names))]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("`label_names` is no list of texts")
    if any(len(name) > MAX_LABEL for name in names) or (classes and len(names) != classes):
        raise ValueError(f"`label_names` has {len(names)} names of {classes} classes")
    return tuple(names)


def timm_config(published: Published, spec: specs.Spec | None) -> dict[str, Any]:
    """What `parse_config` reads, and timm: the content of a `config.json`.

    Args:
        published: What is to be said of a model.
        spec: Of the network whose weights are there in PyTorch's names; None without such.
    """
    config: dict[str, Any] = {
        "architecture": published.architecture,
        "num_classes": published.classes,
    }
    if published.labels is not None:
        config["label_names"] = list(published.labels)
    config["pretrained_cfg"] = {
        "input_size": [published.channels, published.size, published.size],
        "interpolation": "bicubic",
        "crop_pct": published.crop,
        "crop_mode": "center",
        "mean": list(published.mean),
        "std": list(published.std),
        "num_classes": published.classes,
    }
    if spec is not None and (layout := torch_layout(spec)) is not None:
        layers = layout.layers(spec)
        names = {"first_conv": layers["stem_conv"], "classifier": layers["predictions"]}
        config["pretrained_cfg"] |= names
    return config
