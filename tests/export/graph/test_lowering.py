"""Lowered graphs against those they come from: the same function, in the form that is promised."""

import keras
import numpy as np
import pytest
from keras.layers import ZeroPadding2D

from keras_ghostnet.export import verification
from keras_ghostnet.export.formats import get_format, load
from keras_ghostnet.export.graph import deploy, for_tracing, lowering
from keras_ghostnet.export.graph.flatten import flatten
from keras_ghostnet.export.graph.lowering import Lowering, targets
from keras_ghostnet.export.graph.lowering.columns import add_columns
from keras_ghostnet.export.graph.lowering.double import double_ghost_modules
from keras_ghostnet.export.graph.lowering.fill import fill_blocks
from keras_ghostnet.export.graph.lowering.pack import pack_pixels, pack_stem
from keras_ghostnet.export.graph.lowering.pad import RowPadding, pad_rows
from keras_ghostnet.export.graph.lowering.pool import average_windows
from keras_ghostnet.export.graph.lowering.split import split_concatenations
from keras_ghostnet.export.graph.lowering.stack import stack_rows
from keras_ghostnet.export.graph.lowering.strips import StripPadding, convolve_strips
from keras_ghostnet.export.graph.lowering.taps import add_taps
from keras_ghostnet.export.graph.lowering.widen import widen_convolutions
from keras_ghostnet.export.graph.nodes import is_concatenation, is_convolution, is_pointwise
from keras_ghostnet.export.tflite import export, operators
from keras_ghostnet.export.tflite.conversion import TARGET
from tests.export.graph.passes import copied

PASSES = {
    "double": lambda graph: double_ghost_modules(graph, 16),
    "split": lambda graph: split_concatenations(graph, least=0),
    "widen": lambda graph: widen_convolutions(graph, 8),
    "sums": lambda graph: widen_convolutions(graph, 16, sums=True),
    "stem": lambda graph: pack_stem(graph, 8),
    "pack": lambda graph: pack_pixels(pack_stem(graph, 64), 64),
    "rows": pad_rows,
    "windows": lambda graph: average_windows(graph, 4),
    "fill": lambda graph: fill_blocks(graph, 8),
    # Whether or not it saves anything.
    "strips": lambda graph: convolve_strips(graph, 2, copy=-1000, least=4),
    "columns": add_columns,
    "stack": stack_rows,
}


# Targets whose int8 files reshape nothing but images for the stem.
STEMS = {"arm": 0, "avx2": 1, "avx512": 1}


@pytest.fixture(scope="module")
def deployed(model):
    return deploy(model)


@pytest.fixture(scope="module")
def flat(deployed):
    return flatten(deployed)


def lowered(flat, *names):
    graph = copied(flat)
    for name in names:
        PASSES[name](graph)
    return graph


def outputs(graph, images):
    model = for_tracing(graph.to_model("float64"))
    return keras.ops.convert_to_numpy(model(images.astype("float64")))


@pytest.fixture(scope="module")
def expected(flat, images):
    return outputs(copied(flat), images[:4])


@pytest.mark.parametrize("names", [(name,) for name in PASSES] + [tuple(PASSES)], ids="-".join)
def test_the_function_stays(flat, images, expected, names):
    """In double precision, where rounding is far below any fault."""
    result = outputs(lowered(flat, *names), images[:4])
    assert np.abs(result - expected).max() < 1e-11 * expected.std()


def concatenations(graph):
    """Those of maps of more than one place."""
    return [node for node in graph.nodes() if is_concatenation(node, 3) and node.shape[1] > 1]


def test_doubled_modules_have_no_concatenation(flat):
    before, after = (
        [node.inputs[0].shape[-1] for node in concatenations(lowered(flat, *names))]
        for names in ((), ("double",))
    )
    # A G-Ghost stage has no ghost modules.
    expected = [maps for maps in before if maps > 16] if flat.name == "ghostnet_050" else before
    assert after == expected
    assert len(after) < len(before) or flat.name != "ghostnet_050"


