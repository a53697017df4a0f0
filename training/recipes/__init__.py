"""Recipes: training settings with where they come from. One file for each source."""

import inspect

from keras_ghostnet import specs
from keras_ghostnet.training.recipes import (
    cifar,
    digits,
    fine_tuning,
    g_ghostnet,
    ghostnet,
    ghostnetv2,
    ghostnetv3,
    modern,
    repghostnet,
    segmentation,
    smoke,
)
from keras_ghostnet.training.recipes.recipe import (
    SEGMENTATION,
    Recipe,
    list_settings,
    override,
)

MODULES = (
    *(ghostnet, ghostnetv2, ghostnetv3, repghostnet, modern),
    *(g_ghostnet, cifar, fine_tuning, segmentation, digits, smoke),
)
RECIPES = {recipe.name: recipe for module in MODULES for recipe in module.RECIPES}

__all__ = [
    "RECIPES",
    "Recipe",
    "SEGMENTATION",
    "documentation",
    "get_recipe",
    "list_settings",
    "override",
]


def get_recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        ValueError: If there is none; the message suggests the nearest.
    """
    if name not in RECIPES:
        raise ValueError(f"Unknown recipe {name!r}.{specs.suggest(name, RECIPES)}")
    return RECIPES[name]


def documentation(recipe: Recipe) -> str:
    """The text on a recipe's source, command, hardware, duration and expected accuracy."""
    (module,) = [module for module in MODULES if recipe in module.RECIPES]
    return inspect.getdoc(module) or ""
