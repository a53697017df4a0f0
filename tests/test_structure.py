"""The arrows of the layout: which module may import which."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = {"keras_ghostnet": "keras_ghostnet", "training": "keras_ghostnet.training"}
PACKAGES["export"] = "keras_ghostnet.export"
# What stands on top of everything: the command, and the main job that it runs.
TOP = ("keras_ghostnet.cli", "keras_ghostnet.quickstart")


def modules():
    """Name and path of every module of the package."""
    for folder, package in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join((package, *parts)).removesuffix(".__init__")
            yield pytest.param(name, path, id=name)


def imports(path):
    """Names of all modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name, packages):
    return any(name == package or name.startswith(package + ".") for package in packages)


@pytest.mark.parametrize(("name", "path"), modules())
def test_imports_point_one_way(name, path):
    found = set(imports(path))
    if not within(name, (*TOP, "keras_ghostnet.training", "keras_ghostnet.export")):
        forbidden = ("keras_ghostnet.training", "keras_ghostnet.export", *TOP)
        assert not [target for target in found if within(target, forbidden)]
    if within(name, ["keras_ghostnet.training"]):
        assert not [target for target in found if within(target, ["keras_ghostnet.export", *TOP])]
    if within(name, ["keras_ghostnet.layers"]):
        own = [target for target in found if within(target, ["keras_ghostnet"])]
        assert all(within(t, ["keras_ghostnet.layers", "keras_ghostnet.specs"]) for t in own)
    if name == "keras_ghostnet.specs":
        assert found <= {"dataclasses", "difflib", "functools", "math", "numbers"}


# The models need Keras alone. The one exception calls TensorFlow where it is the backend.
MODELS = (
    "keras_ghostnet",
    "keras_ghostnet.baselines",
    "keras_ghostnet.builder",
    "keras_ghostnet.cifar",
    "keras_ghostnet.counting",
    "keras_ghostnet.g_ghostnet",
    "keras_ghostnet.ghostnet",
    "keras_ghostnet.layers",
    "keras_ghostnet.preprocessing",
    "keras_ghostnet.registry",
    "keras_ghostnet.weights",
)


@pytest.mark.parametrize(("name", "path"), modules())
def test_models_do_not_need_tensorflow(name, path):
    if within(name, MODELS[1:]) or name == MODELS[0]:
        imported = any(
            within(target, ["tensorflow", "torch", "paddle"]) for target in imports(path)
        )
        # Where TensorFlow is the backend they call ops of its own.
        layers = ("keras_ghostnet.layers.convolution", "keras_ghostnet.layers.normalization")
        assert imported == (name in layers)


@pytest.mark.parametrize(("name", "path"), modules())
def test_files_are_of_a_size_to_be_read(name, path):
    assert len(path.read_text().splitlines()) <= 400, "one file, one job: split it"
