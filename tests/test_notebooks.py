"""The notebooks run from top to bottom, and are committed without output."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import write_kernel_spec
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Own folders for what a kernel writes, and `tests`, a kernel of the interpreter running the tests."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_PATH", "TMPDIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    write_kernel_spec(tmp_path / "JUPYTER_PATH" / "kernels" / "tests")
    return tmp_path


def test_all_notebooks_are_tested() -> None:
    assert [path.name for path in NOTEBOOKS] == ["01_first_plan.ipynb", "02_scenarios.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_output(path: Path) -> None:
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, surroundings: Path) -> None:
    notebook = read(path)
    resources = {"metadata": {"path": str(surroundings)}}
    NotebookClient(notebook, kernel_name="tests", timeout=240, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert list((surroundings / "TMPDIR").iterdir()) == [], "a notebook removes what it made"
