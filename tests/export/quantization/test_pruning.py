"""Magnitude pruning of a small network."""

import numpy as np
import pytest

from keras_ghostnet.export.quantization import prune
from keras_ghostnet.export.quantization.pruning import is_pointwise
from tests.export.quantization.conftest import accuracy, batches


@pytest.fixture(scope="module")
def pruned(problem):
    model, training, _ = problem
    return prune(model, batches(*training), 0.75, epochs=2)


def zeros(layer):
    return np.mean(layer.get_weights()[0] == 0)


def test_sparsity_is_reached(pruned):
    kernels = [layer for layer in pruned.layers if is_pointwise(layer)]
    assert len(kernels) == 4
    for layer in kernels:
        assert zeros(layer) == pytest.approx(0.75, abs=0.5 / layer.get_weights()[0].size + 1e-6)


def test_other_kernels_stay_dense(pruned):
    others = [x for x in pruned.layers if x.weights and not is_pointwise(x) and "conv" in x.name]
    assert others
    assert all(zeros(layer) == 0 for layer in others)


def test_accuracy_is_kept_and_the_model_untouched(problem, pruned):
    model, _, (images, labels) = problem
    before = accuracy(model.predict(images, verbose=0), labels)
    assert accuracy(pruned.predict(images, verbose=0), labels) > before - 0.03
    assert not any(zeros(layer) for layer in model.layers if is_pointwise(layer))


def test_what_does_not_fit_is_told_at_once(problem):
    model, (images, labels), _ = problem
    good = batches(images, labels)
    with pytest.raises(ValueError, match=r"`sparsity` must be a number in \(0, 1\)"):
        prune(model, good, 1.0)
    with pytest.raises(ValueError, match="10 steps at least"):
        prune(model, good, steps=5)
    with pytest.raises(ValueError, match="`which` chose none"):
        prune(model, good, which=lambda layer: False)
