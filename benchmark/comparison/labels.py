"""Labels of points, placed so that none covers another or a point, nor a line if it can."""

import itertools
import math

from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

GAP = 2  # between labels, in points
# From a point to the nearest edge of its label, in points; a line joins them beyond the first.
DISTANCES = (5, 9, 14, 20, 28, 38, 50, 64, 80, 100)
# Beside first, then above and below, then slanted.
ANGLES = tuple(sorted(range(0, 360, 15), key=lambda angle: (angle % 180 > 0, angle % 90 > 0)))
ROUNDS, ATTEMPTS = 3, 12


def place(axes, points, labels, radius, avoid=(), **style):
    """Writes a label beside every point, and a thin line to it where it had to go further.

    Every label takes the free place that is nearest to its point, the most crowded first, and
    moves nearer once others have moved. If there is no place for some, all is tried again with
    these first. The layout of the figure must be final, as the places depend on it.

    Args:
        axes: Of matplotlib.
        points: Their places, `(x, y)` each, in the units of the axes.
        labels: A text each. Nothing in it is taken for a formula.
        radius: Of the points' markers, in points.
        avoid: `matplotlib.lines.Line2D`s that are crossed only where there is no other place.
        **style: Lists, a value each, of properties of `matplotlib.text.Text`.

    Returns:
        A list of `matplotlib.text.Annotation`: all labels but those for which there was no room.
    """
    annotations = [
        axes.annotate(
            label,
            point,
            xytext=(0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            parse_math=False,
            in_layout=False,
            arrowprops=dict(arrowstyle="-", linewidth=0.5, shrinkA=1, shrinkB=radius, alpha=0.5),
            **{name: values[index] for name, values in style.items()},
        )
        for index, (point, label) in enumerate(zip(points, labels, strict=True))
    ]
    places = _places(axes, points, annotations, radius, avoid)
    for annotation, found in zip(annotations, places, strict=True):
        if found is None:
            annotation.remove()
            continue
        annotation.set_position(found.offset)
        if found.distance == DISTANCES[0]:
            annotation.arrow_patch.set_visible(False)
    return [text for text, found in zip(annotations, places, strict=True) if found is not None]


class _Place:
    """Where a label may stand."""

    def __init__(self, center, offset, distance, size, scale):
        self.offset, self.distance = offset, distance
        x, y = (c + o * scale for c, o in zip(center, offset, strict=True))
        width, height = size
        self.box = Bbox.from_extents(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        self.line = Path([center, (x, y)])

    def conflicts(self, other):
        return self.box.overlaps(other.box) or other.crosses(self.box) or self.crosses(other.box)

    def crosses(self, box):
        """Whether the line to the point does."""
        return self.line.intersects_bbox(box, filled=False)


def _places(axes, points, annotations, radius, avoid):
    """A `_Place` each, or None."""
    lines = [axes.transData.transform_path(line.get_path()) for line in avoid]
    renderer = axes.figure.canvas.get_renderer()
    scale = axes.figure.dpi / 72  # pixels of a point
    centers = axes.transData.transform(points)
    reach = radius * scale
    markers = [Bbox.from_extents(x - reach, y - reach, x + reach, y + reach) for x, y in centers]
    candidates = []
    for center, annotation in zip(centers, annotations, strict=True):
        extent = Text.get_window_extent(annotation, renderer)  # without the line to the point
        size = extent.width + GAP * scale, extent.height + GAP * scale
        possible = (
            _beside(center, size, distance, angle, scale)
            for distance, angle in itertools.product(DISTANCES, ANGLES)
        )
        others = [marker for marker in markers if not marker.contains(*center)]
        free = [
            place
            for place in possible
            if _within(place.box, axes.bbox)
            and not place.box.count_overlaps(markers)
            and not any(place.crosses(marker) for marker in others)
        ]
        free.sort(key=lambda place: any(line.intersects_bbox(place.box, False) for line in lines))
        candidates.append(free)
    return _choose(candidates)


def _choose(candidates):
    """One candidate of each label, so that none conflicts with another; None where none fits."""
    best = [None] * len(candidates)
    order = sorted(range(len(candidates)), key=lambda index: len(candidates[index]))
    for _ in range(ATTEMPTS):
        chosen = [None] * len(candidates)
        for index in order * ROUNDS:
            others = [place for i, place in enumerate(chosen) if i != index and place is not None]
            chosen[index] = next(
                (
                    place
                    for place in candidates[index]
                    if not any(place.conflicts(other) for other in others)
                ),
                None,
            )
        if chosen.count(None) < best.count(None):
            best = chosen
        left = [index for index in order if chosen[index] is None]
        if not left:
            break
        order = left + [index for index in order if index not in left]
    return best


def _beside(center, size, distance, angle, scale):
    """The label with its nearest edge at a distance from the point, in the angle's direction."""
    x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    width, height = (extent / scale for extent in size)
    # To the side the label's edge faces the point, above and below its middle does.
    offset = (x * (distance + width / 2), y * (distance + height / 2))
    return _Place(center, offset, distance, size, scale)


def _within(box, outer):
    return outer.x0 <= box.x0 and box.x1 <= outer.x1 and outer.y0 <= box.y0 and box.y1 <= outer.y1
