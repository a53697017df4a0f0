"""Counting instructions; what is marked runs the emulator itself."""

import collections

import keras
import pytest

from keras_ghostnet.benchmark.arm import count, tools
from keras_ghostnet.export import tflite
from keras_ghostnet.quiet import quiet

MAPS = """\
1000-3000 r-xp 00000400 08:01 12 /lib/a library.so
3000-4000 rw-p 00000000 00:00 0
5000-6000 r-xp 00000000 08:01 13 /lib/b.so
block 1010 30
block 1010 12
block 3004 5
block 4004 7
block 5fff 1
"""


def test_addresses_become_places(tmp_path):
    output = tmp_path / "output"
    output.write_text(MAPS + "end\n")
    assert count._read(output) == {
        ("/lib/a library.so", 0x410): 42,
        ("", 0): 12,
        ("/lib/b.so", 0xFFF): 1,
    }


def test_cut_off_output_is_refused(tmp_path):
    output = tmp_path / "output"
    with pytest.raises(tools.ToolError, match="wrote no counts"):
        count._read(output)
    output.write_text(MAPS)
    with pytest.raises(tools.ToolError, match="or not all"):
        count._read(output)


def test_places_without_a_name_are_kept(tmp_path):
    library = tmp_path / "library.so"
    library.write_text("no ELF file")
    places = collections.Counter({(str(library), 16): 3, (str(library), 32): 4, ("", 0): 2})
    assert count._named(places) == {("library.so", None): 7, ("", None): 2}


def test_a_missing_model(capsys):
    assert count.main(["none.tflite"]) == 1
    assert "none.tflite" in capsys.readouterr().err


@pytest.mark.arm
def test_counts_repeat(paths):
    counts = [count.count_instructions(paths["int8"]).total for _ in range(3)]
    assert max(counts) < 1.02 * min(counts)


@pytest.mark.arm
def test_half_precision_takes_fewer_instructions(mobile):
    for runtime in ("ncnn", "mnn"):
        half, whole = (
            count.count_instructions(mobile[f"{runtime}_{kind}"]).total for kind in ("fp16", "fp32")
        )
        assert half < 0.95 * whole


@pytest.mark.arm
def test_what_is_known_of_mobilenet_v3(tmp_path, capsys):
    """92 million instructions were counted before by other means; 217 million multiply-adds."""
    path = tmp_path / "mobilenet.tflite"
    with quiet():
        model = keras.applications.MobileNetV3Large((224, 224, 3), weights=None)
        tflite.export(model, path)
    found = count.count_instructions(path)
    assert found.total == pytest.approx(92e6, rel=0.03)
    assert sum(found.functions.values()) == pytest.approx(found.total)
    gemm = sum(n for (_, name), n in found.functions.items() if "gemm" in (name or ""))
    # Four multiply-adds an instruction, 95 % of them in convolutions other than depthwise.
    assert 0.9 * 217e6 / 4 < gemm < 0.9 * found.total
    named = sum(n for (_, name), n in found.functions.items() if name)
    assert named > 0.95 * found.total
    assert count.main([str(path), "--functions", "3"]) == 0
    assert "xnn_f32_gemm_minmax" in capsys.readouterr().out.replace("\n", "")
