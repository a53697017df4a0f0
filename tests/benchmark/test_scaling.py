"""The model of scaling, against cases that can be computed by hand."""

import dataclasses
import pathlib
import re

import pytest

import keras_ghostnet
from keras_ghostnet.benchmark import scaling, scaling_model
from keras_ghostnet.benchmark.scaling_model import Cluster, Workload
from keras_ghostnet.training import recipes

NETWORK = Workload(
    name="toy",
    layers=((1_000_000, 1),),  # one, whose gradient is there when all is computed
    norms=(100, 300),
    pooled=(),
    epochs=10,
    batch=256,
    learning_rate=0.1,
    warmup_epochs=0.0,
    rate=1000.0,
    largest=100,
    least=32,
)
# A message takes no time, and nothing is hidden.
IDEAL = Cluster(
    inner_bandwidth=1e9,
    inner_latency=0.0,
    outer_bandwidth=1e8,
    outer_latency=0.0,
    least_step=0.0,
    cores=1000,
)


def test_two_ranks_exchange_half_of_the_bytes_twice():
    assert scaling_model.all_reduce(8e6, 2, 1e9, 0.0) == pytest.approx(8e-3)
    assert scaling_model.all_reduce(8e6, 2, 1e9, 1e-3) == pytest.approx(8e-3 + 2e-3)


def test_one_rank_sends_nothing():
    assert scaling_model.all_reduce(8e6, 1, 1e9, 1.0) == 0
    assert scaling_model.step(NETWORK, IDEAL, 1).communication == 0


def test_a_ring_sends_less_than_twice_the_bytes():
    assert scaling_model.all_reduce(8e6, 4, 1e9, 0.0) == pytest.approx(2 * 3 / 4 * 8e-3)


def test_trees_take_over_where_messages_are_small():
    # A ring of 1,024 would send 2,046 messages one after the other.
    assert scaling_model.all_reduce(0, 1024, 1e9, 1e-3) == pytest.approx(20e-3)


def test_hosts_sum_within_before_they_sum_between():
    size = 4e6
    within = 2 * 7 / 8 * size / 1e9
    assert scaling_model.hierarchical_all_reduce(size, 8, IDEAL) == pytest.approx(within)
    between = 2 * 3 / 4 * size / 1e8
    found = scaling_model.hierarchical_all_reduce(size, 32, IDEAL)
    assert found == pytest.approx(within + between)


@pytest.mark.parametrize("accelerators", [2, 8, 64, 1024])
def test_with_a_network_that_takes_no_time_all_compute(accelerators):
    cluster = dataclasses.replace(IDEAL, inner_bandwidth=1e30, outer_bandwidth=1e30)
    step = scaling_model.step(NETWORK, cluster, accelerators)
    assert step.bound == "compute"
    assert step.efficiency == pytest.approx(1)
    assert step.rate == pytest.approx(accelerators * NETWORK.rate)


def test_a_step_computes_and_then_sums():
    step = scaling_model.step(NETWORK, IDEAL, 2)
    assert step.seconds == pytest.approx(100 / 1000 + 4e6 / 1e9)
    assert step.efficiency == pytest.approx(0.1 / 0.104)


def test_packs_are_sent_while_the_layers_before_them_are_computed():
    """Two layers of equal time: the last one's 3 MB arrive while the first is computed."""
    network = dataclasses.replace(NETWORK, layers=((250_000, 1), (750_000, 1)))
    cluster = dataclasses.replace(IDEAL, backward=0.5, pack_bytes=1 << 20)
    assert scaling_model.step(network, cluster, 2).communication == pytest.approx(1e-3)
    slow = dataclasses.replace(cluster, inner_bandwidth=1e8)  # 30 ms for the first, 25 to hide it
    assert scaling_model.step(network, slow, 2).communication == pytest.approx(15e-3)
    whole = dataclasses.replace(cluster, pack_bytes=1 << 30)
    assert scaling_model.step(network, whole, 2).communication == pytest.approx(4e-3)


def test_half_of_the_bytes_take_half_of_the_time():
    cluster = dataclasses.replace(IDEAL, gradient_bytes=2)
    assert scaling_model.step(NETWORK, cluster, 2).communication == pytest.approx(2e-3)


def test_slow_links_bind():
    cluster = dataclasses.replace(IDEAL, outer_bandwidth=1e6)
    assert scaling_model.step(NETWORK, cluster, 8).bound == "compute"
    assert scaling_model.step(NETWORK, cluster, 16).bound == "all-reduce"


