"""The pictures: where labels stand, what is on the front, and what the files hold."""

import itertools

import numpy as np
import PIL.Image
import pytest
from matplotlib.text import Text

from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.comparison import entries, pictures
from keras_ghostnet.benchmark.comparison.pictures import Picture, Point
from keras_ghostnet.benchmark.report import figures
from tests.benchmark.comparison.samples import measurement, measurements


def point(cost, accuracy, label="net"):
    return Point(label, cost, accuracy, is_ours=False, is_noisy=False, details=label)


def drawn(picture):
    """The labels' boxes and the points' centers in pixels, and the box of the axes."""
    with figures.figure_of(*pictures.SIZE) as (figure, axes):
        (labels,) = pictures.draw(figure, [axes], [picture])
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        boxes = {text.get_text(): Text.get_window_extent(text, renderer) for text in labels}
        points = [(point.cost, point.accuracy) for point in picture.points]
        return boxes, axes.transData.transform(points), axes.get_window_extent(renderer)


def check(boxes, centers, frame):
    for one, other in itertools.combinations(boxes, 2):
        assert not boxes[one].overlaps(boxes[other]), (one, other)
    for name, box in boxes.items():
        assert box.x0 >= frame.x0, name
        assert box.x1 <= frame.x1, name
        assert box.y0 >= frame.y0, name
        assert box.y1 <= frame.y1, name
        for x, y in centers:
            assert not (box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1), name


@pytest.mark.parametrize("suite", ["paper", "since"])
def test_every_row_has_a_label_and_none_covers_another(suite):
    (comparison,) = entries.comparisons(measurements(suite), suite)
    found = pictures.pictures_of(comparison)
    assert [picture.axis for picture in found] == [
        "Multiply-adds (M)",
        "Latency, fp32 (ms)",
        "Latency, int8 (ms)",
    ]
    for picture in found:
        boxes, centers, frame = drawn(picture)
        assert set(boxes) == {row.title for row in paper_table.rows(suite) if row.top1}
        check(boxes, centers, frame)


def test_costs_of_other_magnitudes_have_room_for_their_labels():
    """The multiply-adds of the table of GPUs are from 42 M to 31.7 G."""
    rows = [row for row in paper_table.rows("gpu") if row.top1 and row.macs]
    picture = Picture("", "", [point(row.macs, row.top1, row.title) for row in rows])
    boxes, centers, frame = drawn(picture)
    assert set(boxes) == {row.title for row in rows}
    check(boxes, centers, frame)


@pytest.mark.parametrize("seed", range(3))
def test_labels_of_a_crowd_do_not_cover_each_other(seed):
    random = np.random.default_rng(seed)
    places = random.normal(size=(40, 2)) * (1, 2) + (5, 70)
    boxes, centers, frame = drawn(
        Picture("", "", [point(x, y, f"Network number {i}") for i, (x, y) in enumerate(places)])
    )
    assert len(boxes) > 30
    check(boxes, centers, frame)


def test_front_is_what_nothing_beats():
    random = np.random.default_rng(0)
    for _ in range(50):
        points = [point(*place) for place in random.integers(0, 8, (20, 2)).tolist()]
        expected = {
            (one.cost, one.accuracy)
            for one in points
            if not any(
                other.cost <= one.cost
                and other.accuracy >= one.accuracy
                and (other.cost, other.accuracy) != (one.cost, one.accuracy)
                for other in points
            )
        }
        found = pictures.front(points)
        places = [(one.cost, one.accuracy) for one in found]
        assert set(places) == expected
        assert len(found) == sum((one.cost, one.accuracy) in expected for one in points)
        assert places == sorted(places)


def test_png_has_a_picture_of_each_kind(tmp_path):
    path = tmp_path / "new" / "table.png"
    assert pictures.write_png(path, measurements())
    width, height = (int(inches * pictures.DPI) for inches in pictures.SIZE)
    assert PIL.Image.open(path).size == pytest.approx((width, 3 * height), abs=2)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("changes", [{}, {"model": "my_own"}])
def test_nothing_is_drawn_of_one_dot(changes, tmp_path):
    """What an earlier measurement drew does not stay beside the new page."""
    path = tmp_path / "table.png"
    path.write_text("of an earlier run")
    found = [measurement(paper_table.get_row("ghostnet_100"), **changes)]
    assert not pictures.write_png(path, found)
    assert not path.exists()
    assert pictures.pictures_of(entries.comparisons(found)[0]) == []


def test_svg_tells_more_and_takes_no_text_for_markup_or_formulas():
    label = "a <b> & $x^2$"
    svg = pictures.to_svg(Picture("A & B", "cost $y$", [point(1, 60, label), point(2, 70)]))
    assert svg.count('<g class="point"><title>') == 2
    assert "<title>a &lt;b&gt; &amp; $x^2$</title>" in svg
    assert svg.count("a &lt;b&gt; &amp; $x^2$") == 2  # label and details
    assert "cost $y$" in svg
    assert "<b>" not in svg


def test_details_tell_what_was_measured():
    row = paper_table.get_row("ghostnet_100")
    other = measurement(paper_table.get_row("ghostnet_050"))
    (comparison,) = entries.comparisons([measurement(row, median=3.0, noisy=True), other])
    picture = pictures.pictures_of(comparison)[1]
    point = picture.points[1]
    for text in ("C-GhostNet 1.0x", "73.9 % top-1", "141.0 M", "fp32: 3 ms", "busy machine"):
        assert text in point.details
    assert [point.is_noisy for point in picture.points] == [False, True]
