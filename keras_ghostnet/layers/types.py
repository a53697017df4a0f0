"""Types of the layers' arguments."""

from collections.abc import Callable
from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # of Keras' backend, or symbolic
Shape: TypeAlias = tuple[int | None, ...]  # the batch's size first; None where it is unknown
Activation: TypeAlias = str | Callable[[Tensor], Tensor] | None  # or its name in Keras
