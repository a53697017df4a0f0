from . import data, recipes
from .evaluation import Evaluation, evaluate
from .recipes import Recipe
from .run import Stopped, train

__all__ = ["Evaluation", "Recipe", "Stopped", "data", "evaluate", "recipes", "train"]