def test_expansions_are_not_concatenated(flat):
    """What is left goes into a sum with a shortcut, or a sum would move more than the copy."""
    graph = lowered(flat, "split")
    for node in concatenations(graph):
        users = graph.users(node)
        assert not all(is_pointwise(x) and 3 * x.shape[-1] < node.shape[-1] for x in users)
    left, before = len(concatenations(graph)), len(concatenations(flat))
    # One of each bottleneck; a G-Ghost stage's goes into a convolution as wide as itself.
    assert left == (before // 2 if flat.name == "ghostnet_050" else before)


def test_small_concatenations_stay(flat):
    before = [node.shape for node in flat.nodes()]
    assert [node.shape for node in split_concatenations(copied(flat), 10**6).nodes()] == before


def test_filters_are_multiples(flat):
    """Of all convolutions whose maps go to convolutions alone, not into a sum with a shortcut."""
    if flat.name != "ghostnet_050":  # the other's go to grouped convolutions
        before, after = (lowered(flat, "split", *more) for more in ((), ("widen",)))
        assert [n.shape for n in before.nodes()] == [n.shape for n in after.nodes()]
        return
    graph = lowered(flat, "split", "widen")
    odd = [
        node
        for node in graph.nodes()
        if is_convolution(node) and node.shape[-1] % 8 and node.shape[1] > 1 and node.shape[-1] > 16
    ]
    assert all(ends_in_sum(graph, node) for node in odd)
    filters = sum(node.shape[-1] for node in graph.nodes() if is_convolution(node))
    before = lowered(flat, "split").nodes()
    assert filters > sum(node.shape[-1] for node in before if is_convolution(node))


def test_sums_are_widened_with_what_they_add(flat):
    before, after = (
        [node.shape[-1] for node in lowered(flat, "double", *more).nodes() if is_sum(node)]
        for more in ((), ("sums",))
    )
    if flat.name == "ghostnet_050":
        assert before == [8, 12, 12, 20, 56]
        assert after == [8, 12, 12, 32, 64]
    else:
        assert before == [24, 72, 72, 80, 80, 152]
        assert after == [32, 80, 80, 80, 80, 160]


def is_sum(node):
    return node.kind is keras.layers.Add


def ends_in_sum(graph, node):
    """Whether some way from a node ends in a sum or an output before the next convolution."""
    return any(
        user is None
        or user.kind is keras.layers.Add
        or (not is_convolution(user) and ends_in_sum(graph, user))
        for user in graph.users(node)
    )


def test_packed_convolutions(flat):
    graph = lowered(flat, "pack")
    stem = next(node for node in graph.nodes() if is_convolution(node))
    assert stem.config["kernel_size"] == (3, 2)
    assert stem.shape[-1] > next(n for n in flat.nodes() if is_convolution(n)).shape[-1]
    reshapes = [node for node in graph.nodes() if node.kind is keras.layers.Reshape]
    assert len(reshapes) >= 2
    assert not any(node.inputs[0].kind is keras.layers.Reshape for node in reshapes)


@pytest.mark.parametrize(("name", "sees"), [("stem", (3, 2, 6)), ("stack", (1, 3, 9))])
def test_what_a_stem_sees(flat, name, sees):
    """As many outputs at once as before; six or three places of more values instead of nine."""
    before, after = (
        next(node for node in lowered(flat, *names).nodes() if is_convolution(node))
        for names in ((), (name,))
    )
    assert after.shape == before.shape
    assert [node.weights[0].shape[:3] for node in (before, after)] == [(3, 3, 3), sees]


@pytest.mark.parametrize("padding", ["same", "valid", "layer"])
@pytest.mark.parametrize("size", [(16, 17), (17, 16)])
@pytest.mark.parametrize("kernel", [2, 3, 4, 6, 7])
def test_rows_of_any_first_convolution(kernel, size, padding):
    """Of odd sizes, and of padding that differs above and below, as in "same"."""
    inputs = keras.Input((*size, 3))
    layer = ZeroPadding2D(((0, 2), (1, 0)))
    maps = layer(inputs) if padding == "layer" else inputs
    padding = "valid" if padding == "layer" else padding
    outputs = keras.layers.Conv2D(4, kernel, strides=2, padding=padding)(maps)
    graph = flatten(keras.Model(inputs, outputs))
    images = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    expected, result = graph.to_model()(images), stack_rows(graph).to_model()(images)
    stem = next(node for node in graph.nodes() if is_convolution(node))
    assert stem.weights[0].shape == (1, kernel, 3 * kernel, 4)
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_padded_rows(flat):
    """With strides of two, all images being of even sizes, the last row and column are not seen."""
    before, after = (
        [node for node in lowered(flat, *names).nodes() if node.kind is kind]
        for names, kind in (((), ZeroPadding2D), (("rows",), RowPadding))
    )
    assert len(after) == len(before) > 0
    for pixels, rows in zip(before, after, strict=True):
        (pad, _), _ = pixels.config["padding"]
        _, height, width, channels = pixels.shape
        assert rows.shape[1:] == (height - 1, (width - 1) * channels)
        assert rows.config["padding"] == ((pad, pad - 1), (pad * channels, (pad - 1) * channels))


def test_padding_that_is_seen_stays():
    """By a convolution without strides, and by anything else."""
    inputs = keras.Input((8, 8, 3))
    seen = keras.layers.Conv2D(2, 3)(ZeroPadding2D(1)(inputs))
    outputs = [seen, ZeroPadding2D(((1, 2), (3, 4)))(inputs)]
    model = keras.Model(inputs, outputs)
    graph = pad_rows(flatten(model))
    found = [node.config["padding"] for node in graph.nodes() if node.kind is RowPadding]
    assert found == [((1, 1), (3, 3)), ((1, 2), (9, 12))]
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3))
    for expected, result in zip(model(images), graph.to_model()(images), strict=True):
        np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("size", "taps"), [(28, 5), (27, 5), (14, 5), (16, 3), (18, 3)])
