"""The tutorials run from their first cell to their last, each in an empty folder."""

import pathlib

import pytest

pytestmark = pytest.mark.tutorials
TUTORIALS = sorted((pathlib.Path(__file__).parents[1] / "docs" / "tutorials").glob("*.ipynb"))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs(path, tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="make test-tutorials installs it")
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "clear the outputs"
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
