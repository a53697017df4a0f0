"""What becomes of the networks that shuffle, select, split and shift channels, and gate them."""

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet.benchmark.networks.catalog import build_network
from keras_ghostnet.export.graph import PASSES, deploy, for_tracing
from keras_ghostnet.export.tflite import conversion, runtime

SIZE = 64
NETWORKS = (
    *("condensenet_v2_a", "fe_net_100", "shufflenet_v1_g3_100", "shufflenet_v2_050"),
    *("fasternet_t0", "repvit_m0_9"),  # slices and GELU; gates and GELU
)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """A network with batch norms that do something, deployed, and its outputs for some images."""
    model = build_network(request.param, SIZE)
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name == "moving_mean":
            variable.assign(random.normal(size=variable.shape) * 0.1)
        elif variable.name in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    x = random.normal(size=(3, SIZE, SIZE, 3)).astype("float32")
    return model, deploy(model), x, np.asarray(model(x))


@pytest.mark.parametrize("network", ["condensenet_v2_a", "fe_net_100"], indirect=True)
def test_saved_network_is_the_same(network, tmp_path):
    model, _, x, expected = network
    model.save(tmp_path / "network.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "network.keras")(x), expected)


def test_deployed_network_is_loaded_with_keras_alone(network, tmp_path):
    _, deployed, x, expected = network
    deployed.save(tmp_path / "network.keras")
    loaded = for_tracing(keras.models.load_model(tmp_path / "network.keras"))
    np.testing.assert_allclose(loaded(x), expected, atol=1e-4 * expected.std())


def test_tflite_is_one_partition_of_the_same_function(network, tmp_path):
    _, deployed, x, expected = network
    path = tmp_path / "network.tflite"
    conversion.export(for_tracing(deployed), path)  # refuses all but one partition
    np.testing.assert_allclose(runtime.load(path)(x), expected, atol=1e-4 * expected.std())


@pytest.mark.parametrize("network", ["shufflenet_v1_g3_100"], indirect=True)
def test_average_pooling_alone_becomes_multiply_adds(network):
    model, deployed, *_ = network
    plain = deploy(model, passes=[name for name in PASSES if name != "averages"])
    assert keras_ghostnet.count_macs(plain) == keras_ghostnet.count_macs(model)
    assert keras_ghostnet.count_macs(deployed) > keras_ghostnet.count_macs(model)
