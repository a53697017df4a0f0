"""The tables of models in README.md and docs/models.md. `make tables` writes them."""

import pathlib
import re

from keras_ghostnet import specs
from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.cli.models import COSTS
from keras_ghostnet.weights.catalog import REGISTRY, list_tags

ROOT = pathlib.Path(__file__).parents[1]
HEADER = "| Model | Parameters | MACs | Top-1 (paper) | `weights=` |\n|---|--:|--:|--:|---|\n"
# The models of each table, which stands alone in its document; None for all.
DOCUMENTS = {
    ROOT / "README.md": (
        "ghostnet_050",
        "ghostnet_100",
        "ghostnet_130",
        "g_ghost_regnetx_032",
        "g_ghost_regnetx_160",
    ),
    ROOT / "docs" / "models.md": None,
}
CIFAR = {"ghost_vgg16": "93.7 (CIFAR-10)", "ghost_resnet56": "92.7 (CIFAR-10)"}  # CVPR 2020


def row(name):
    """The line of a model: what is counted, and what was published."""
    if name not in COSTS:
        raise KeyError(f"COSTS in keras_ghostnet/cli/models.py lacks {name}: see CONTRIBUTING.md")
    parameters, macs = COSTS[name]
    published = {
        one.name: one.top1 for suite in paper_table.SUITES for one in paper_table.rows(suite)
    }
    top1 = CIFAR.get(name) or published.get(name) or ""
    tags = ", ".join(f"`{tag}` {REGISTRY[name, tag].top1 or ''}".strip() for tag in list_tags(name))
    cells = (f"`{name}`", f"{parameters:,}", f"{macs / 1e6:,.2f} M", top1, tags)
    return "|" + "|".join(f" {cell} " if cell != "" else " " for cell in cells) + "|\n"


def rewritten(path):
    """A document with its table of models as it has to be."""
    table = HEADER + "".join(map(row, DOCUMENTS[path] or specs.SPECS))
    text, count = re.subn(re.escape(HEADER) + r"(\|.*\n)*", lambda _: table, path.read_text())
    assert count == 1, path
    return text


if __name__ == "__main__":
    for path in DOCUMENTS:
        path.write_text(rewritten(path))
