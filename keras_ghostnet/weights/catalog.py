"""The public checkpoints: where they are, what they expect, and what they reached.

Accuracies are as the source publishes them, in percent on ImageNet's validation set; nothing
here was measured by this package.
"""

import dataclasses
import os
import urllib.error

from keras_ghostnet import specs
from keras_ghostnet.weights import downloads


@dataclasses.dataclass(frozen=True)
class Transform:
    """The preprocessing that a checkpoint's accuracy was published with.

    Bicubic resizing, a central crop, and `keras_ghostnet.preprocess_input` for all of them.

    Attributes:
        size: Side of the square that the network sees, pixels.
        resize: Length that the image's shorter side is resized to before, pixels.
    """

    size: int = 224
    resize: int = 256

    @property
    def crop(self) -> float:
        """The fraction of the resized image's shorter side that the central crop keeps."""
        return self.size / self.resize


@dataclasses.dataclass(frozen=True)
class WeightsEntry:
    """One public checkpoint.

    Attributes:
        model: Name of the model it belongs to.
        tag: What `weights=` calls it.
        url: Where it is downloaded from.
        hash: `"md5:..."` or `"sha256:..."` of the file, or None where its source publishes
            none; the SHA-256 that was received first is printed then, and holds from then on.
        format: `IdentifiedCheckpoint.format` of the file.
        top1, top5: Published accuracies in percent; None where none was published.
        license: Of the weights, as the source states it.
        source: Who trained and who published it.
        transform: The preprocessing that it expects.
        classes: Of its classifier.
        channels: Of its input.
        max_bytes: The largest file that is taken for it.
    """

    model: str
    tag: str
    url: str
    hash: str | None
    format: str
    top1: float | None
    top5: float | None
    license: str
    source: str
    transform: Transform = Transform()
    classes: int = 1000
    channels: int = 3
    max_bytes: int = downloads.MAX_BYTES

    @property
    def spec(self) -> specs.Spec:
        """The specification of the model, as `IdentifiedCheckpoint.spec` of a file."""
        return specs.get_spec(self.model)

    @property
    def path(self) -> str:
        """What a message calls the file before it is downloaded."""
        return self.url

    @property
    def title(self) -> str:
        """What a message calls the entry."""
        return f"registered as {self.tag!r}"


_KECAM = "https://github.com/leondgarse/keras_cv_attention_models/releases/download/ghostnetv2/"
_HUAWEI = "https://github.com/huawei-noah/Efficient-AI-Backbones/releases/download/"
_REPGHOST = "https://github.com/ChengpengChen/RepGhost/releases/download/RepGhost/"
_PADDLE = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/"
_BY_KECAM = "converted by keras_cv_attention_models (MIT)"
_BY_PADDLE = "trained by PaddleClas"
_BY_HUAWEI = "trained by the authors, huawei-noah/Efficient-AI-Backbones"
_BY_REPGHOST = "trained by the authors, ChengpengChen/RepGhost"


def _kecam(model, tag, file, md5, top1, top5, trained):
    return WeightsEntry(
        model, tag, _KECAM + file, f"md5:{md5}", "keras2_h5", top1, top5, "Apache-2.0",
        f"{trained}, {_BY_KECAM}",
    )  # fmt: skip


def _paddle(model, tag, file, top1, top5):
    return WeightsEntry(
        model, tag, _PADDLE + file, None, "paddle", top1, top5, "Apache-2.0", _BY_PADDLE
    )


def _huawei(model, file, top1):
    return WeightsEntry(
        model, "imagenet", _HUAWEI + file, None, "torch", top1, None, "Apache-2.0", _BY_HUAWEI
    )


def _repghost(model, file, top1):
    url = f"{_REPGHOST}{file}.pth.tar"
    return WeightsEntry(model, "imagenet", url, None, "torch", top1, None, "MIT", _BY_REPGHOST)


def _timm(model, top1, top5=None, license="Apache-2.0", trained=_BY_HUAWEI):
    return WeightsEntry(
        model, "timm", f"https://huggingface.co/timm/{model}.in1k/resolve/main/model.safetensors",
        None, "safetensors", top1, top5, license, f"{trained}, hosted by timm",
    )  # fmt: skip


