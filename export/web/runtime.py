"""Runs the model of a page: in a browser if there is one, else in LiteRT."""

import functools
import http
import json
import pathlib
import urllib.request

import numpy as np

from keras_ghostnet.export.device import run
from keras_ghostnet.export.web import browser, litert, page_files

SECONDS = 10  # in which a CDN is to answer


def load(path, threads=1):
    """A runner for a page that an export has just written.

    Args:
        path: Its folder.
        threads: Of LiteRT where no browser can run it.
    """
    return load_model(path, threads) if _obstacle(path) else BrowserRunner(path)


def ran_in(path):
    """What `load` runs a page in on this machine, for people."""
    obstacle = _obstacle(path)
    if obstacle:
        return f", in LiteRT. Not verified in a browser: {obstacle}"
    return ", in headless Chromium with LiteRT.js (WebAssembly)"


def _obstacle(path):
    """Why the page cannot be run in a browser here; None if it can."""
    if browser.find() is None:
        return browser.INSTALL
    if not (pathlib.Path(path) / litert.VENDOR).is_dir() and not _is_online():
        return f"{litert.CDN} cannot be reached; copy LiteRT.js into the page with --vendor"
    return None


@functools.cache
def _is_online():
    try:
        address = litert.url(litert.UTILS, "dist/index.js", False)
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            return answer.status == http.HTTPStatus.OK
    except OSError:
        return False


def load_model(path, threads=1):
    """A runner for the model of a page alone, in LiteRT: of a page that may be anybody's."""
    return run.Model(pathlib.Path(path) / page_files.MODEL, threads)


class BrowserRunner:
    """Runs images in a page, which gets them as pixels and normalizes them itself."""

    def __init__(self, path, threads=1):
        self.path = pathlib.Path(path)
        described = json.loads((self.path / page_files.DESCRIPTION).read_text("utf-8"))
        self.mean, self.std = described["mean"], described["std"]

    def __call__(self, images):
        images = np.asarray(images)
        if self.mean is not None:
            images = 255 * (images * np.array(self.std) + np.array(self.mean))
        pixels = np.rint(images).clip(0, 255).astype("uint8")
        return np.array(browser.outputs_of(self.path, pixels), "float32")
