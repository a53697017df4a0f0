"""The tables of both families and what is derived from them, against the papers and the peers."""

import dataclasses
import json
import math
import pathlib
import subprocess
import sys

import pytest

from keras_ghostnet import specs

WIDTHS = [specs.ghostnet, specs.ghostnetv2, specs.ghostnetv3, specs.repghostnet]
GOLDEN = pathlib.Path(__file__).parent / "golden"

# Designing Network Design Spaces (CVPR 2020), table of the RegNetX models: depths, widths, group
# width; and which of the four stages the authors of GhostNet make G-Ghost stages.
REGNETX = {
    "002": ([1, 1, 4, 7], [24, 56, 152, 368], 8, "..gg"),
    "004": ([1, 2, 7, 12], [32, 64, 160, 384], 16, "..gg"),
    "006": ([1, 3, 5, 7], [48, 96, 240, 528], 24, ".ggg"),
    "008": ([1, 3, 7, 5], [64, 128, 288, 672], 16, ".ggg"),
    "016": ([2, 4, 10, 2], [72, 168, 408, 912], 24, ".gg."),
    "032": ([2, 6, 15, 2], [96, 192, 432, 1008], 48, ".gg."),
    "040": ([2, 5, 14, 2], [80, 240, 560, 1360], 40, ".gg."),
    "064": ([2, 4, 10, 1], [168, 392, 784, 1624], 56, ".gg."),
    "080": ([2, 5, 15, 1], [80, 240, 720, 1920], 120, ".gg."),
    "120": ([2, 5, 11, 1], [224, 448, 896, 2240], 112, ".gg."),
    "160": ([2, 6, 13, 1], [256, 512, 896, 2048], 128, ".gg."),
    "320": ([2, 7, 13, 1], [336, 672, 1344, 2520], 168, ".gg."),
}


def golden_shapes(name):
    """`{tensor: shape}` of a peer's checkpoint."""
    tensors = json.loads((GOLDEN / f"{name}.json").read_text())["tensors"]
    return {tensor: tuple(shape) for tensor, shape, _ in tensors}


# -------------------------------------------------------------------------------- C-GhostNet


@pytest.mark.parametrize(
    ("value", "divisor", "expected"),
    [
        (1, 4, 4),  # never below the divisor
        (4.8, 4, 8),  # 4 would be less than 90 %
        (5, 4, 8),
        (6, 4, 8),  # halves go up
        (9, 4, 12),  # 8 is nearest but only 89 %
        (17.5, 4, 16),  # 91 %
        (18, 4, 20),
        (93.6, 4, 92),
        (11, 8, 16),
        (100, 8, 104),
        (18, 1, 18),
    ],
)
def test_rounding_of_channels(value, divisor, expected):
    assert specs.make_divisible(value, divisor) == expected


def test_rounding_takes_the_nearest_multiple_unless_it_loses_a_tenth():
    for tenths in range(1, 12000):
        value = tenths / 10
        nearest = max(4, 4 * math.floor(value / 4 + 0.5))
        expected = nearest if nearest >= 0.9 * value else nearest + 4
        assert specs.make_divisible(value) == expected