def test_taps_where_two_or_three_outputs_are_left(size, taps, padding):
    """Of rows of 14, 14, 7, 8 and 9 outputs."""
    inputs = keras.Input((size, size, 8))
    padded = inputs if padding == "same" else ZeroPadding2D(1)(inputs)
    outputs = keras.layers.DepthwiseConv2D(3, strides=2, padding=padding)(padded)
    graph = flatten(keras.Model(inputs, outputs))
    images = np.random.default_rng(0).normal(size=(2, size, size, 8)).astype("float32")
    expected, result = graph.to_model()(images), add_taps(graph).to_model()(images)
    assert graph.nodes()[-1].weights[0].shape == (taps, taps, 8, 1)
    np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize(("channels", "padded"), [(8, 3), (96, 0)])
def test_strips_of_maps_that_cost_little_to_order(channels, padded):
    """Exact to the bit, at the borders of strips and of maps."""
    inputs = x = keras.Input((64, 64, channels))
    for _ in range(3):
        x = keras.layers.DepthwiseConv2D(3, padding="same", bias_initializer="random_normal")(x)
    graph = flatten(keras.Model(inputs, x))
    images = np.random.default_rng(0).normal(size=(2, 64, 64, channels)).astype("float32")
    expected = graph.to_model()(images)
    convolve_strips(graph, 4, copy=1)
    assert sum(node.kind is StripPadding for node in graph.nodes()) == padded
    np.testing.assert_array_equal(graph.to_model()(images), expected)


