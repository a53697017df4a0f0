"""The vocabulary of a restricted pickle: inert names, our own objects, and checked plain values."""

import dataclasses

from keras_ghostnet.weights.readers.checkpoint import refusal, shown

# Larger integers can be chosen to collide in a dictionary, which would then take hours to build.
_MAX_KEY = 2**60


@dataclasses.dataclass(frozen=True)
class Symbol:
    """A name in a pickle: never imported, only looked up in a table of builders."""

    module: str
    name: str

    def __str__(self):
        return shown(f"{self.module}.{self.name}")


class Buildable:
    """An object of this package whose state a pickle may set."""

    def set_state(self, state):
        """Takes the state that the pickle gives."""
        raise NotImplementedError


class Opaque(Buildable):
    """Stands for harmless side data, such as training arguments, that nobody looks at."""

    def __init__(self, *_):
        pass

    def set_state(self, state):
        """Forgets the state."""


def mapping(items=None):
    """Builds a dictionary: the builder for `collections.OrderedDict`.

    Python 2 gives a list of pairs, Python 3 nothing, since it sets the items afterwards.
    """
    if items is None:
        return {}
    if not isinstance(items, list) or not all(map(_is_pair, items)):
        raise refusal("a dictionary made of something else", "a list of pairs")
    built = {checked_key(key): value for key, value in items}
    items.clear()  # so that no pickle can have one list copied over and over again
    return built


def _is_pair(item):
    return isinstance(item, (list, tuple)) and len(item) == 2


def integer(value, what, limit=2**48):
    """Returns `value` if it is an integer from 0 to `limit`; raises `CheckpointError` if not."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
        raise refusal(f"{what} {shown(value)}", f"an integer from 0 to {limit}")
    return value


def dimensions(value, what, rank=8):
    """Returns `value` if it is a tuple of at most `rank` sizes; raises `CheckpointError` if not."""
    if not isinstance(value, (tuple, list)) or len(value) > rank:
        raise refusal(f"{what} that is no short tuple", f"a tuple of at most {rank} integers")
    return tuple(integer(item, what) for item in value)


def checked_key(key):
    """Returns `key` if a dictionary or set of a checkpoint may hold it; raises if not."""
    # Of floats only a few dozen, which differ by powers of two, share a hash.
    if isinstance(key, (str, float)) or key is None:
        return key
    if isinstance(key, int) and abs(key) < _MAX_KEY:
        return key
    raise refusal(f"a pickled key of type {type(key).__name__}", "strings or small numbers")
