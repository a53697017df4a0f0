"""The tables that GhostNets are compared in, as rows that can build their network.

`data/paper_table.csv` is the comparison on ImageNet of *GhostNets on Heterogeneous Devices via
Cheap Operations*, Han et al., IJCV 2022 (arXiv 2201.03297): parameters and multiply-adds in
millions, latency in milliseconds on one thread of a Huawei P30 Pro, top-1 and top-5 in percent.
The figures of RegNetX are those of its authors (facebookresearch/pycls, MODEL_ZOO.md), of
ResNet-50 those of its paper and of the authors' released model.

`data/since_table.csv` is what came after the paper, for the same devices: GhostNet's successors and
networks of about their cost, with the figures of their papers and authors.

This module imports no Keras: a table can be read without building a network.
"""

import csv
import dataclasses
import functools
import importlib.resources
from typing import TYPE_CHECKING

from keras_ghostnet import specs

if TYPE_CHECKING:
    import keras

SUITES = ("paper", "since", "gpu")
SIZES = {"mobilenet_v2_075": 192}  # side of the image in pixels, where it is not 224
OURS = ("ghostnet_", "ghostnetv2_", "ghostnetv3_", "repghostnet_", "g_ghost_regnetx_")


@dataclasses.dataclass(frozen=True)
class Row:
    """A network of a table, with what was published of it.

    Attributes:
        name: What commands take, such as `"mobilenet_v3_large_075"`.
        title: As the paper prints it.
        suite: The table that it is of, one of `SUITES`.
        size: Side of the image in pixels that the figures are for.
        parameters: In millions, or None.
        macs: Multiply-adds of one image in millions, or None.
        arm_ms: Milliseconds on one thread of a Huawei P30 Pro, or None.
        top1, top5: Accuracy on ImageNet in percent, or None.
        source: The network's paper.
        note: Why what is counted in the network differs from what was published; empty if both
            agree within 1 % or the figure's printed precision.
    """

    name: str
    title: str
    suite: str
    size: int
    parameters: float | None
    macs: float | None
    arm_ms: float | None
    top1: float | None
    top5: float | None
    source: str
    note: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is one of this package's models."""
        return self.name.startswith(OURS)

    def build(self, size: int | None = None) -> "keras.Model":
        """The network, with random weights.

        Args:
            size: Side of the image in pixels; None takes the row's.

        Returns:
            A `keras.Model` of the row's name, of images `(batch, size, size, 3)`, that outputs
            the logits of 1000 classes.
        """
        from keras_ghostnet.benchmark.networks.catalog import build_network

        return build_network(self.name, size or self.size)


MOBILENET_V1 = "Howard et al., arXiv 1704.04861"
MOBILENET_V2 = "Sandler et al., CVPR 2018"
MOBILENET_V3 = "Howard et al., ICCV 2019"
SHUFFLENET_V1 = "Zhang et al., CVPR 2018"
SHUFFLENET_V2 = "Ma et al., ECCV 2018"
C_GHOSTNET = "Han et al., CVPR 2020"
G_GHOSTNET = "Han et al., IJCV 2022"
GHOSTNET_V2 = "Tang et al., NeurIPS 2022"
GHOSTNET_V3 = "Liu et al., arXiv 2404.11202"
REPGHOST = "Chen et al., arXiv 2211.06088"
REGNET = "Radosavovic et al., CVPR 2020"
RESNET = "He et al., CVPR 2016"
SOURCES = {
    "mobilenet_v1_050": MOBILENET_V1,
    "mobilenet_v2_035": MOBILENET_V2,
    "mobilenet_v2_075": MOBILENET_V2,
    "mobilenet_v2_100": MOBILENET_V2,
    "mobilenet_v3_large_035": MOBILENET_V3,
    "mobilenet_v3_large_075": MOBILENET_V3,
    "mobilenet_v3_large_100": MOBILENET_V3,
    "shufflenet_v1_g3_100": SHUFFLENET_V1,
    "shufflenet_v2_050": SHUFFLENET_V2,
    "shufflenet_v2_100": SHUFFLENET_V2,
    "shufflenet_v2_150": SHUFFLENET_V2,
    "condensenet_v2_a": "Yang et al., CVPR 2021",
    "fe_net_100": "Chen et al., CVPR 2019",
    "fbnet_b": "Wu et al., CVPR 2019",
    "mobilenext_100": "Zhou et al., ECCV 2020",
    "proxylessnas_mobile": "Cai et al., ICLR 2019",
    "mnasnet_a1": "Tan et al., CVPR 2019",
    "mobilenet_v4_conv_small": "Qin et al., ECCV 2024",
    "fasternet_t0": "Chen et al., CVPR 2023",
    "starnet_s1": "Ma et al., CVPR 2024",
    "repvit_m0_9": "Wang et al., CVPR 2024",
    "ghostnet_050": C_GHOSTNET,
    "ghostnet_100": C_GHOSTNET,
    "ghostnet_130": C_GHOSTNET,
    **{f"ghostnetv2_{width}": GHOSTNET_V2 for width in ("100", "130", "160")},
    **{f"ghostnetv3_{width}": GHOSTNET_V3 for width in ("050", "100", "130", "160")},
    **{name: REPGHOST for name in specs.SPECS if name.startswith("repghostnet_")},
}
NOTES = {
    "shufflenet_v2_050": (
        "Printed as 41 M. Convolutions and classifier make 40.48 M, with the additions of the "
        "global mean 40.52 M."
    ),
    "shufflenet_v2_150": (
        "299 M are the authors' code, whose first block of stage 2 passes its 24 channels on in "
        "one branch. With halves, as here and in torchvision, it is 296 M."
    ),
    "mobilenet_v3_large_035": (
        "How channels are rounded at this width was not published. To multiples of 8, as in the "
        "authors' code, they make 2.13 M parameters and 43.9 M multiply-adds."
    ),
    "condensenet_v2_a": (
        "46 M have activations and pooling in them, which the authors' code counts, 2.7 M."
    ),
    "fbnet_b": (
        "4.5 M parameters are the paper's. The model that its authors released has 4.8 M, as here "
        "(facebookresearch/mobile-vision)."
    ),
    "mobilenext_100": (
        "3.54 M and 311 M are the authors' code, as here; its README says 3.5 M and 300 M. The "
        "paper's table lacks a block, which its author confirms "
        "(zhoudaquan/rethinking_bottleneck_design, issue 2)."
    ),
    "mobilenet_v3_large_100": (
        "219 M and 5.4 M are the paper's. The model that its authors released has 217 M, as here, "
        "and 5.48 M parameters."
    ),
    "resnet_50": "The paper prints 3.8 G for what counts as 3.86 G.",
    "mobilenet_v4_conv_small": "The paper prints 0.2 G for what counts as 0.186 G.",
    "fasternet_t0": "The paper prints 0.34 G for what counts as 0.335 G.",
    "repvit_m0_9": (
        "The paper prints 0.8 G for what counts as 0.816 G. Its branches are folded here."
    ),
}

