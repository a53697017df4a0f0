"""What a page holds."""

import json
import pathlib

from keras_ghostnet.export import contents
from keras_ghostnet.export.web import litert, page_files


def describe(path):
    """As `keras_ghostnet.export.contents.describe`, of the model; `page` is what the page is told.

    Raises:
        ValueError: If it is damaged, or has other files than an export writes.
    """
    folder = pathlib.Path(path)
    page_files.require_own(folder)
    page = json.loads((folder / page_files.DESCRIPTION).read_bytes().decode("utf-8"))
    if page.pop("runtime", None) != page_files.runtime((folder / litert.VENDOR).is_dir()):
        raise ValueError(f"{page_files.DESCRIPTION} names another LiteRT.js than exports do.")
    return {**contents.describe(folder / page_files.MODEL), "page": page}
