"""Settings as annotated fields of a dataclass, or arguments: one table of types and ranges.

A field's annotation is all there is to say about its values: `Annotated[float, Within("[0, 1)")]`,
`Literal["cosine", "step"]`, `tuple[Count, float]`, or any of these or None. Values are checked
against it, and parsed from text, as is `--set`'s.
"""

import dataclasses
import functools
import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "text"}


@dataclasses.dataclass(frozen=True)
class Within:
    """A range of numbers, as mathematics writes it: `"[0, 1)"` is from 0 to less than 1."""

    interval: str

    def __contains__(self, number):
        low, high = map(float, self.interval[1:-1].split(","))
        return (low <= number if self.interval[0] == "[" else low < number) and (
            number <= high if self.interval[-1] == "]" else number < high
        )

    def __str__(self):
        return f"in {self.interval}"


@dataclasses.dataclass(frozen=True)
class Ascending:
    """An order of numbers, each at least as large as the one before."""

    def __contains__(self, values):
        return list(values) == sorted(values)

    def __str__(self):
        return "in ascending order"


@dataclasses.dataclass(frozen=True)
class Custom:
    """A setting with a syntax of its own.

    Attributes:
        parse: Function of the text, which returns the value.
        validate: Function of a value, which returns it as it is kept.
        format: Function of a value, which returns a text that `parse` takes.
    """

    parse: Callable[[str], Any]
    validate: Callable[[Any], Any]
    format: Callable[[Any], str]


Finite = Annotated[float, Within("(-inf, inf)")]
Positive = Annotated[float, Within("(0, inf)")]
NotNegative = Annotated[float, Within("[0, inf)")]
Fraction = Annotated[float, Within("[0, 1]")]
PartialFraction = Annotated[float, Within("[0, 1)")]
PositiveFraction = Annotated[float, Within("(0, 1]")]
Count = Annotated[int, Within("[1, 1000000000]")]
CountOrZero = Annotated[int, Within("[0, 1000000000]")]
Pixels = Annotated[int, Within("[1, 8000]")]  # of an image's side
Threads = Annotated[int, Within("[1, 1024]")]
Seed = Annotated[int, Within("[0, 4294967295]")]

Function = TypeVar("Function", bound=Callable[..., Any])


def validate_settings(settings: Any, prefix: str = "") -> None:
    """Checks all fields of a frozen dataclass; lists become tuples, as JSON gives them back.

    Args:
        settings: The instance, in its `__post_init__`.
        prefix: What stands before the fields' names in messages.

    Raises:
        ValueError: If a value is not what its field's annotation says.
    """
    for name, kind in kinds(type(settings)).items():
        value = getattr(settings, name)
        try:
            object.__setattr__(settings, name, _validate(kind, value))
        except _Misfit:
            raise ValueError(
                f"`{prefix}{name}` must be {_describe(kind)}. Received: {value!r}"
            ) from None


def within_ranges(function: Function) -> Function:
    """Decorator: arguments are checked before the function runs, if annotations say a range.

    Raises:
        ValueError: If an argument is not what its annotation says; the message names it.
    """
    annotations, signature = inspect.get_annotations(function), inspect.signature(function)

    @functools.wraps(function)
    def checked(*args, **options):
        check_ranges(annotations, signature.bind(*args, **options).arguments)
        return function(*args, **options)

    return checked  # type: ignore[return-value]