def test_averages_of_windows(flat):
    """Of equal windows: four by four where the size is a multiple of four, else three by three."""
    averages, windows = (
        [node for node in lowered(flat, *names).nodes() if node.kind is kind]
        for names, kind in (
            ((), keras.layers.GlobalAveragePooling2D),
            (("windows",), keras.layers.AveragePooling2D),
        )
    )
    sizes = [node.inputs[0].shape[1] for node in averages]
    expected = [size for size in sizes if size % 4 == 0 or size % 3 == 0]
    assert len(windows) == len(expected) > 0
    for node in windows:
        size = node.inputs[0].shape[1]
        assert node.config["pool_size"] == ((4, 4) if size % 4 == 0 else (3, 3))


@pytest.fixture(scope="module")
def written(deployed, images, reference, artifacts, tmp_path_factory):
    """A function of a format and a target: the file's path, and how it compares with Keras.

    Targets that lower alike share a file; those of the default are the session's.
    """
    folder, files = tmp_path_factory.mktemp("targets"), {}

    def write(name, target):
        fmt = get_format(name)
        key = name, lowering.get_lowering(target, fmt.dtype)
        if key not in files:
            path = artifacts[name]
            if target != TARGET:
                path = folder / f"{len(files)}.tflite"
                export(for_tracing(deployed), path, fmt.dtype, images, target=target)
            found = load(path, fmt)(images)
            files[key] = path, verification.compare(found, reference.outputs, None, fmt), found
        return files[key]

    return write


@pytest.mark.parametrize("target", ["arm", "avx2", "avx512", "amx"])
def test_files_of_every_target(written, reference, target):
    """They run as one part in XNNPACK, and compute what the Keras model computes."""
    _, _, found = written("tflite_fp32", target)
    verification.verify_outputs(found, reference.outputs, None, get_format("tflite_fp32"))
    if target == "arm":  # whose lowering of half precision is another
        _, _, found = written("tflite_fp16", target)
        verification.verify_outputs(found, reference.outputs, None, get_format("tflite_fp16"))
    (path, integer, _), (plain_path, plain, _) = (
        written("tflite_int8", name) for name in (target, "none")
    )
    reshapes = [operators(p.read_bytes())["RESHAPE"] for p in (path, plain_path)]
    added = reshapes[0] - reshapes[1]
    assert added == STEMS[target] if target in STEMS else added > 1
    # These networks are hard on int8, but no harder for being lowered.
    assert integer.typical_error < 1.25 * plain.typical_error
    assert integer.cosine > plain.cosine - 0.01


def test_nothing_to_do(deployed):
    model = for_tracing(deployed)
    assert lowering.lower(model, "none") is model


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("aarch64", "asimd", "arm"),
        ("x86_64", "avx2 fma avx_vnni", "avx2"),
        ("x86_64", "avx2 avx512f avx512_vnni", "avx512"),
        ("AMD64", "avx2 avx512f amx_tile amx_int8", "amx"),
        ("riscv64", "", "none"),
    ],
)
def test_host(machine, flags, expected, tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags\t\t: fpu {flags}\n")
    monkeypatch.setattr(targets, "CPUINFO", cpuinfo)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert targets.host() == expected


def test_host_without_cpuinfo(tmp_path, monkeypatch):
    """As on a Mac or Windows: what every x86 of these years has."""
    monkeypatch.setattr(targets, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    assert targets.host() == "avx2"


def test_targets():
    assert lowering.get_lowering("arm", "float16").rows
    assert lowering.get_lowering("avx2", "float16") == lowering.get_lowering("avx2", "float32")
    assert lowering.get_lowering("amx", "int8").pack
    assert lowering.get_lowering("host", "int8") in [
        row["int8"] for row in lowering.TARGETS.values()
    ]
    own = Lowering(multiple=16)
    assert lowering.get_lowering(own, "int8") is own
    with pytest.raises(ValueError, match=r"no target 'arn'.*'arm'"):
        lowering.get_lowering("arn", "int8")
