from . import data, recipes
from .evaluation import Evaluation, evaluate
from .recipes import Recipe
from .run import Stopped, train
from .teachers import Teacher

__all__ = ["Evaluation", "Recipe", "Stopped", "Teacher", "data", "evaluate", "recipes", "train"]
