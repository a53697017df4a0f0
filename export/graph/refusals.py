"""Errors that name the layer which cannot be deployed, or which a format does not take."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras

NAMED = 3  # layers in a message


class NotDeployableError(ValueError):
    """A model cannot be expressed in stock layers, or those not in a format."""


def refusal(layer: Any, reason: str) -> NotDeployableError:
    """The error for a layer, or a node of a graph, that no stock layers can stand for."""
    kind = type(layer) if isinstance(layer, keras.Operation) else layer.kind
    return NotDeployableError(
        f"Layer {layer.name!r} ({kind.__name__}) cannot be turned into stock Keras layers: "
        f"{reason}. Make it of Keras layers and operations, or leave it out of what is deployed."
    )


def first_line(error: BaseException) -> str:
    """What an exception says, without the pages that Keras adds."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if lines[0] == "in user code:" else 0].strip()[:200]  # there it comes last


class UnsupportedOperatorError(ValueError):
    """A network has operators that a format does not take.

    Attributes:
        scopes: Names of the operators or of their outputs, as TensorFlow gives them by layer.
    """

    def __init__(self, message: str, scopes: Iterable[str]) -> None:
        super().__init__(message)
        self.scopes = tuple(scopes)


def layer_of(scope: str, layers: Iterable[str]) -> str | None:
    """The layer in whose scope TensorFlow made an operation, such as `net_1/conv_1/BiasAdd`."""
    for part in scope.split("/")[:-1]:
        for name in (re.sub(r"_\d+$", "", part), part):  # of another trace it has a number
            if name in layers:
                return name
    return None


@contextlib.contextmanager
def naming_layers(model: keras.Model, target: str) -> Iterator[None]:
    """Turns what a converter raises into one line that names the layers, and what to do.

    Args:
        model: What is converted.
        target: Into what: the format's name.

    Raises:
        NotDeployableError: For any exception but those of missing packages and of files.
    """
    try:
        yield
    except (NotDeployableError, ImportError, OSError):
        raise
    except Exception as error:  # whatever a converter raises
        kinds = {layer.name: type(layer).__name__ for layer in model.operations}
        found: Sequence[str | None]
        if isinstance(error, UnsupportedOperatorError):
            found = [layer_of(scope, kinds) for scope in error.scopes]
        else:  # the first that it mentions is at fault, what follows stands around it
            mentioned = re.findall(r"[\w.-]+(?:/[\w.-]+)+", str(error))
            found = list(filter(None, (layer_of(scope, kinds) for scope in mentioned)))[:1]
        what = "Layer"
        if not any(found):  # operations that are no layers have no scopes
            what = "One of the operations"
            found = [
                layer.name
                for layer in model.operations
                if not isinstance(layer, keras.layers.Layer)
                and type(layer).__name__ != "ConvertToTensor"  # of every input of integers
            ]
        named = [f"{name!r} ({kinds[name]})" for name in dict.fromkeys(found) if name]
        more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
        what = f"{what} {', '.join(named[:NAMED])}{more}" if named else model.name
        raise NotDeployableError(
            f"{what} cannot be converted to {target}: {first_line(error).rstrip('.')}. Replace "
            "what cannot, or choose another format."
        ) from error