def test_images_bind_where_cores_are_few():
    cluster = dataclasses.replace(IDEAL, cores=4, input_rate=500.0)
    step = scaling_model.step(NETWORK, cluster, 8)
    assert step.bound == "input"
    assert step.rate == pytest.approx(4 * 500)
    two_hosts = scaling_model.step(NETWORK, cluster, 16)
    assert two_hosts.rate == pytest.approx(2 * 4 * 500)
    assert scaling_model.cores_needed(NETWORK, cluster) == 16
    assert scaling_model.cores_needed(NETWORK, cluster, 2) == 4


def test_the_batch_grows_to_its_limit_and_then_is_shared_out():
    batches = {n: scaling_model.step(NETWORK, IDEAL, n).batch for n in (1, 64, 128, 1024)}
    assert batches == {1: 100, 64: 6400, 128: 8192, 1024: 8192}


def test_batch_norms_are_synchronized_where_they_see_little():
    cluster = dataclasses.replace(IDEAL, outer_bandwidth=1e30)
    network = dataclasses.replace(NETWORK, pooled=(300,))
    assert scaling_model.step(network, cluster, 1).synchronized == 0
    for accelerators, replica_batch, synchronized in ((256, 32, [300]), (512, 16, [100, 300])):
        step = scaling_model.step(network, cluster, accelerators)
        assert (step.replica_batch, step.synchronized) == (replica_batch, len(synchronized))
        gradients, norms = 2 * 7 / 8 * 4e6 / 1e9, 2 * 7 / 8 * 8 * sum(synchronized) / 1e9
        assert step.communication == pytest.approx(gradients + 2 * norms)
    assert scaling_model.step(NETWORK, cluster, 256).synchronized == 0


def test_the_least_step():
    cluster = dataclasses.replace(IDEAL, least_step=0.2)
    assert scaling_model.step(NETWORK, cluster, 1).compute == 0.2
    assert scaling_model.step(NETWORK, cluster, 1).rate == pytest.approx(500)


def test_rate_and_warm_up_follow_the_batch():
    assert scaling_model.learning_rate(NETWORK, 1024) == pytest.approx(0.4)
    assert scaling_model.warmup_epochs(NETWORK, 256) == 0
    assert scaling_model.warmup_epochs(NETWORK, 257) == 5
    patient = dataclasses.replace(NETWORK, warmup_epochs=10.0)
    assert scaling_model.warmup_epochs(patient, 8192) == 10


def test_the_command_prints_a_row_for_every_number_of_accelerators(capsys):
    scaling.main(["--model", "ghostnet_100", "--rate", "1000", "--outer-latency", "0.001"])
    printed = capsys.readouterr().out
    assert "outer_latency 0.001" in printed
    assert "1,000.0 images/s on one accelerator (given), 20.7 MB of gradients" in printed
    rows = re.findall(r"^\| (\d+) \| (\d+) \| ([\d,]+) \|", printed, re.MULTILINE)
    assert [int(accelerators) for accelerators, *_ in rows] == list(scaling.ACCELERATORS)
    assert rows[-1] == ("1024", "128", "8,192")


def test_a_rate_needs_its_model(capsys):
    with pytest.raises(SystemExit):
        scaling.main(["--rate", "1000"])
    assert "--model" in capsys.readouterr().err


def test_a_network_is_what_its_model_and_recipe_are():
    network = scaling.network("g_ghost_regnetx_032")
    assert network.gradients == 10_511_000
    assert sum(macs for _, macs in network.layers) == pytest.approx(1.80e9, rel=0.005)
    assert network.layers[0][0] == 27 * 32  # the stem
    assert network.layers[-1][0] == 1009 * 1000
    assert (network.epochs, network.batch, network.learning_rate) == (100, 256, 0.1)
    model = keras_ghostnet.create_model("g_ghost_regnetx_032")
    moving = [w for w in model.non_trainable_weights if w.name == "moving_mean"]
    assert sorted(network.norms) == sorted(w.shape[0] for w in moving)
    # The mix of each G-Ghost stage has two, of what is left of 192 and 432 channels for it.
    assert network.pooled == (120, 120, 216, 216)


def test_the_device_at_hand_can_be_measured():
    assert 0.1 < scaling.measure(recipes.get_recipe("smoke"), steps=2) < 1e6


def test_the_document_s_tables_are_what_the_command_prints(capsys):
    scaling.main([])
    text = (pathlib.Path(__file__).parents[2] / "docs" / "scaling.md").read_text("utf-8")
    tables = re.findall(r"^\|.*accelerators.*\n(?:\|.*\n)+", text, re.MULTILINE)
    printed = capsys.readouterr().out
    assert len(tables) == 2
    for table in tables:
        assert table.strip() in printed