@pytest.mark.parametrize("width", [0.5, 1.0])
def test_ghostnet_has_the_channels_of_the_authors_code(width):
    spec = specs.ghostnet(width)
    shapes = golden_shapes(f"huawei_ghostnet_{round(100 * width):03d}_224")
    # The authors divide the blocks into other stages, but they follow in the same order.
    names = sorted({name[: name.index(".ghost1")] for name in shapes if ".ghost1" in name})
    blocks = [block for stage in spec.stages for block in stage]
    assert len(names) == len(blocks) == 16
    for name, block in zip(names, blocks, strict=True):
        assert shapes[f"{name}.ghost1.primary_conv.0.weight"][0] == -(-block.expansion // 2)
        assert shapes[f"{name}.ghost2.primary_conv.0.weight"][:2] == (
            -(-block.output // 2),
            block.expansion,
        )
        assert (f"{name}.conv_dw.weight" in shapes) == (block.stride == 2)
        if block.stride == 2:
            kernel = (block.expansion, 1, block.kernel, block.kernel)
            assert shapes[f"{name}.conv_dw.weight"] == kernel
        assert (f"{name}.se.conv_reduce.weight" in shapes) == (block.se_ratio > 0)
        if block.se_ratio:
            units = specs.make_divisible(block.expansion * block.se_ratio)
            assert shapes[f"{name}.se.conv_reduce.weight"][:2] == (units, block.expansion)
    assert shapes["conv_stem.weight"][0] == spec.stem
    assert shapes["blocks.9.0.conv.weight"][:2] == (spec.final, blocks[-1].output)
    assert shapes["conv_head.weight"][:2] == (spec.head, spec.final)


def test_ghostnet_at_full_width_is_table_1_of_the_paper():
    assert specs.ghostnet(1.0).stages == specs.GHOSTNET_STAGES
    assert [len(stage) for stage in specs.GHOSTNET_STAGES] == [1, 2, 2, 6, 5]
    strides = [[block.stride for block in stage] for stage in specs.GHOSTNET_STAGES]
    assert strides == [[1], [2, 1], [2, 1], [2, 1, 1, 1, 1, 1], [2, 1, 1, 1, 1]]


@pytest.mark.parametrize("width", [0.1, 0.33, 0.75, 1, 1.3, 2, 3.0])
def test_any_width_scales_all_channels_but_the_heads(width):
    spec = specs.ghostnet(width)
    full = specs.ghostnet(1.0)
    channels = [spec.stem, spec.final]
    unscaled = [full.stem, full.final]
    for stage, full_stage in zip(spec.stages, full.stages, strict=True):
        for block, full_block in zip(stage, full_stage, strict=True):
            channels += [block.expansion, block.output]
            unscaled += [full_block.expansion, full_block.output]
            assert block.kernel == full_block.kernel
            assert block.se_ratio == full_block.se_ratio
    for scaled, original in zip(channels, unscaled, strict=True):
        assert scaled % 4 == 0
        assert 0.9 * width * original <= scaled <= max(4, width * original + 4)
    assert spec.head == 1280


@pytest.mark.parametrize(
    ("width", "name"), [(0.1, "010"), (0.5, "050"), (1, "100"), (1.3, "130"), (3.0, "300")]
)
def test_name_tells_the_width_in_percent(width, name):
    spec = specs.ghostnet(width)
    assert spec.name == f"ghostnet_{name}"
    assert spec.width == width
    assert type(spec.width) is float


def test_widths_of_equal_channels_are_the_same_network():
    assert specs.ghostnet(1 / 3) == specs.ghostnet(0.333)
    assert specs.ghostnet(1.0) == specs.ghostnet(1.0001)
    assert specs.ghostnet(1.0) != specs.ghostnet(1.1)


@pytest.mark.parametrize("make", WIDTHS)
@pytest.mark.parametrize(
    "width", [0, -1, 0.0, float("nan"), float("inf"), -float("inf"), "1", True, None, [1.0]]
)
def test_wrong_width_is_refused_and_named(make, width):
    make(1.0)  # equal to True: a cache would answer with this one
    with pytest.raises(ValueError, match=r"`width` must be a positive number.*Received: width="):
        make(width)


# ----------------------------------------------------------------------------- its successors


def test_attention_is_in_all_blocks_but_the_first_two():
    shapes = golden_shapes("timm_ghostnetv2_100_224")
    names = sorted({name[: name.index(".ghost1")] for name in shapes if ".ghost1" in name})
    blocks = [block for stage in specs.ghostnetv2(1.0).stages for block in stage]
    attended = [f"{name}.ghost1.short_conv.0.weight" in shapes for name in names]
    assert [block.attention for block in blocks] == attended == [False] * 2 + [True] * 14
    plain = [dataclasses.replace(block, attention=False) for block in blocks]
    assert plain == [block for stage in specs.GHOSTNET_STAGES for block in stage]
    assert specs.ghostnetv3(1.0).stages == specs.ghostnetv2(1.0).stages


def test_rep_ghost_has_the_channels_of_the_authors_code():
    shapes = golden_shapes("timm_repghostnet_100_224")
    names = sorted({name[: name.index(".ghost1")] for name in shapes if ".ghost1" in name})
    spec = specs.repghostnet(1.0)
    blocks = [block for stage in spec.stages for block in stage]
    for name, block in zip(names, blocks, strict=True):
        assert shapes[f"{name}.ghost1.primary_conv.0.weight"][0] == block.expansion
        assert shapes[f"{name}.ghost2.primary_conv.0.weight"][0] == block.output
        assert (f"{name}.se.conv_reduce.weight" in shapes) == (block.se_ratio > 0)
        if block.stride == 2:
            assert shapes[f"{name}.conv_dw.weight"][2] == block.kernel
    assert shapes["blocks.9.0.conv.weight"][0] == spec.final


def test_both_forms_are_the_same_network():
    assert specs.ghostnetv3(1.0, deployed=True) == specs.ghostnetv3(1.0)
    assert (specs.ghostnetv3(1.0).branches, specs.ghostnetv3(1.0, deployed=True).branches) == (3, 0)
    with pytest.raises(ValueError, match=r"True or False\. Received: deployed='n"):
        specs.ghostnetv3(1.0, deployed="no")


def test_families_of_equal_rows_are_not_the_same_network():
    assert specs.ghostnetv2(1.0) != specs.ghostnetv3(1.0)
    assert specs.ghostnet(1.0) != specs.ghostnetv2(1.0)


# -------------------------------------------------------------------------------- G-GhostNet


@pytest.mark.parametrize("size", REGNETX)
def test_sizes_are_those_of_regnetx(size):
    depths, widths, group_width, ghost = REGNETX[size]
    spec = specs.g_ghost_regnetx(size)
    assert [stage.depth for stage in spec.stages] == depths
    assert [stage.width for stage in spec.stages] == widths
    assert {stage.group_width for stage in spec.stages} == {group_width}
    assert "".join("g" if stage.ghost else "." for stage in spec.stages) == ghost
    assert (spec.name, spec.size, spec.stem) == (f"g_ghost_regnetx_{size}", size, 32)


def test_there_are_twelve_sizes():
    assert list(specs.REGNETX) == list(REGNETX)


@pytest.mark.parametrize("size", ["002", "016", "032"])
def test_derived_widths_are_those_of_the_authors_code(size):
    spec = specs.g_ghost_regnetx(size)
    shapes = golden_shapes(f"huawei_g_ghost_regnetx_{size}_128")
    for number, stage in enumerate(spec.stages, start=1):
        layer = f"layer{number}"
        assert (f"{layer}.base.conv1.weight" in shapes) == stage.ghost
        if not stage.ghost:
            blocks = {name.split(".")[1] for name in shapes if name.startswith(f"{layer}.")}
            assert blocks == {str(block) for block in range(stage.depth)}
            assert shapes[f"{layer}.0.conv2.weight"][:2] == (stage.width, stage.group_width)
            continue
        assert shapes[f"{layer}.base.conv2.weight"][:2] == (stage.width, stage.group_width)
        assert shapes[f"{layer}.layers.0.conv2.weight"][:2] == (
            stage.raw_width,
            stage.raw_group_width,
        )
        assert shapes[f"{layer}.cheap.0.weight"][:2] == (stage.cheap_width, stage.cheap_width)
        raw_blocks = {name.split(".")[2] for name in shapes if name.startswith(f"{layer}.layers.")}
        assert len(raw_blocks) == stage.depth - 2
        mixed = stage.width + stage.raw_width * (stage.depth - 2)
        assert shapes[f"{layer}.merge.1.weight"][:2] == (stage.cheap_width, mixed)


@pytest.mark.parametrize("size", REGNETX)
def test_both_halves_make_a_whole_and_the_raw_half_whole_groups(size):
    for stage in specs.g_ghost_regnetx(size).stages:
        assert stage.raw_width + stage.cheap_width == stage.width
        assert stage.raw_width % stage.raw_group_width == 0
        assert stage.width / 2 - stage.raw_group_width < stage.raw_width <= stage.width / 2
        assert stage.width % min(stage.width, stage.group_width) == 0


@pytest.mark.parametrize("size", ["003", 32, ""])
def test_unknown_size_is_refused_with_the_known_ones(size):
    with pytest.raises(ValueError, match=r"Unknown RegNetX size.*002, 004"):
        specs.g_ghost_regnetx(size)


# ------------------------------------------------------------------------------------- names


def test_specifications_are_found_by_name():
    assert {
        *("ghostnet_050", "ghostnet_100", "ghostnet_130"),
        *("ghostnetv2_100", "ghostnetv2_130", "ghostnetv2_160"),
        *("ghostnetv3_050", "ghostnetv3_100", "ghostnetv3_130", "ghostnetv3_160"),
        *(f"repghostnet_{width}" for width in ("050", "058", "080", "100")),
        *(f"repghostnet_{width}" for width in ("111", "130", "150", "200")),
        *(f"g_ghost_regnetx_{size}" for size in REGNETX),
        *("ghost_vgg16", "ghost_resnet56"),
    } <= set(specs.SPECS)
    for name, spec in specs.SPECS.items():
        assert specs.get_spec(name) is spec
        assert spec.name == name
        assert name.startswith(spec.family)


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("ghostnet_10", "ghostnet_100"),
        ("GhostNet_130", "ghostnet_130"),
        ("g_ghost_regnet_032", "g_ghost_regnetx_032"),
        ("regnetx_320", "g_ghost_regnetx_320"),
        ("ghostnetv3", "ghostnetv3_050"),
    ],
)
def test_unknown_name_is_refused_and_the_nearest_suggested(given, nearest):
    with pytest.raises(ValueError, match=rf"'{given}'\. Did you mean '{nearest}'\? Known: "):
        specs.get_spec(given)


def test_name_like_no_other_gets_no_suggestion():
    with pytest.raises(ValueError, match=r"Unknown model 'zzz'\. Known: g_ghost_regnetx_002, "):
        specs.get_spec("zzz")


def test_specifications_need_no_keras():
    script = f"""
import sys, types
sys.modules["keras_ghostnet"] = package = types.ModuleType("keras_ghostnet")
package.__path__ = {[str(pathlib.Path(specs.__file__).parents[1])]!r}  # without its __init__.py
from keras_ghostnet import specs
assert specs.get_spec("ghostnet_100").final == 960
print(sorted({{"keras", "tensorflow", "numpy", "keras_ghostnet.layers"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
