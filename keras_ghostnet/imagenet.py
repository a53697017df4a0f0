"""ImageNet's classes; `preprocessing` imports Keras, this does not."""

import functools
import importlib.resources

CLASSES = 1000


@functools.cache
def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """ImageNet's classes in the order of the networks' outputs.

    Returns:
        A tuple of 1000 pairs `(WordNet id, name)`, e.g. `("n02123045", "tabby")`. Two names
        ("crane" and "maillot") stand for two classes each; the ids are unique.
    """
    path = importlib.resources.files("keras_ghostnet") / "data" / "imagenet_classes.tsv"
    pairs = (line.split("\t") for line in path.read_text("utf-8").splitlines())
    return tuple((identifier, name) for identifier, name in pairs)
