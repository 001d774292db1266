"""The notebooks of examples/ run from top to bottom, and are kept without what they print."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

BOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))
SAID = {
    "own_data": ("SIMULATED", "audio column 5 (counted from 0) left out", "source videos"),
    "own_videos": ("the model was trained without it", "[+0.60] 这家店很好，我很喜欢。"),
}


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(path, tmp_path):
    book = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in book.cells), "clear the outputs before you commit"
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    printed = str(outputs)
    for text in SAID[path.stem]:
        assert text in printed
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_both_are_there():
    assert [path.stem for path in BOOKS] == sorted(SAID)
