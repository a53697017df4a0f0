"""Models of the hub in a run: the commit that it started with is the one that it resumes with."""

import json

import pytest

from keras_ghostnet.training import classifiers, hub_commits, recipes, train
from keras_ghostnet.training.run_folder import RunFolder
from tests.training.runs import small_classifier, write_photos

NAMED = ["weights=hf://org/bees", "teacher=hf://org/bees@v1"]


def test_the_commit_of_the_start_stays(hub_server, tmp_path):
    first = hub_server.add("org/bees", {"config.json": b"{}"})
    hub_server.repositories["org/bees"].names["v1"] = first
    recipe, said = recipes.override(recipes.get_recipe("smoke"), NAMED), []
    pinned, commits = hub_commits.pin(recipe, tmp_path, said.append)
    text = f"hf://org/bees@{first}"
    assert (pinned.weights, pinned.teacher) == (text, text)
    assert said == [f"weights of {text}", f"teacher of {text}"]
    RunFolder(tmp_path).config({hub_commits.COMMITS: commits, "run": {}})
    second = hub_server.add("org/bees", {"config.json": b"{}", "more": b""})
    before = len(hub_server.requests)
    assert hub_commits.pin(recipe, tmp_path, said.append)[0] == pinned
    assert len(hub_server.requests) == before
    # Not in another folder, nor from a file that names another repository.
    elsewhere = hub_commits.pin(recipe, tmp_path / "new", said.append)[0]
    assert (elsewhere.weights, elsewhere.teacher) == (f"hf://org/bees@{second}", text)
    other = {hub_commits.COMMITS: {recipe.weights: "hf://org/wasps@main"}}
    (tmp_path / "config.json").write_text(json.dumps(other))
    assert hub_commits.pin(recipe, tmp_path, said.append)[0].weights.endswith(second)


def test_other_recipes_ask_nobody(hub_server, tmp_path):
    recipe = recipes.get_recipe("smoke")
    assert hub_commits.pin(recipe, tmp_path, print) == (recipe, {})
    assert not hub_server.requests


@pytest.mark.thorough
def test_a_run_resumes_with_its_commit(hub_server, tmp_path, monkeypatch):
    """Also where the branch has moved on; the command's words stay the run's."""
    built = []

    def build(recipe, classes):
        built.append(recipe.weights)
        return small_classifier(recipe, classes)

    monkeypatch.setattr(classifiers, "build_classifier", build)
    first = hub_server.add("org/bees", {"config.json": b"{}"})
    photos = write_photos(tmp_path / "photos")
    settings = ["weights=hf://org/bees", "epochs=1", "batch_size=8", "image_size=32"]
    train("smoke", photos, tmp_path / "run", settings=settings)
    hub_server.add("org/bees", {"config.json": b"{}", "more": b""})
    settings[1] = "epochs=2"
    train("smoke", photos, tmp_path / "run", settings=settings)
    assert built == [f"hf://org/bees@{first}"] * 2
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["run"]["weights"] == "hf://org/bees"
    assert config[hub_commits.COMMITS] == {"hf://org/bees": built[0]}
