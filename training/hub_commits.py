"""The commits of a run's models of the hub: resolved once, and the same when the run resumes."""

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

from keras_ghostnet import files
from keras_ghostnet.model_reference import CONFIG
from keras_ghostnet.training.recipes import Recipe
from keras_ghostnet.weights import hub

COMMITS = "hub_commits"  # a key of a run's `config.json`
SETTINGS = ("weights", "teacher")


def pin(
    recipe: Recipe, folder: pathlib.Path, say: Callable[[str], None]
) -> tuple[Recipe, dict[str, str]]:
    """Replaces the models of the hub that a recipe names by their present commits.

    Args:
        recipe: The recipe of a run.
        folder: The run's folder. The commits that its `config.json` holds stay.
        say: Function of a line of text.

    Returns:
        The recipe to build by, and from what was named to `"hf://ORG/NAME@COMMIT"`.

    Raises:
        ImportError: If the hub's client is not installed.
        OSError: If the hub cannot be reached.
        ValueError: If there is no such model.
    """
    before = _read(folder / CONFIG)
    commits: dict[str, str] = {}
    changes: dict[str, Any] = {}
    for name in SETTINGS:
        text = getattr(recipe, name)
        if not hub.is_reference(text):
            continue
        known = before.get(text)
        if not hub.is_reference(known) or hub.split(known)[0] != hub.split(text)[0]:
            known = hub.open_repository(text).text
        commits[text] = known
        say(f"{name} of {known}")
        changes[name] = known
    return dataclasses.replace(recipe, **changes), commits


def _read(path):
    """The commits that a run's `config.json` holds; none if it is missing or another's."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        content = json.loads(files.read_text(path))
        found = content.get(COMMITS) if isinstance(content, dict) else None
        if isinstance(found, dict):
            return found
    return {}
