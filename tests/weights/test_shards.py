"""Checkpoints in several files, read together from the index or from any of them."""

import json

import numpy as np
import pytest
import safetensors.numpy

import keras_ghostnet
from keras_ghostnet import GhostNet, weights
from keras_ghostnet.weights.readers import CheckpointError, read_checkpoint
from tests.golden.checkpoints import Golden
from tests.weights import checkpoint_files

WRITERS = {
    ".safetensors": lambda path, tensors: safetensors.numpy.save_file(tensors, path),
    ".bin": checkpoint_files.write_torch_zip,
    ".pdparams": checkpoint_files.write_paddle,
    ".h5": checkpoint_files.write_keras2_h5,
}
INDICES = {
    ".safetensors": "model.safetensors.index.json",
    ".bin": "pytorch_model.bin.index.json",
    ".pdparams": "model_state.pdparams.index.json",
    ".h5": "tf_model.h5.index.json",
}


def small():
    """Names that every writer takes, each with values of its own."""
    return {f"layer{n}/weight:0": np.full((2, 3), n, "float32") for n in range(7)}


def write(folder, tensors, suffix=".safetensors", count=3, index=True):
    """Writes numbered files and, if wanted, their index; returns the files' paths."""
    stem = INDICES[suffix].partition(".")[0]
    paths = [folder / f"{stem}-{n:05}-of-{count:05}{suffix}" for n in range(1, count + 1)]
    weight_map = {}
    for start, path in enumerate(paths):
        part = dict(list(tensors.items())[start::count])
        WRITERS[suffix](path, part)
        weight_map |= dict.fromkeys(part, path.name)
    if index:
        content = {"metadata": {"total_size": 1}, "weight_map": weight_map}
        (folder / INDICES[suffix]).write_text(json.dumps(content, indent=2))
    return paths