def check_ranges(annotations: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Checks those of several values whose annotations say a range.

    Raises:
        ValueError: If a value is not what its annotation says.
    """
    for name, value in values.items():
        kind = annotations.get(name)
        if any(typing.get_origin(part) is Annotated for part in (kind, *typing.get_args(kind))):
            try:
                _validate(kind, value)
            except _Misfit:
                raise ValueError(
                    f"`{name}` must be {_describe(kind)}. Received: {name}={value!r}"
                ) from None


def parse_setting(kind: Any, name: str, text: str) -> Any:
    """A value from text.

    Args:
        kind: The field's annotation.
        name: What to call the setting in a message.
        text: E.g. `"0.1"`, `"none"` or `"1,2"`.

    Raises:
        ValueError: If the text is not one of such a value.
    """
    try:
        return _validate(kind, _parse(kind, text))
    except _Misfit:
        raise ValueError(f"`{name}` takes {_describe(kind)}. Received: {name}={text!r}") from None


def format_setting(kind: Any, value: Any) -> str:
    """A value as the text that `parse_setting` takes."""
    if value is None:
        return "none"
    if custom := _custom(kind):
        return custom.format(value)
    if isinstance(value, tuple):
        return ",".join(format_setting(None, item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def kinds(settings: type) -> dict[str, Any]:
    """The annotations of a dataclass's fields by name."""
    return typing.get_type_hints(settings, include_extras=True)


class _Misfit(Exception):
    """A value does not fit its kind."""


def _custom(kind):
    constraints = getattr(kind, "__metadata__", ())
    return next((each for each in constraints if isinstance(each, Custom)), None)


def _is_optional(kind):
    return isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union


def _inner(kind):
    """Of something or None: something."""
    (inner,) = (option for option in typing.get_args(kind) if option is not type(None))
    return inner


def _items(kind, count):
    """The kinds of a tuple's items, of which there are so many."""
    items = typing.get_args(kind)
    return items[:1] * count if items[-1] is Ellipsis else items


def _validate(kind, value):
    if custom := _custom(kind):
        return custom.validate(value)
    if _is_optional(kind):
        return None if value is None else _validate(_inner(kind), value)
    origin = typing.get_origin(kind)
    if origin is Annotated:
        base, *constraints = typing.get_args(kind)
        value = _validate(base, value)
        fits = all(value in constraint for constraint in constraints)
    elif origin is Literal:
        fits = value in typing.get_args(kind)
    elif origin is tuple:
        if not isinstance(value, (tuple, list)):
            raise _Misfit
        items = _items(kind, len(value))
        if len(items) != len(value):
            raise _Misfit
        value = tuple(_validate(item, part) for item, part in zip(items, value, strict=True))
        fits = True
    elif kind in (int, float):
        number = numbers.Integral if kind is int else numbers.Real
        fits = isinstance(value, number) and not isinstance(value, bool)
        fits = fits and not math.isnan(value)
    else:
        fits = isinstance(value, kind)
    if not fits:
        raise _Misfit
    return value


def _parse(kind, text):
    if custom := _custom(kind):
        return custom.parse(text)
    if _is_optional(kind):
        return None if text.lower() == "none" else _parse(_inner(kind), text)
    origin = typing.get_origin(kind)
    if origin is Annotated:
        return _parse(typing.get_args(kind)[0], text)
    if origin is Literal:
        return text
    if origin is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        items = _items(kind, len(parts))
        if len(items) != len(parts):
            raise _Misfit
        return tuple(_parse(item, part) for item, part in zip(items, parts, strict=True))
    if kind is bool:
        if text.lower() not in BOOLEANS:
            raise _Misfit
        return BOOLEANS[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise _Misfit from None


def _describe(kind):
    """What a kind's values are, in words."""
    if _is_optional(kind):
        return f"{_describe(_inner(kind))}, or none"
    origin = typing.get_origin(kind)
    if origin is Annotated:
        base, *constraints = typing.get_args(kind)
        return " ".join([_describe(base), *map(str, constraints)])
    if origin is Literal:
        return f"one of {', '.join(typing.get_args(kind))}"
    if origin is tuple:
        items = typing.get_args(kind)
        if items[-1] is Ellipsis:
            return f"numbers separated by commas, each {_describe(items[0])},"
        return f"{len(items)} numbers separated by commas ({'; '.join(map(_describe, items))})"
    return NAMES.get(kind) or f"of type {kind.__name__}"
