"""What programs put around a network's names and beside its tensors, in every format."""

import numpy as np
import pytest
import safetensors.numpy

from keras_ghostnet import GhostNet, weights
from tests.golden.checkpoints import WRITERS, Golden
from tests.weights import checkpoint_files

GOLDEN = {
    "huawei": "huawei_ghostnet_050_224",
    "timm": "timm_ghostnet_100_224",
    "kecam": "kecam_ghostnet_050_224",
    "paddle": "paddle_ghostnet_050_224",
    "g_ghost": "huawei_g_ghost_regnetx_002_128",
}
PREFIXES = (
    "module.", "_orig_mod.", "_fsdp_wrapped_module.", "_layers.", "model.", "backbone.", "net.",
    "encoder.", "module.model.", "_orig_mod.module.backbone.net.", "model._orig_mod.encoder.",
    "whatever.0.",
)  # fmt: skip
COUNTERS = {
    "total_ops": np.zeros(1, np.float64),
    "total_params": np.full(1, 7.0),
    "conv_stem.total_ops": np.full(1, 3e8),
    "bn1.total_params": np.full((), 32.0, np.float32),
    "bn1.num_batches_tracked": np.array(7, np.int64),
    "blocks.0.0.num_batches_tracked": np.ones(1, np.int32),
    "n_averaged": np.array(5, np.int64),
}


def write(path, peer, tensors):
    _, writer = WRITERS.get(peer, WRITERS["huawei"])
    writer(path, tensors)
    return path


def prefixed(tensors, prefix):
    return {prefix + name: array for name, array in tensors.items()}


def assert_same(source, plain):
    assert (source.spec, source.classes, source.channels) == (
        plain.spec,
        plain.classes,
        plain.channels,
    )
    assert set(source.tensors) == set(plain.tensors)
    for name, array in plain.tensors.items():
        np.testing.assert_array_equal(source.tensors[name], array, err_msg=name)


@pytest.fixture(scope="module", params=GOLDEN)
def checkpoint(request, tmp_path_factory):
    """Peer, tensors and the `IdentifiedCheckpoint` of a checkpoint without anything around it."""
    tensors = Golden(GOLDEN[request.param]).tensors()
    path = tmp_path_factory.mktemp("plain") / "checkpoint"
    return request.param, tensors, weights.identify_checkpoint(write(path, request.param, tensors))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_any_prefix_in_any_format(checkpoint, tmp_path, prefix):
    peer, tensors, plain = checkpoint
    path = write(tmp_path / "checkpoint", peer, prefixed(tensors, prefix))
    assert_same(weights.identify_checkpoint(path), plain)


def test_counters_in_any_format(checkpoint, tmp_path):
    peer, tensors, plain = checkpoint
    counters = {f"group/{name}:0": COUNTERS[name] for name in COUNTERS}
    tensors = prefixed(tensors, "net.") | (counters if peer == "kecam" else COUNTERS)
    path = write(tmp_path / "checkpoint", peer, tensors)
    assert_same(weights.identify_checkpoint(path), plain)


def test_the_model_gets_what_the_file_holds(tmp_path):
    """As thop and a training program leave a state_dict, into a model."""
    tensors = Golden(GOLDEN["huawei"]).tensors()
    plain = GhostNet(0.5, weights=write(tmp_path / "plain", "huawei", tensors))
    wrapped = write(tmp_path / "a", "timm", prefixed(tensors | COUNTERS, "module.backbone."))
    for ours, theirs in zip(GhostNet(0.5, weights=wrapped).weights, plain.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)


@pytest.mark.parametrize("wrapper", ["module", "_orig_mod", "_checkpoint_wrapped_module"])
def test_parts_of_a_network_may_be_wrapped(tmp_path, wrapper):
    tensors = Golden(GOLDEN["huawei"]).tensors()
    names = {name: name.replace("blocks.3.", f"blocks.{wrapper}.3.{wrapper}.") for name in tensors}
    path = tmp_path / "checkpoint"
    safetensors.numpy.save_file({names[name]: tensors[name] for name in tensors}, path)
    assert set(weights.identify_checkpoint(path).tensors) == set(tensors)


@pytest.mark.parametrize("group", ["ghostnet", "ghostnet/stem", "outer/model_1"])
def test_a_network_inside_a_keras_2_model(checkpoint, tmp_path, group):
    """Keras 2 names a nested model's datasets by the outer layer and the variable's own name."""
    peer, tensors, plain = checkpoint
    if peer != "kecam":
        pytest.skip("a Keras 2 file")
    nested = {f"{group}/{name.partition('/')[2]}": array for name, array in tensors.items()}
    path = tmp_path / "checkpoint"
    checkpoint_files.write_keras2_h5(path, nested)
    assert_same(weights.identify_checkpoint(path), plain)


def test_two_networks_in_one_file_are_named(tmp_path):
    tensors = Golden(GOLDEN["huawei"]).tensors()
    both = prefixed(tensors, "student.") | prefixed(tensors, "teacher.net.")
    with pytest.raises(ValueError, match=r"2 networks.*'student\.', 'teacher\.net\.'.*alone"):
        weights.identify_checkpoint(write(tmp_path / "a", "huawei", both))


@pytest.mark.parametrize("name", ["head.weight", "model.neck.weight", "conv_stem.extra"])
def test_tensors_beside_the_network_are_refused_by_the_name_in_the_file(tmp_path, name):
    tensors = prefixed(Golden(GOLDEN["huawei"]).tensors(), "model.")
    tensors[name] = np.ones((2, 3), np.float32)
    path = write(tmp_path / "a", "huawei", tensors)
    with pytest.raises(ValueError, match=rf"\n  {name} belongs to no variable"):
        GhostNet(0.5, weights=path)


def test_a_tensor_with_and_without_the_prefix_is_refused(tmp_path):
    tensors = prefixed(Golden(GOLDEN["huawei"]).tensors(), "model.")
    tensors["bn1.weight"] = np.ones(8, np.float32)
    with pytest.raises(ValueError, match=r"twice, as 'model\.bn1\.weight' and 'bn1\.weight'"):
        weights.identify_checkpoint(write(tmp_path / "a", "huawei", tensors))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bn1.total_ops", np.ones(3)),  # no single number
        ("bn1.total_ops_weight", np.ones(1, np.float32)),
        ("bn1.num_batches_tracked", np.ones(())),  # torch counts in integers
    ],
)
def test_what_is_no_counter_is_refused(tmp_path, name, value):
    path = write(tmp_path / "a", "huawei", Golden(GOLDEN["huawei"]).tensors() | {name: value})
    with pytest.raises(ValueError, match=rf"{name} belongs to no variable"):
        GhostNet(0.5, weights=path)