def assert_holds(path, tensors):
    checkpoint = read_checkpoint(path)
    assert set(checkpoint.tensors) == set(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(checkpoint.tensors[name], value)


def edit(index, change):
    content = json.loads(index.read_text())
    change(content["weight_map"])
    index.write_text(json.dumps(content))


@pytest.mark.parametrize("suffix", WRITERS)
def test_from_the_index_and_from_any_file(tmp_path, suffix):
    paths = write(tmp_path, small(), suffix)
    for path in (tmp_path / INDICES[suffix], *paths):
        assert_holds(path, small())


@pytest.mark.parametrize("suffix", WRITERS)
def test_by_their_numbers_without_an_index(tmp_path, suffix):
    for path in write(tmp_path, small(), suffix, index=False):
        assert_holds(path, small())


@pytest.mark.parametrize("index", [True, False])
def test_a_missing_file_is_named(tmp_path, index):
    paths = write(tmp_path, small(), index=index)
    paths[1].unlink()
    message = r"of 3 files of which 1 is not there: 'model-00002-of-00003\.safetensors'.*Download"
    for path in (paths[0], paths[2]):
        with pytest.raises(CheckpointError, match=message):
            read_checkpoint(path)


def test_a_network_with_prefixes_and_counters(tmp_path):
    """All rules for names apply to the whole, wherever its tensors lie."""
    tensors = Golden("huawei_ghostnet_050_224").tensors()
    named = {f"model.{name}": array for name, array in tensors.items()}
    paths = write(tmp_path, named | {"model.bn1.total_ops": np.zeros(1)}, count=4)
    source = weights.identify_checkpoint(paths[2])
    assert source.spec.name == "ghostnet_050"
    assert source.classes == 1000
    assert set(source.tensors) == set(tensors)
    model, assignments = keras_ghostnet.convert_weights(paths[0], tmp_path / "whole.keras")
    assert len(assignments) == len(model.weights) == 432
    whole = tmp_path / "whole.pth"
    checkpoint_files.write_torch_zip(whole, tensors)
    for ours, theirs in zip(model.weights, GhostNet(0.5, weights=whole).weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)


@pytest.mark.usefixtures("short_networks")
def test_keras_own_shards(tmp_path):
    model = GhostNet(0.25, classes=4)
    model.save_weights(tmp_path / "model.weights.json", max_shard_size=0.0013)  # GB
    shards = sorted(tmp_path.glob("*.h5"))
    assert len(shards) > 1
    for path in (tmp_path / "model.weights.json", shards[1]):
        loaded = GhostNet(0.25, classes=4, weights=path)
        for ours, theirs in zip(loaded.weights, model.weights, strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)
    shards[0].unlink()
    with pytest.raises(CheckpointError, match=f"1 is not there: '{shards[0].name}'"):
        weights.identify_checkpoint(shards[1])


def test_a_file_that_no_index_lists_is_read_alone(tmp_path):
    write(tmp_path, small())
    alone = {"alone/weight:0": np.ones(2, "float32")}
    for name in ("model.safetensors", "model-1-of-0.safetensors", "a-3-of-2.safetensors"):
        safetensors.numpy.save_file(alone, tmp_path / name)
        assert_holds(tmp_path / name, alone)


def test_an_unreadable_index_beside_a_file_is_passed_over(tmp_path):
    for name, content in (("a", b"{"), ("b", b"[1]"), ("c", b'{"weight_map": 3}'), ("d", b"\xff")):
        (tmp_path / f"{name}.index.json").write_bytes(content)
    for path in write(tmp_path, small(), index=False):
        assert_holds(path, small())


@pytest.mark.parametrize("length", [123, 31520])
def test_a_header_whose_length_looks_like_json(tmp_path, length):
    """123 is `{` and 31520 is ` {` in the eight bytes before a safetensors header."""
    tensors = {"a": np.arange(3, dtype="float32")}
    content = safetensors.numpy.save(tensors)
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size].ljust(length)
    assert len(header) == length
    path = tmp_path / "a.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header + content[8 + size :])
    assert_holds(path, tensors)


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "name", ["../secret.safetensors", "/etc/passwd", "sub/a", "a\\b", "..", ".", "", "C:a", "a\0b"]
)
def test_an_index_stays_in_its_folder(tmp_path, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder, small())
    safetensors.numpy.save_file({"secret": np.ones(1)}, tmp_path / "secret.safetensors")
    edit(folder / INDICES[".safetensors"], lambda entries: entries.update(secret=name))
    with pytest.raises(CheckpointError, match=r"names of files beside it.*do not use it"):
        read_checkpoint(folder / INDICES[".safetensors"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"weight_map": {"a": 3}}', r"the file 3 in an index"),
        (b'{"weight_map": {"a": [["b"]]}}', r"the file of type list in an index"),
        (b'{"weight_map": {}}', "a JSON file without a weight_map"),
        (b'{"model_type": "ghostnet"}', r"a JSON file without a weight_map.*holds the weights"),
        (b'{"weight_map": ', "damaged JSON"),
        (b'{"a":' * 5000, "damaged JSON"),
    ],
)
def test_a_file_that_is_no_index(tmp_path, content, message):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"config\.json: found {message}"):
        read_checkpoint(path)


def test_a_tensor_that_only_the_index_knows(tmp_path):
    paths = write(tmp_path, small())
    edit(tmp_path / INDICES[".safetensors"], lambda names: names.update(lost=paths[0].name))
    with pytest.raises(CheckpointError, match=r"1 tensor\(s\) of the index in none.*'lost'"):
        read_checkpoint(paths[1])


def test_a_tensor_in_two_files(tmp_path):
    paths = write(tmp_path, small(), index=False)
    safetensors.numpy.save_file(small(), paths[2])
    with pytest.raises(CheckpointError, match=r"00003\.safetensors: .*tensor 'layer0/weight:0' tw"):
        read_checkpoint(paths[0])


def test_a_damaged_file_is_named(tmp_path):
    paths = write(tmp_path, small())
    paths[1].write_bytes(paths[1].read_bytes()[:-5])
    with pytest.raises(CheckpointError, match=r"00002-of-00003\.safetensors: found a damaged"):
        read_checkpoint(paths[0])


def test_files_of_two_formats(tmp_path):
    paths = write(tmp_path, small(), index=False)
    checkpoint_files.write_torch_zip(paths[1], {"other": np.ones(1, "float32")})
    with pytest.raises(CheckpointError, match=r"formats \['safetensors', 'torch'\]"):
        read_checkpoint(paths[0])