# fmt: off
ENTRIES = (
    _kecam("ghostnet_050", "imagenet", "ghostnet_050_imagenet.h5",
           "dbb5a89e19fa78f2f35f38b4c1ae4351", 66.88, 86.9, _BY_PADDLE),
    _kecam("ghostnet_100", "imagenet", "ghostnet_100_imagenet.h5",
           "19a0f0f03f20e4bd6c1736102b4d979d", 73.98, 91.46, _BY_HUAWEI),
    _kecam("ghostnet_130", "imagenet", "ghostnet_130_imagenet.h5",
           "3a73bc721765c516a894b567674fc60b", 75.79, 92.5, _BY_PADDLE),
    _kecam("ghostnet_130", "ssld", "ghostnet_130_ssld.h5",
           "62571bb90d71a7487679ae97642d13fb", 79.38, 94.5, _BY_PADDLE + " by distillation"),
    _timm("ghostnet_100", 73.98, 91.46),
    _paddle("ghostnet_050", "paddle", "GhostNet_x0_5_pretrained.pdparams", 66.88, 86.9),
    _paddle("ghostnet_100", "paddle", "GhostNet_x1_0_pretrained.pdparams", 74.02, 91.6),
    _paddle("ghostnet_130", "paddle", "GhostNet_x1_3_pretrained.pdparams", 75.79, 92.5),
    _paddle("ghostnet_130", "paddle_ssld", "GhostNet_x1_3_ssld_pretrained.pdparams", 79.38, 94.5),
    _huawei("ghostnetv2_100", "GhostNetV2/ck_ghostnetv2_10.pth.tar", 75.3),
    _huawei("ghostnetv2_130", "GhostNetV2/ck_ghostnetv2_13.pth.tar", 76.9),
    _huawei("ghostnetv2_160", "GhostNetV2/ck_ghostnetv2_16.pth.tar", 77.8),
    _timm("ghostnetv2_100", 75.19),
    _timm("ghostnetv2_130", 76.75),
    _timm("ghostnetv2_160", 77.84),
    _huawei("ghostnetv3_100", "GhostNetV3/ghostnetv3-1.0.pth.tar", 77.13),  # moving average
    _timm("ghostnetv3_100", None),
    _repghost("repghostnet_050", "repghostnet_0_5x_43M_66.95", 66.95),
    _repghost("repghostnet_058", "repghostnet_0_58x_60M_68.94", 68.94),
    _repghost("repghostnet_080", "repghostnet_0_8x_96M_72.24", 72.24),
    _repghost("repghostnet_100", "repghostnet_1_0x_142M_74.22", 74.22),
    _repghost("repghostnet_111", "repghostnet_1_11x_170M_75.07", 75.07),
    _repghost("repghostnet_130", "repghostnet_1_3x_231M_76.37", 76.37),
    _repghost("repghostnet_150", "repghostnet_1_5x_301M_77.45", 77.45),
    _repghost("repghostnet_200", "repghostnet_2_0x_516M_78.81", 78.81),
    _timm("repghostnet_050", 66.98, None, "MIT", _BY_REPGHOST),
    _timm("repghostnet_058", 68.94, None, "MIT", _BY_REPGHOST),
    _timm("repghostnet_080", 72.24, None, "MIT", _BY_REPGHOST),
    _timm("repghostnet_100", 74.21, None, "MIT", _BY_REPGHOST),
    _timm("repghostnet_111", 75.06, None, "MIT", _BY_REPGHOST),
    _timm("repghostnet_130", 76.38, None, "MIT", _BY_REPGHOST),
    _timm("repghostnet_150", 77.47, None, "MIT", _BY_REPGHOST),
    _timm("repghostnet_200", 78.8, None, "MIT", _BY_REPGHOST),
    _huawei("g_ghost_regnetx_032", "g_ghost_regnet/g_ghost_regnet_3.2g_77.8.pth", 77.8),
    _huawei("g_ghost_regnetx_040", "g_ghost_regnet/g_ghost_regnet_4.0g_78.6.pth", 78.6),
    _huawei("g_ghost_regnetx_080", "g_ghost_regnet/g_ghost_regnet_8.0g_79.0.pth", 79.0),
    _huawei("g_ghost_regnetx_160", "g_ghost_regnet/g_ghost_regnet_16.0g_79.9.pth", 79.9),
)
# fmt: on
REGISTRY = {(entry.model, entry.tag): entry for entry in ENTRIES}


def list_tags(model):
    """The tags under which a model has weights: a list, empty for most sizes of G-GhostNet."""
    return [entry.tag for entry in REGISTRY.values() if entry.model == model]


def download_weights(model, tag):
    """Downloads a checkpoint, or finds it in Keras' cache; see `downloads.download`.

    Args:
        model: A model's name.
        tag: One of `list_tags(model)`.

    Returns:
        The path of the file.

    Raises:
        ValueError: If there is no such entry, or if the file is too large or its hash is not the
            published one, or that of its first download.
        OSError: If the file cannot be downloaded, or the cache not be written to.
    """
    if (model, tag) not in REGISTRY:
        raise ValueError(f"No weights {tag!r} of {model!r}." + specs.suggest(tag, list_tags(model)))
    entry = REGISTRY[model, tag]
    name = f"keras_ghostnet_{model}_{tag}{os.path.splitext(entry.url)[1]}"
    path = downloads.cache() / name
    try:
        received = downloads.download(entry.url, path, entry.hash, entry.max_bytes, _progress())
    except OSError as error:
        if error.filename is not None and not isinstance(error, urllib.error.URLError):
            raise OSError(
                f"The weights {tag!r} of {model} cannot be kept in {path.parent} ({error}). "
                "KERAS_HOME can name another folder."
            ) from error
        raise OSError(
            f"The weights {tag!r} of {model} could not be downloaded from {entry.url} ({error}). "
            "Check the network, or download the file elsewhere and give its path: `weights=PATH` "
            "in Python, `--set weights=PATH` for `ghostnet train` (with `--set weights=none` it "
            "begins with random weights). Other commands take the .keras file that `ghostnet "
            "convert-weights PATH model.keras` writes."
        ) from error
    if received:
        print(f"{entry.url}: its source publishes no hash; received sha256:{received}")
    return str(path)


def _progress():
    """Shows how much has arrived, with Keras' bar, once the first part has."""
    import keras

    bars = []

    def progress(done, total):
        bars[:] = bars or [keras.utils.Progbar(total, unit_name="byte")]
        bars[0].update(done)

    return progress
