"""The rows: the paper's figures as they are printed, names, sources and suites."""

import csv
import importlib.resources

import pytest

import keras_ghostnet
from keras_ghostnet import specs
from keras_ghostnet.benchmark.networks.catalog import BUILDERS
from keras_ghostnet.benchmark.paper_table import SUITES, get_row, rows
from keras_ghostnet.cli.models import COSTS

PAPER = [
    "mobilenet_v2_035",
    "shufflenet_v2_050",
    "mobilenet_v3_large_035",
    "condensenet_v2_a",
    "ghostnet_050",
    "mobilenet_v1_050",
    "shufflenet_v1_g3_100",
    "mobilenet_v2_075",
    "shufflenet_v2_100",
    "mobilenet_v3_large_075",
    "ghostnet_100",
    "mobilenet_v2_100",
    "shufflenet_v2_150",
    "fe_net_100",
    "fbnet_b",
    "mobilenext_100",
    "proxylessnas_mobile",
    "mnasnet_a1",
    "mobilenet_v3_large_100",
    "ghostnet_130",
]
OURS = [name for name in keras_ghostnet.list_models() if not name.startswith("ghost_")]


def test_the_papers_table_has_its_twenty_rows_in_order():
    assert [row.name for row in rows()] == PAPER
    assert rows() == rows("paper")


def test_figures_are_those_of_the_file():
    path = importlib.resources.files("keras_ghostnet.benchmark") / "data" / "paper_table.csv"
    lines = list(csv.DictReader(path.read_text().splitlines()))
    columns = dict(
        params_m="parameters", flops_m="macs", arm_latency_ms="arm_ms", top1="top1", top5="top5"
    )
    for row, line in zip(rows(), lines, strict=True):
        assert (row.name, row.title) == (line["name"], line["model"])
        for column, field in columns.items():
            figure = getattr(row, field)
            assert figure == float(line[column]) if line[column] else figure is None


def test_figures_that_the_text_of_the_paper_repeats():
    row = get_row("ghostnet_100")
    assert (row.parameters, row.macs, row.arm_ms, row.top1, row.top5) == (
        5.2,
        141,
        31.1,
        73.9,
        91.4,
    )
    assert get_row("shufflenet_v2_100").arm_ms is None
    assert get_row("mobilenet_v3_large_100").top5 is None


def test_images_are_of_224_pixels_but_for_the_row_that_says_otherwise():
    others = {row.name: row.size for row in rows() if row.size != 224}
    assert others == {"mobilenet_v2_075": 192}
    assert "192x192" in get_row("mobilenet_v2_075").title


def test_the_gpu_suite_has_every_size_of_both_families():
    names = [row.name for row in rows("gpu")]
    assert [name for name in names if name.startswith("regnetx_")] == [
        f"regnetx_{size}" for size in specs.REGNETX
    ]
    g_ghost = [name for name in OURS if name.startswith("g_ghost")]
    assert [name for name in names if name in OURS] == [*g_ghost, *(n for n in PAPER if n in OURS)]
    assert len(names) == len(set(names)) == 2 * len(specs.REGNETX) + 4
    assert "resnet_50" in names


def test_since_the_paper_came_three_families_of_all_widths_and_four_networks():
    names = [row.name for row in rows("since")]
    families = ("ghostnetv2_", "ghostnetv3_", "repghostnet_")
    assert {name for name in names if name.startswith(families)} == {
        name for name in OURS if name.startswith(families)
    }
    others = ["mobilenet_v4_conv_small", "fasternet_t0", "starnet_s1", "repvit_m0_9"]
    assert [row.name for row in rows("since") if not row.is_ours] == others
    assert names[-3:] == ["ghostnet_050", "ghostnet_100", "ghostnet_130"]


@pytest.mark.parametrize("row", [row for row in rows("since") if row.is_ours and row.macs])
def test_published_figures_of_ours_are_those_that_are_counted(row):
    """GhostNetV3's are those of GhostNetV2's graph, to which it is folded."""
    parameters, macs = COSTS[row.name.replace("ghostnetv3", "ghostnetv2")]
    assert row.parameters == pytest.approx(parameters / 1e6, rel=0.01) or (
        row.parameters == round(parameters / 1e6, 1)
    )
    assert row.macs == pytest.approx(macs / 1e6, rel=0.01)


@pytest.mark.parametrize("suite", SUITES)
def test_every_row_knows_its_suite_its_source_and_its_network(suite):
    for row in rows(suite):
        assert row.suite == suite
        assert row.source
        assert row.name in BUILDERS
        assert row.is_ours == (row.name in OURS)
        assert get_row(row.name).name == row.name


def test_no_network_is_left_without_a_row():
    left = set(BUILDERS) - {row.name for suite in SUITES for row in rows(suite)}
    assert left <= set(OURS) - set(PAPER)  # sizes of ours that the paper does not measure


def test_a_network_of_both_tables_is_found_in_the_papers():
    assert get_row("ghostnet_130") == rows()[-1]
    assert rows("gpu")[-1].name == "ghostnet_130"


@pytest.mark.parametrize(
    ("given", "nearest"),
    [("mobilenetv3_large_100", "mobilenet_v3_large_100"), ("fbnet", "fbnet_b")],
)
def test_an_unknown_network_is_answered_with_the_nearest(given, nearest):
    with pytest.raises(ValueError, match=rf"no network '{given}'\. Did you mean '{nearest}'"):
        get_row(given)


def test_an_unknown_suite_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no suite 'papers'\. Did you mean 'paper'"):
        rows("papers")
