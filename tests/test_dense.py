"""The page on dense tasks: what it shows runs, and KerasHub takes the pyramids."""

import keras
import numpy as np
import pytest

from keras_ghostnet import features
from tests.test_documents import ROOT, python_blocks

BLOCKS = python_blocks((ROOT / "docs" / "dense.md").read_text())
IMAGES = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")


def run(*blocks):
    names = {}
    for block in blocks:
        exec(block, names)
    return names


def test_the_page_s_first_code_runs(capsys):
    run(BLOCKS[0])
    assert capsys.readouterr().out.splitlines() == [
        "P3 (None, 8, 8, 40)",
        "P4 (None, 4, 4, 80)",
        "P5 (None, 2, 2, 160)",
    ]


def test_the_page_names_the_layers():
    text = (ROOT / "docs" / "dense.md").read_text()
    for name in ("ghostnet_100", "repghostnet_100", "ghost_resnet56"):
        for deepest in (False, True):
            for layer in features.level_layers(name, deepest).values():
                assert f"`{layer}`" in text


@pytest.mark.keras_hub
@pytest.mark.parametrize("network", ["detector", "segmenter"])
def test_keras_hub_takes_pyramids(network, tmp_path):
    pytest.importorskip("keras_hub", reason="KerasHub is not installed: make test-keras-hub")
    model = run(*BLOCKS)[network]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    outputs = model(IMAGES)
    if network == "segmenter":
        assert outputs.shape == (1, 64, 64, 21)
    else:
        cells = sum((64 // 2**level) ** 2 for level in (3, 4, 5)) + 1 + 1
        assert outputs["cls_logits"].shape == (1, 9 * cells, 20)
    keras.tree.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), loaded(IMAGES), outputs
    )
