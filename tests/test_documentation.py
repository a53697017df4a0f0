"""Every public name can be imported, is annotated, and says what it takes, returns and raises."""

import ast
import importlib
import inspect
import re
import textwrap

import pytest

PACKAGES = [
    "keras_ghostnet",
    "keras_ghostnet.layers",
    "keras_ghostnet.weights",
    "keras_ghostnet.hub",
    "keras_ghostnet.training",
    "keras_ghostnet.training.data",
    "keras_ghostnet.training.recipes",
    "keras_ghostnet.export",
    "keras_ghostnet.benchmark",
]


def public_objects():
    """Each public class and function once, with the name that it is imported by."""
    found = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                found.setdefault(value, f"{package}.{name}")
    return [pytest.param(value, id=name) for value, name in found.items()]


def public_functions(overrides):
    """The public functions, and the public classes' own methods and constructors.

    Args:
        overrides: With methods that a base class has too, whose docstring says what they do.
    """
    for parameter in public_objects():
        (value,) = parameter.values
        if inspect.isfunction(value):
            yield parameter
            continue
        inherited = {name for base in value.__mro__[1:] for name in vars(base)} - {"__init__"}
        for name, member in vars(value).items():
            member = getattr(member, "__func__", getattr(member, "fget", member))
            if not inspect.isfunction(member) or (name in inherited and not overrides):
                continue
            written = member.__code__.co_filename != "<string>"  # a dataclass writes its own
            if written and (name == "__init__" or not name.startswith("_")):
                yield pytest.param(member, id=f"{parameter.id}.{name}")


def arguments(function):
    """The parameters that a caller gives."""
    parameters = inspect.signature(function).parameters.values()
    return [p for p in parameters if p.name not in ("self", "cls") and not p.name.startswith("_")]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_can_be_imported(package):
    names = importlib.import_module(package).__all__
    assert len(set(names)) == len(names)
    exec(f"from {package} import {', '.join(names)}", {})


@pytest.mark.parametrize("function", public_functions(overrides=True))
def test_public_functions_are_annotated(function):
    missing = [p.name for p in arguments(function) if p.annotation is inspect.Parameter.empty]
    if inspect.signature(function).return_annotation is inspect.Signature.empty:
        missing.append("return")
    assert missing == []


@pytest.mark.parametrize("value", public_objects())
def test_public_objects_have_a_docstring(value):
    assert value.__doc__, "a docstring of its own, not one that it inherits"


def section(docstring, title):
    """The lines of a section of a Google-style docstring; None where there is none."""
    found = re.search(rf"^{title}:\n((?:[ \t]+.*\n|\n)+)", docstring + "\n", re.MULTILINE)
    return found and textwrap.dedent(found[1])


@pytest.mark.parametrize("function", public_functions(overrides=False))
def test_docstrings_tell_arguments_results_and_errors(function):
    """A constructor's arguments may stand in its class's docstring."""
    docstring = inspect.getdoc(function) or ""
    owner = function.__qualname__.rpartition(".")[0]
    if function.__name__ == "__init__":
        docstring = inspect.getdoc(getattr(inspect.getmodule(function), owner)) + "\n" + docstring
    assert docstring
    told = section(docstring, "Args")
    if told is None and len(arguments(function)) > 1 and not owner:
        pytest.fail("it has no section `Args:`")
    if told is not None:
        names = {name for line in re.findall(r"^\*{0,2}(\w[\w, *]*):", told, re.MULTILINE)
                 for name in re.split(r"[, *]+", line)}  # fmt: skip
        assert {p.name for p in arguments(function)} <= names
        returns = inspect.signature(function).return_annotation
        if returns not in (None, "None") and function.__name__ != "__init__":
            assert section(docstring, "Returns") or section(docstring, "Yields")
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    if not owner and any(isinstance(node, ast.Raise) and node.exc for node in ast.walk(tree)):
        assert section(docstring, "Raises")
