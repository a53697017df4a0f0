"""Types of the layers' arguments."""

from collections.abc import Callable
from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # of Keras' backend, or symbolic
Shape: TypeAlias = tuple[int | None, ...]  # None for a size that is not known
Activation: TypeAlias = str | Callable[[Tensor], Tensor] | None  # or its name in Keras