# fmt: off
REGNETX = {
    # size   M parameters   G multiply-adds   top-1
    "002": (          2.7,              0.2,   68.9),
    "004": (          5.2,              0.4,   72.7),
    "006": (          6.2,              0.6,   74.1),
    "008": (          7.3,              0.8,   75.2),
    "016": (          9.2,              1.6,   77.0),
    "032": (         15.3,              3.2,   78.3),
    "040": (         22.1,              4.0,   78.6),
    "064": (         26.2,              6.5,   79.2),
    "080": (         39.6,              8.0,   79.3),
    "120": (         46.1,             12.1,   79.7),
    "160": (         54.3,             15.9,   80.0),
    "320": (        107.8,             31.7,   80.5),
}
G_GHOST = {  # of the other sizes nothing was published
    "032": (         10.5,             1.80,   77.8),
    "040": (         15.7,             2.23,   78.6),
    "080": (         24.6,             4.15,   79.0),
    "160": (         32.4,             9.00,   79.9),
}
UNKNOWN = (None, None, None)
# fmt: on


@functools.cache
def rows(suite: str = "paper") -> tuple[Row, ...]:
    """The rows of a table in its order.

    Args:
        suite: `"paper"`, C-GhostNet and the networks that its paper compares it with, by
            multiply-adds; `"since"`, C-GhostNet, its successors and networks that came after the
            paper; or `"gpu"`, G-GhostNet and RegNetX of twelve sizes, ResNet-50 and C-GhostNet.

    Returns:
        A tuple of `Row`.

    Raises:
        ValueError: If there is no such suite.
    """
    if suite not in SUITES:
        raise ValueError(f"There is no suite {suite!r}.{specs.suggest(suite, SUITES)}")
    if suite == "paper":
        return _file_rows(suite)
    own = _file_rows(suite) if suite == "since" else _gpu_rows()
    return (*own, *(dataclasses.replace(row, suite=suite) for row in rows() if row.is_ours))


def get_row(name: str) -> Row:
    """The row of a name; of a network that is in several tables, that of the paper's.

    Raises:
        ValueError: If there is none; the message suggests the nearest.
    """
    known = {row.name: row for suite in reversed(SUITES) for row in rows(suite)}
    if name not in known:
        raise ValueError(f"There is no network {name!r}.{specs.suggest(name, known)}")
    return known[name]


def _file_rows(suite):
    path = importlib.resources.files("keras_ghostnet.benchmark") / "data" / f"{suite}_table.csv"
    lines = csv.DictReader(path.read_text().splitlines())
    return tuple(_file_row(suite, **line) for line in lines)


def _file_row(suite, name, model, params_m, flops_m, arm_latency_ms, top1, top5):
    figures = (params_m, flops_m, arm_latency_ms, top1, top5)
    return Row(
        name,
        model,
        suite,
        SIZES.get(name, 224),
        *(float(figure) if figure else None for figure in figures),
        source=SOURCES[name],
        note=NOTES.get(name, ""),
    )


def _gpu_rows():
    families = (
        ("g_ghost_regnetx", "G-GhostNet", G_GHOST, G_GHOSTNET),
        ("regnetx", "RegNetX", REGNETX, REGNET),
    )
    by_size = (
        _gpu_row(
            f"{prefix}_{size}", f"{title} {int(size) / 10} GF", *table.get(size, UNKNOWN), source
        )
        for size in specs.REGNETX
        for prefix, title, table, source in families
    )
    resnet = _gpu_row("resnet_50", "ResNet-50", 25.6, 3.8, 75.3, RESNET, top5=92.2)
    return (*by_size, resnet)


def _gpu_row(name, title, parameters, giga_macs, top1, source, top5=None):
    return Row(
        name,
        title,
        "gpu",
        224,
        parameters,
        None if giga_macs is None else 1000 * giga_macs,
        None,
        top1,
        top5,
        source,
        NOTES.get(name, ""),
    )
