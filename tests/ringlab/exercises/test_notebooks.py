"""The notebooks' sources run as notebooks, from the first cell to the last, and go to .ipynb and back."""

from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

HOME = Path(__file__).parents[3] / "docs" / "tutorials" / "notebooks"
NOTEBOOKS = sorted(HOME.glob("*.py"))


def test_there_are_three():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03"]


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_goes_round(source):
    notebook = jupytext.read(source)
    again = jupytext.reads(jupytext.writes(notebook, fmt="ipynb"), fmt="ipynb")
    assert [(cell.cell_type, cell.source) for cell in again.cells] == [
        (cell.cell_type, cell.source) for cell in notebook.cells
    ]
    assert {"markdown", "code"} == {cell.cell_type for cell in notebook.cells}


@pytest.mark.process
@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
# Its libraries' own warnings, about their event loops and sockets, are not ours to mend.
@pytest.mark.filterwarnings("ignore")
def test_it_runs(source, tmp_path):
    notebook = jupytext.read(source)
    client = nbclient.NotebookClient(
        notebook, timeout=50, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    done = client.execute()
    outputs = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("text" in output for output in outputs)
