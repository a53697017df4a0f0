"""The page and the terminal's table from plain measurements."""

import dataclasses
import io
import re

import markupsafe
import pytest
import rich.console

from keras_ghostnet.benchmark import paper_table
from keras_ghostnet.benchmark.comparison import entries, report, terminal
from keras_ghostnet.benchmark.comparison.columns import NOTHING, columns
from tests.benchmark.comparison.samples import measurement, measurements
from tests.benchmark.test_report import Checker

OURS = "ghostnet_100"


@pytest.fixture(scope="module")
def page():
    return report.render(measurements())


def printed(found, width=100, **kwargs):
    console = rich.console.Console(file=io.StringIO(), width=width)
    console.print(terminal.table(found, **kwargs))
    return console.file.getvalue()


def cells(found, name):
    """The texts of a row by column and format."""
    comparison = entries.comparisons(found)[0]
    (entry,) = (entry for entry in comparison.entries if entry.row.name == name)
    return {(column.key, column.format): column.cell(entry).text for column in columns(comparison)}


def test_page_is_well_formed_and_self_contained(page):
    checker = Checker(page)
    assert not checker.open
    assert checker.tags.count("svg") == 3
    assert not {"link", "iframe", "img"} & set(checker.tags)
    assert all(address.startswith("#") for address in checker.addresses)
    assert not re.search(r"url\((?!#)|@import|src=", page)


def test_page_has_every_row_and_marks_ours(page):
    for row in paper_table.rows("paper"):
        assert page.count(f'<td data-value="{row.title.lower()}">{row.title}<small>') == 1
        assert row.name in page
    assert page.count('<tr class="ours">') == 3
    assert page.count('<g class="point"><title>') == 3 * 20


def test_page_is_escaped(page):
    assert "<CPU>" not in page
    assert "A &lt;CPU&gt; &amp; more, LiteRT, 1 thread" in page
    evil = "<script>alert(1)</script>\"'"
    row = paper_table.get_row(OURS)
    changes = dict(model=evil, runtime=evil, versions=evil, conditions=evil)
    page = report.render([measurement(row), measurement(row, **changes)])
    assert "<script>alert" not in page
    assert not Checker(page).open


def test_page_has_a_section_for_each_device(tmp_path):
    found = [*measurements(), *measurements(device="B", unit="instructions", run="2027")]
    report.write_html(tmp_path / "table.html", found)
    text = (tmp_path / "table.html").read_text("utf-8")
    headings = re.findall("<h2>(.+)</h2>", text)
    assert headings == [
        "B, LiteRT, 1 thread",
        "A &lt;CPU&gt; &amp; more, LiteRT, 1 thread",
        "Notes",
    ]
    assert "Instructions, int8 (M)" in text
    assert "M instr." in text


def test_page_tells_why_figures_differ():
    row = paper_table.get_row("fbnet_b")
    text = report.render([measurement(row, parameters=4_821_000)])
    assert "published 4.5" in text
    assert markupsafe.escape(row.note) in text


def test_figures_and_ratio():
    row = paper_table.get_row(OURS)
    other = paper_table.get_row("mobilenet_v3_large_100")
    found = [
        measurement(row, median=2.0, bytes=20_900_000),
        measurement(other, median=3.0, p10=2.9, p90=3.3),
        measurement(row, "int8", median=1.0),
    ]
    assert cells(found, OURS)["value", "fp32"] == "2.00"
    assert cells(found, OURS)["bytes", "fp32"] == "20.9"
    assert cells(found, other.name)["ratio", "fp32"] == "1.50"
    assert cells(found, other.name)["value", "int8"] == NOTHING
    assert cells(found, other.name)["ratio", "int8"] == NOTHING
    text = report.render(found, reference=other.name)
    assert "2.90 to 3.30" in text
    assert '<td class="number" data-value="0.6666666666666666">0.67</td>' in text


def test_images_per_second_of_batches():
    found = [measurement(paper_table.get_row(OURS), batch=32, median=64.0)]
    assert cells(found, OURS)["rate", "fp32"] == "500"
    assert ("rate", "fp32") not in cells([measurement(paper_table.get_row(OURS))], OURS)


def test_the_newest_counts_and_other_conditions_stay_apart():
    row = paper_table.get_row(OURS)
    first = measurement(row, median=2.0)
    found = [dataclasses.replace(first, run="2027", median=1.0), first]
    assert cells(found, OURS)["value", "fp32"] == "1.00"
    others = [dict(threads=2), dict(size=160), dict(runtime="tensorflow"), dict(batch=8)]
    apart = entries.comparisons([first, *(measurement(row, **change) for change in others)])
    assert len(apart) == 5
    assert {comparison.conditions.size for comparison in apart} == {None, 160}


def test_published_figures_are_compared_at_their_size_only():
    row = paper_table.get_row(OURS)
    assert "(141)" in printed([measurement(row, macs=150_000_000)])
    assert "(141)" not in printed([measurement(row, macs=72_000_000, size=160)])
    assert "(141)" not in printed([measurement(row, macs=141_151_000)])


def test_models_without_a_row_follow():
    found = [
        *measurements(),
        measurement(paper_table.get_row(OURS), model="my_own", macs=None, bytes=None),
    ]
    text = printed(found)
    assert text.index("my_own") > text.index("ghostnet_130")
    assert "my_own" in report.render(found)


def test_terminal_has_every_row_in_100_columns():
    off = [
        dataclasses.replace(m, parameters=m.parameters + 500_000, macs=m.macs * 2, noisy=True)
        for m in measurements(unit="instructions")
    ]
    for found in (measurements(), off, [dataclasses.replace(m, median=90e6) for m in off]):
        text = printed(found)
        assert "…" not in text
        for row in paper_table.rows("paper"):
            assert len(re.findall(rf"^ ?{row.name} ", text, re.MULTILINE)) == 1
    assert "busy machine" in text
    assert "busy machine" not in printed(measurements())


def test_terminal_names_what_it_leaves_out():
    found = [*measurements(), *measurements(device="B", run="2027")]
    text = " ".join(printed(found).split())
    assert text.startswith("B, LiteRT, 1 thread")
    assert "Not shown: A <CPU> & more, LiteRT, 1 thread." in text


@pytest.mark.parametrize(
    "found", [[], [measurement(paper_table.get_row("ghostnet_100"), model="resnet_50")]]
)
def test_nothing_to_show(found):
    with pytest.raises(ValueError, match="Nothing of the table 'paper' was measured"):
        report.render(found)
