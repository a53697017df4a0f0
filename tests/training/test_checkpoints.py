"""Checkpoints are whole or not there; a broken one is reported and the one before taken."""

import dataclasses
import json
import resource

import numpy as np
import pytest

from keras_ghostnet.training.checkpoints import (
    CheckpointError,
    Checkpoints,
    State,
    best_epoch,
)

RECIPE = {"name": "test", "learning_rate": 0.1, "milestones": [1, 2]}


def state(step, accuracies=(0.5,)):
    variables = {
        "model/kernel": np.arange(12, dtype="float32").reshape(3, 4) + step,
        "model/view": np.arange(24.0).reshape(4, 6).T[::2],
        "optimizer/iterations": np.array(step, "int64"),
        "seed": np.array([1, 2], "uint32"),
    }
    history = [
        {"epoch": n, "step": n, "val_accuracy": accuracy, "val_loss": 1.0}
        for n, accuracy in enumerate(accuracies, 1)
    ]
    return State(step, variables, RECIPE, history, {"steps": 2, "loss": 1.0, "accuracy": 0.5})


@pytest.fixture
def said():
    return []


@pytest.fixture
def checkpoints(tmp_path, said):
    return Checkpoints(tmp_path / "run", keep=3, log=said.append)


def test_its_files_are_for_whoever_may_read_the_folder(tmp_path):
    Checkpoints(tmp_path).save(state(1))
    (tmp_path / "other").touch()
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1


def test_everything_comes_back(checkpoints):
    checkpoints.save(state(7))
    loaded = checkpoints.latest(RECIPE)
    assert (loaded.step, loaded.recipe, loaded.history) == (7, RECIPE, state(7).history)
    assert loaded.variables.keys() == state(7).variables.keys()
    for name, value in state(7).variables.items():
        assert loaded.variables[name].dtype == value.dtype
        assert loaded.variables[name].shape == value.shape
        np.testing.assert_array_equal(loaded.variables[name], value)


def test_none_yet(checkpoints):
    assert checkpoints.latest(RECIPE) is None


def test_the_last_few_are_kept(checkpoints):
    for step in (2, 3, 30, 4_000_000_000):
        checkpoints.save(state(step))
    assert checkpoints.steps() == [3, 30, 4_000_000_000]
    assert len(list(checkpoints.folder.iterdir())) == 6
    assert checkpoints.latest(RECIPE).step == 4_000_000_000


def test_the_best_is_kept(checkpoints):
    accuracies = (0.3, 0.7, 0.7, 0.5, 0.4, 0.8, 0.1)
    for step in range(1, 6):
        checkpoints.save(state(step, accuracies[:step]))
    assert checkpoints.steps() == [2, 3, 4, 5]
    for step in (6, 7):
        checkpoints.save(state(step, accuracies[:step]))
    assert checkpoints.steps() == [5, 6, 7]


def break_history(folder):
    path = folder / "step-00000002.json"
    path.write_text(path.read_text().replace("0.5", "0.6", 1))


def break_arrays(folder):
    content = bytearray((folder / "step-00000002.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "step-00000002.safetensors").write_bytes(content)


def cut_arrays(folder):
    path = folder / "step-00000002.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    "damage",
    [
        break_arrays,
        break_history,
        cut_arrays,
        lambda folder: (folder / "step-00000002.safetensors").unlink(),
        lambda folder: (folder / "step-00000002.json").write_text("{"),
        lambda folder: (folder / "step-00000002.json").write_text('{"format": 1}'),
    ],
)
def test_a_broken_one_falls_back_to_the_one_before(checkpoints, said, damage):
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    damage(checkpoints.folder)
    assert checkpoints.latest(RECIPE).step == 1
    assert "step 2 is broken" in said[0]


def test_all_broken(checkpoints):
    checkpoints.save(state(2))
    break_arrays(checkpoints.folder)
    with pytest.raises(CheckpointError, match="All 1 checkpoints"):
        checkpoints.latest(RECIPE)


def test_an_unfinished_one_does_not_count(checkpoints):
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    (checkpoints.folder / "step-00000002.json").unlink()
    assert checkpoints.latest(RECIPE).step == 1


def test_what_cannot_be_written_leaves_the_earlier_ones(checkpoints):
    checkpoints.save(state(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match=r"safetensors cannot be written.*too large"):
            checkpoints.save(state(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(list(checkpoints.folder.iterdir())) == 2
    assert checkpoints.latest(RECIPE).step == 1


def test_another_recipe_is_refused(checkpoints):
    checkpoints.save(state(1))
    with pytest.raises(CheckpointError, match=r"learning_rate was 0\.1, is 0\.2"):
        checkpoints.latest({**RECIPE, "learning_rate": 0.2})


IMAGES = {
    "classes": ["ant", "bee"],
    "examples": {"train": 9, "val": 3},
    "fingerprint": {"train": "a", "val": "b"},
}


def test_images_that_moved_are_the_same(checkpoints):
    checkpoints.save(
        dataclasses.replace(state(1), recipe={**RECIPE, "data": "here"}, images=IMAGES)
    )
    assert checkpoints.latest({**RECIPE, "data": "there"}, IMAGES).images == IMAGES
    with pytest.raises(CheckpointError, match="data was 'here', is 'there'"):
        checkpoints.latest({**RECIPE, "data": "there"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["bee", "wasp"]}, r"classes differ \(gone: 'ant'; new: 'wasp'\)"),
        ({"classes": ["ant", "bee", "fly"]}, r"\(gone: none; new: 'fly'\)"),
        ({"classes": ["bee", "ant"]}, "classes are in another order"),
        ({"examples": {"train": 9, "val": 4}}, "val had 3 images, has 4"),
        ({"fingerprint": {"train": "c", "val": "b"}}, "train has as many images, but of other"),
    ],
)
def test_other_images_are_refused(checkpoints, changes, message):
    checkpoints.save(dataclasses.replace(state(1), images=IMAGES))
    with pytest.raises(CheckpointError, match=message):
        checkpoints.latest(RECIPE, {**IMAGES, **changes})


def test_more_epochs_extend_a_run(checkpoints):
    checkpoints.save(dataclasses.replace(state(1), recipe={**RECIPE, "epochs": 6}))
    assert checkpoints.latest({**RECIPE, "epochs": 8}).step == 1
    with pytest.raises(CheckpointError, match="epochs was 6, is 5"):
        checkpoints.latest({**RECIPE, "epochs": 5})


def test_ties_of_accuracy_go_to_the_lower_loss():
    rows = [
        {"epoch": n, "val_accuracy": accuracy, "val_loss": loss}
        for n, (accuracy, loss) in enumerate([(0.5, 0.1), (0.75, 0.8), (0.75, 0.6), (0.75, 0.6)])
    ]
    assert best_epoch(rows)["epoch"] == 2


def test_history_is_readable_json(checkpoints):
    checkpoints.save(state(1))
    described = json.loads((checkpoints.folder / "step-00000001.json").read_text())
    assert len(described["sha256"]) == 64
