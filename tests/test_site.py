"""The documentation's site builds without a warning and without loading anything from elsewhere."""

import os
import pathlib
import re
import subprocess
import sys
import types
import zlib

import pytest

import keras_ghostnet
from keras_ghostnet import benchmark, export, hub, layers, training, weights

pytestmark = pytest.mark.docs
ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built as `make docs` builds it: broken links are errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_of_docs_is_in_the_site(site):
    for path in (ROOT / "docs").rglob("*"):
        if path.suffix in (".md", ".ipynb"):
            page = site / path.relative_to(ROOT / "docs").with_suffix(".html")
            assert "<h1" in page.read_text(), page


def test_every_public_name_is_in_the_reference(site):
    """`objects.inv` lists, in Sphinx's format, what the reference describes."""
    *_, compressed = (site / "objects.inv").read_bytes().split(b"\n", 4)
    described = {line.split(" ")[0] for line in zlib.decompress(compressed).decode().splitlines()}
    sizes = re.compile("GGhostRegNetX(?!032)")  # one stands for the twelve
    for module in (keras_ghostnet, layers, weights, training, export, hub, benchmark):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if isinstance(value, types.ModuleType) or name.startswith("__") or sizes.match(name):
                continue
            defined = f"{getattr(value, '__module__', None)}.{name}"
            assert {f"{module.__name__}.{name}", defined} & described, f"{module.__name__}.{name}"


def test_pages_load_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=\"(https?:[^\"]*)", page.read_text()
        )
        assert not loaded, f"{page.name}: {loaded}"
        assert not re.search(r'href="(?!https?:)[^"]*\.md"', page.read_text()), page.name
