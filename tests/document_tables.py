"""The tables in documents that are made of tables in the code. `make tables` writes them."""

import pathlib
import re

from keras_ghostnet import specs
from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.cli.models import COSTS
from keras_ghostnet.export.devices import DEVICES
from keras_ghostnet.weights.catalog import REGISTRY, list_tags

ROOT = pathlib.Path(__file__).parents[1]
MODELS = "| Model | Parameters | MACs | Top-1 (paper) | `weights=` |\n|---|--:|--:|--:|---|\n"
FORMATS = "| `--device` | Formats | Why |\n|---|---|---|\n"
SOME = (
    "ghostnet_050",
    "ghostnet_100",
    "ghostnet_130",
    "ghostnetv2_100",
    "ghostnetv3_100",
    "repghostnet_100",
    "g_ghost_regnetx_032",
    "g_ghost_regnetx_160",
)
PUBLISHED = {"ghost_vgg16": "93.7 (CIFAR-10)", "ghost_resnet56": "92.7 (CIFAR-10)"}


def model_row(name):
    """The line of a model: what is counted, and what was published."""
    if name not in COSTS:
        raise KeyError(f"COSTS in keras_ghostnet/cli/models.py lacks {name}: see CONTRIBUTING.md")
    parameters, macs = COSTS[name]
    published = {
        one.name: one.top1 for suite in paper_table.SUITES for one in paper_table.rows(suite)
    }
    top1 = PUBLISHED.get(name) or published.get(name) or ""
    tags = ", ".join(f"`{tag}` {REGISTRY[name, tag].top1 or ''}".strip() for tag in list_tags(name))
    return line(f"`{name}`", f"{parameters:,}", f"{macs / 1e6:,.2f} M", top1, tags)


def device_row(device):
    """The line of a device."""
    formats = ", ".join(f"`{name}`" for name in device.formats)
    options = " ".join(f"`--{name} {value}`" for name, value in device.options.items())
    return line(f"`{device.name}`", f"{formats} {options}".strip(), device.why)


def line(*cells):
    return "|" + "|".join(f" {cell} " if cell != "" else " " for cell in cells) + "|\n"


# The tables of each document: headers, the rows' function, and what it is called with.
DOCUMENTS = {
    ROOT / "README.md": [(MODELS, model_row, SOME), (FORMATS, device_row, DEVICES)],
    ROOT / "docs" / "models.md": [(MODELS, model_row, specs.SPECS)],
}


def rewritten(path):
    """A document with its tables as they have to be."""
    text = path.read_text()
    for header, row, subjects in DOCUMENTS[path]:
        before, found, after = text.partition(header)
        assert found, path
        after = re.sub(r"\A(\|.*\n)*", "", after)
        text = before + header + "".join(map(row, subjects)) + after
    return text


if __name__ == "__main__":
    for path in DOCUMENTS:
        path.write_text(rewritten(path))
