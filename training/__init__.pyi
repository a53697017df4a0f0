from . import data, recipes
from .evaluation import Evaluation, evaluate
from .recipes import Recipe
from .run import train
from .stopping import Stopped
from .teachers import Teacher

__all__ = ["Evaluation", "Recipe", "Stopped", "Teacher", "data", "evaluate", "recipes", "train"]
