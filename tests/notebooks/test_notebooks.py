"""The notebooks run as they stand from a clean kernel, end with a figure, and have outputs of the cells that they have."""

import re
from pathlib import Path

import nbformat
import pytest
from named import check_names

from notebooks.execute import HERE, NAMES, copied, executed

LARGEST = 400_000
"""Bytes of a notebook with its outputs."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of notebooks where nothing was trained before; what one of them trains, the next finds."""
    return copied(tmp_path_factory.mktemp("clone"))


def kept(name: str) -> nbformat.NotebookNode:
    with (HERE / f"{name}.ipynb").open(encoding="utf-8") as file:
        return nbformat.read(file, as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def structure(notebook: nbformat.NotebookNode) -> list[list[tuple[str, ...]]]:
    """Of each cell, what kinds of outputs it has."""
    return [
        [(output.output_type, output.get("name", ""), *sorted(output.get("data", ()))) for output in cell.outputs]
        for cell in code(notebook)
    ]


@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_a_clean_kernel(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As for users: compiled with all optimizations, and with no data.
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.delenv("LIKENESS_DATA", raising=False)
    notebook = executed(place / f"{name}.ipynb", timeout=900.0)
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in code(notebook)[-1].outputs)
    assert structure(notebook) == structure(kept(name)), "the committed outputs are of other cells: run `make notebooks`"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_notebook_names_of_likeness_is_there(name: str) -> None:
    """The cheap part of running it: its code parses, and what it takes of Likeness exists."""
    check_names("\n".join(line for cell in code(kept(name)) for line in cell.source.splitlines() if line[:1] != "%"))


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_was_executed_from_top_to_bottom(name: str) -> None:
    notebook = kept(name)
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert (HERE / f"{name}.ipynb").stat().st_size < LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_opens_with_a_question_and_works_alone(name: str) -> None:
    """What it looks at it trains itself, and it reads and writes nothing but its own runs."""
    notebook = kept(name)
    title, question = notebook.cells[0].source.split("\n\n")[:2]
    assert title.startswith("# ") and re.match(r"\*\*[^*]+\?\*\*", question)
    source = "\n".join(cell.source for cell in code(notebook))
    assert "train(" in source and "../runs/notebooks/" in source
    assert not re.search(r"https?://|shared/|LIKENESS_DATA|import \w+\._|\._[a-z]", source)


def test_every_notebook_is_listed() -> None:
    assert {path.stem for path in HERE.glob("*.ipynb")} == set(NAMES)
