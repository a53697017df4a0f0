"""Maps the top-level folders into the package; all metadata is in pyproject.toml.

`training/`, `export/` and `benchmark/` install as parts of `keras_ghostnet`. In a checkout, links
in `keras_ghostnet/` stand for them, so that editors and type checkers find them; a build does not
rely on those, since some systems check links out as files.
"""

from setuptools import find_packages, setup

PARTS = ("training", "export", "benchmark")


def packages(folder: str, name: str, exclude: tuple[str, ...] = ()) -> list[str]:
    """The packages below a folder of the checkout, under the name they are installed by."""
    return [name] + [f"{name}.{package}" for package in find_packages(folder, exclude=exclude)]


links = tuple(pattern for part in PARTS for pattern in (part, f"{part}.*"))
setup(
    packages=[
        *packages("keras_ghostnet", "keras_ghostnet", exclude=links),
        *(name for part in PARTS for name in packages(part, f"keras_ghostnet.{part}")),
    ],
    package_dir={
        "keras_ghostnet": "keras_ghostnet",
        **{f"keras_ghostnet.{part}": part for part in PARTS},
    },
    package_data={
        "": ["*.pyi"],
        "keras_ghostnet": ["data/*", "py.typed"],
        "keras_ghostnet.export": ["templates/*"],
        "keras_ghostnet.hub": ["templates/*"],
        "keras_ghostnet.training.launch": ["*.yaml", "*.sh", "Dockerfile"],
        "keras_ghostnet.export.web": ["page/*"],
        "keras_ghostnet.benchmark": ["data/*", "templates/*"],
        "keras_ghostnet.benchmark.arm": ["*.c"],
    },
)
