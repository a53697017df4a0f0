"""What `make lint` cannot say: which modules do without TensorFlow, and how long files are."""

import ast
import pathlib

import pytest

from tests.thorough import THOROUGH

ROOT = pathlib.Path(__file__).parents[1]
PARTS = ("training", "export", "benchmark")
PACKAGES = {"keras_ghostnet": "keras_ghostnet"}
PACKAGES |= {part: f"keras_ghostnet.{part}" for part in PARTS}


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


def test_specs_import_nothing():
    files = (ROOT / "keras_ghostnet" / "specs").glob("*.py")
    found = {name for path in files for name in imports(path)}
    known = ("keras_ghostnet.specs", "collections.abc", "typing")
    known += ("dataclasses", "difflib", "functools", "math", "numbers")
    assert [name for name in found if not within(name, known)] == []


@pytest.mark.parametrize("part", PARTS)
def test_links_stand_for_the_top_level_folders(part):
    link = ROOT / "keras_ghostnet" / part
    assert link.is_symlink(), "tools need it: git config core.symlinks true, then check out again"
    assert link.resolve() == ROOT / part


# The models need Keras alone. The one exception calls TensorFlow where it is the backend.
MODELS = (
    "keras_ghostnet",
    "keras_ghostnet.benchmark.networks",
    "keras_ghostnet.builder",
    "keras_ghostnet.cifar",
    "keras_ghostnet.conversion",
    "keras_ghostnet.counting",
    "keras_ghostnet.g_ghostnet",
    "keras_ghostnet.ghosting",
    "keras_ghostnet.ghostnet",
    "keras_ghostnet.ghostnetv2",
    "keras_ghostnet.ghostnetv3",
    "keras_ghostnet.layers",
    "keras_ghostnet.preprocessing",
    "keras_ghostnet.registry",
    "keras_ghostnet.repghostnet",
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


def public_functions(node):
    """Functions of a module, and methods of its classes, but for private ones."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public_functions(child)
        elif isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
            yield child


@pytest.mark.parametrize(("name", "path"), modules())
def test_public_functions_of_training_are_annotated(name, path):
    if not within(name, ["keras_ghostnet.training"]):
        return
    for function in public_functions(ast.parse(path.read_text())):
        arguments = function.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        bare = [each.arg for each in named if not each.annotation]
        assert set(bare) <= {"self", "cls"}, function.name
        assert function.returns, function.name


@pytest.mark.parametrize("file", THOROUGH)
def test_what_is_left_to_the_thorough_tests_is_there(file):
    text = (ROOT / "tests" / file).read_text()
    names = {start.partition("[")[0] for start in THOROUGH[file]}
    assert [name for name in names if f"def {name}" not in text] == []
