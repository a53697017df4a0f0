"""What a user installs: the built wheel, outside the checkout."""

import email
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

import keras_ghostnet

ROOT = pathlib.Path(__file__).parents[1]
SOURCES = ("keras_ghostnet", "training", "export", "benchmark")
EXTRAS = {"train", "quantize", "tflite", "compare", "onnx", "serving", "test", "all"}
# Every part of the package, imported; and where it was imported from.
IMPORT_ALL = """
import importlib, pathlib, pkgutil, sys
import keras_ghostnet
for module in pkgutil.walk_packages(keras_ghostnet.__path__, "keras_ghostnet."):
    importlib.import_module(module.name)
print(pathlib.Path(keras_ghostnet.__file__).parent, keras_ghostnet.__version__)
print(len(keras_ghostnet.preprocessing.imagenet_classes()))
assert "keras_ghostnet.training.run" in sys.modules
assert "keras_ghostnet.export.formats" in sys.modules
"""


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    clutter = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=clutter)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def test_nothing_but_the_package_lands_in_site_packages(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert top == {"keras_ghostnet", f"keras_ghostnet-{keras_ghostnet.__version__}.dist-info"}
    assert not [name for name in names if "tests" in name]


def test_every_source_file_is_in_it(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, package in zip(SOURCES, ("", "training/", "export/", "benchmark/"), strict=True):
        for path in (ROOT / folder).rglob("*.py"):
            assert f"keras_ghostnet/{package}{path.relative_to(ROOT / folder)}" in names
    assert "keras_ghostnet/data/imagenet_classes.tsv" in names


def test_metadata(wheel):
    content = zipfile.ZipFile(wheel)
    (name,) = [name for name in content.namelist() if name.endswith("/METADATA")]
    metadata = email.message_from_bytes(content.read(name))
    assert metadata["Version"] == keras_ghostnet.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS
    (entry_points,) = [name for name in content.namelist() if name.endswith("/entry_points.txt")]
    assert content.read(entry_points).decode().split() == [
        "[console_scripts]", "ghostnet", "=", "keras_ghostnet.cli:entry_point",
    ]  # fmt: skip


def test_imports_outside_the_checkout(wheel, tmp_path):
    """All modules import from the wheel's own files; the dependencies are this environment's."""
    target = tmp_path / "site"
    run(
        sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", target, wheel
    )  # fmt: skip
    output = run(
        sys.executable,
        "-c",
        IMPORT_ALL,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
    )
    assert output.split() == [str(target / "keras_ghostnet"), keras_ghostnet.__version__, "1000"]


@pytest.mark.wheel
def test_empty_environment(wheel, tmp_path):
    """With its dependencies in an environment that holds nothing else."""
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    binaries = tmp_path / "venv" / "bin"
    python = binaries / "python"
    run(python, "-m", "pip", "install", "-q", f"{wheel}[train,tflite]")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    output = run(python, "-c", IMPORT_ALL, cwd=tmp_path, env=clean)
    assert output.split()[0].startswith(str(tmp_path / "venv"))
    version = run(binaries / "ghostnet", "--version", cwd=tmp_path, env=clean)
    assert version.strip() == f"keras_ghostnet {keras_ghostnet.__version__}"
    models = run(binaries / "ghostnet", "models", "ghostnet_130", cwd=tmp_path, env=clean)
    assert "7,358,820" in models
    run(python, "-m", "pip", "check")
