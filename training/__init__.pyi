from . import data, recipes
from .evaluation import Evaluation, evaluate
from .pixel_evaluation import PixelEvaluation
from .recipes import Recipe
from .run import train
from .stopping import Stopped
from .teachers import Teacher

__all__ = [
    "Evaluation",
    "PixelEvaluation",
    "Recipe",
    "Stopped",
    "Teacher",
    "data",
    "evaluate",
    "recipes",
    "train",
]
