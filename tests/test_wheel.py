"""What a user installs: the built wheel, outside the checkout."""

import email
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest

import keras_ghostnet

ROOT = pathlib.Path(__file__).parents[1]
SOURCES = ("keras_ghostnet", "training", "export", "benchmark")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# Every part of the package, imported; and where it was imported from.
IMPORT_ALL = """
import importlib, pathlib, pkgutil, sys
import keras_ghostnet
import keras_ghostnet.export.quantization
# Which takes seconds to import: only those who quantize wait.
assert "tensorflow_model_optimization" not in sys.modules
for module in pkgutil.walk_packages(keras_ghostnet.__path__, "keras_ghostnet."):
    importlib.import_module(module.name)
print(pathlib.Path(keras_ghostnet.__file__).parent, keras_ghostnet.__version__)
print(len(keras_ghostnet.imagenet.imagenet_classes()))
assert "keras_ghostnet.training.run" in sys.modules
assert "keras_ghostnet.export.formats" in sys.modules
"""


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def checkout(folder, links):
    """A copy of the sources, so that nothing is left in the checkout.

    Args:
        folder: Where to copy them.
        links: Whether git made the links; on Windows it writes what they point to into files.
    """
    for name in SOURCES:
        clutter = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=clutter)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    if not links:
        for name in SOURCES[1:]:
            link = folder / "keras_ghostnet" / name
            target = os.readlink(link)
            link.unlink()
            link.write_text(target)
    return folder


def build(source, *options):
    """Builds in a copy of the sources; returns the folder with what was built."""
    run(sys.executable, "-m", "build", "--no-isolation", *options, source)
    return source / "dist"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a checkout."""
    source = checkout(tmp_path_factory.mktemp("wheel"), links=True)
    (built,) = build(source, "--wheel").glob("*.whl")
    return built


def contents(wheel):
    """Names and hashes of the files in a wheel."""
    archive = zipfile.ZipFile(wheel)
    return {info.filename: info.CRC for info in archive.infolist() if "RECORD" not in info.filename}


def test_nothing_but_the_package_lands_in_site_packages(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert top == {"keras_ghostnet", f"keras_ghostnet-{keras_ghostnet.__version__}.dist-info"}
    assert not [name for name in names if "tests" in name]


def test_every_file_of_the_sources_is_in_it(wheel):
    expected = set()
    for folder, package in zip(SOURCES, ("", "training/", "export/", "benchmark/"), strict=True):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and not path.is_symlink():
                expected.add(f"keras_ghostnet/{package}{path.relative_to(ROOT / folder)}")
    assert {name for name in contents(wheel) if ".dist-info/" not in name} == expected
    assert {"keras_ghostnet/py.typed", "keras_ghostnet/data/imagenet_classes.tsv"} <= expected


def test_a_checkout_without_links_builds_the_same_through_its_sdist(wheel, tmp_path):
    """Of the sdist, `build` makes the wheel unless it is told otherwise."""
    (built,) = build(checkout(tmp_path / "windows", links=False)).glob("*.whl")
    assert contents(built) == contents(wheel)


# Where the parts are found, without importing them; alone, with what an editable install leaves.
FIND = """
import site, sys
site.addsitedir(sys.argv[1])
def find(name, path=None):
    return next(filter(None, (finder.find_spec(name, path) for finder in sys.meta_path)))
root = find("keras_ghostnet")
print(root.origin)
for part in ("training", "export", "benchmark"):
    print(find(f"keras_ghostnet.{part}", root.submodule_search_locations).origin)
"""


@pytest.mark.parametrize("links", [True, False])
def test_editable_install_finds_every_part(links, tmp_path):
    source, target = checkout(tmp_path / "checkout", links), tmp_path / "site"
    options = ("-q", "--no-deps", "--no-build-isolation", "--target", target)
    run(sys.executable, "-m", "pip", "install", *options, "-e", source)
    found = run(sys.executable, "-I", "-S", "-c", FIND, target, cwd=tmp_path).split()
    assert [pathlib.Path(path).resolve() for path in found] == [
        source / name / "__init__.py" for name in SOURCES
    ]


def test_metadata(wheel):
    content = zipfile.ZipFile(wheel)
    (name,) = [name for name in content.namelist() if name.endswith("/METADATA")]
    metadata = email.message_from_bytes(content.read(name))
    assert metadata["Version"] == keras_ghostnet.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS.keys()
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
    """With its dependencies and extras in an environment that holds nothing else."""
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    binaries = tmp_path / "venv" / "bin"
    python = binaries / "python"
    run(python, "-m", "pip", "install", "-q", f"{wheel}[all]")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    output = run(python, "-c", IMPORT_ALL, cwd=tmp_path, env=clean)
    assert output.split()[0].startswith(str(tmp_path / "venv"))
    version = run(binaries / "ghostnet", "--version", cwd=tmp_path, env=clean)
    assert version.strip() == f"keras_ghostnet {keras_ghostnet.__version__}"
    models = run(binaries / "ghostnet", "models", "ghostnet_130", cwd=tmp_path, env=clean)
    assert "7,358,820" in models
    run(python, "-m", "pip", "check")
