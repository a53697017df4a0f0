"""A page of predictions: thumbnails of images and of their masks, with the classes' names."""

import base64
import dataclasses
import io
import pathlib
from collections.abc import Sequence

import numpy as np

from keras_ghostnet import files, stores
from keras_ghostnet.export.mask_pictures import LOOKS, draw_mask
from keras_ghostnet.export.prediction import Prediction

THUMBNAIL = 160  # longer side, pixels
SWATCH = 18  # side, pixels


def render_page(predictions: Sequence[Prediction]) -> str:
    """The page, HTML that needs nothing else.

    Those come first that contradict the folder that an image lies in, the most confident of them on
    top. Masks are drawn beside their images, in colors that the page explains.

    Args:
        predictions: Of image files, by `predict`.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=files.printable_lines,
    )
    labeled = [each for each in predictions if each.label is not None]
    if labeled:
        predictions = sorted(predictions, key=lambda each: (not each.is_wrong, -each.classes[0][1]))
    masks = [each.mask for each in predictions if each.mask is not None]
    ranking = _by_frequency(*(mask.seen for mask in masks))
    swatches = {number: _swatch(number, ranking) for number in ranking}
    return environment.get_template("predictions.html").render(
        entries=(_entry(each, ranking, swatches) for each in predictions),
        images=len(predictions),
        labeled=len(labeled),
        wrong=sum(each.is_wrong for each in labeled),
        legend=[(swatches[number], masks[0].labels[number]) for number in ranking[:LOOKS]],
        others=len(ranking[LOOKS:]),
    )


def _by_frequency(*maps):
    """The numbers of the classes that maps hold, those of most pixels first."""
    if not maps:
        return []
    counts = sum(np.bincount(each.ravel(), minlength=256) for each in maps)
    return np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)].tolist()


def _entry(prediction, ranking, swatches):
    """What the page shows of a prediction: it, its pictures, and the swatches of its classes."""
    thumbnail, mask = _thumbnail(prediction.image), prediction.mask
    drawn, best = None, []
    if mask is not None:
        small = dataclasses.replace(mask, sides=thumbnail.size[::-1])
        drawn = _data_uri(_drawn(small.classes, ranking), "PNG")
        best = _by_frequency(mask.seen)[: len(prediction.classes)]
    return {
        "prediction": prediction,
        "picture": _data_uri(thumbnail, "JPEG"),
        "mask": drawn,
        "swatches": [swatches[number] for number in best],
    }


def _swatch(number, ranking):
    return _data_uri(_drawn(np.full((SWATCH, SWATCH), number, np.uint8), ranking), "PNG")


def _drawn(classes, ranking):
    from PIL import Image

    return Image.fromarray(draw_mask(classes, ranking))


def _thumbnail(path):
    from PIL import Image

    from keras_ghostnet.training.data import decoding

    small = Image.fromarray(decoding.decode(stores.local(path).read_bytes()))
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return small


def _data_uri(image, kind):
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=80)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
