"""The oldest dependencies that pyproject.toml allows, as constraints for pip.

    python -m tests.oldest > .ci/oldest.txt

With `PIP_CONSTRAINT=.ci/oldest.txt`, `make test` installs and tests with these.
"""

import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).parents[1]
CONSTRAINTS = ROOT / ".ci" / "oldest.txt"
TOOLS = ("test", "docs")  # extras of those who develop the package
HEADER = "# The lower bounds of pyproject.toml: python -m tests.oldest > .ci/oldest.txt\n"


def requirements() -> list[str]:
    """All requirements of pyproject.toml, optional ones too, without those on the package itself.

    What tests and checks the code is left out: only its newest release is asked for.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = [requirement for extra in extras if extra not in TOOLS for requirement in extras[extra]]
    return [r for r in project["dependencies"] + named if not r.startswith(project["name"])]


def constraints() -> str:
    """The file of constraints: `name==lower bound`, a line each."""
    lines = set()
    for requirement in requirements():
        bound = re.fullmatch(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)(?:,.*)?", requirement)
        if bound is None:
            raise ValueError(f"pyproject.toml: expected `name>=version`, found {requirement!r}")
        lines.add("{}=={}\n".format(*bound.groups()))
    return HEADER + "".join(sorted(lines, key=str.lower))


if __name__ == "__main__":
    print(constraints(), end="")
