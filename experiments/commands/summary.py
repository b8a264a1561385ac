"""Prints an evaluation as a table a person can read."""

from collections.abc import Mapping
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from experiments.experiment import Evaluation
from research.metrics.intervals import Estimate


def print_evaluation(workdir: Path, evaluation: Evaluation, seconds: float) -> None:
    """One row a metric; baselines, whose metrics carry their name in front, get a column each."""
    subjects, names = _columns(evaluation.metrics)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric")
    for subject in subjects:
        table.add_column(subject.replace("_", " ") or "trained", justify="right")
    for name in names:
        cells = [evaluation.metrics.get(f"{subject}/{name}" if subject else name) for subject in subjects]
        table.add_row(name, *("" if cell is None else show(cell) for cell in cells))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for note in evaluation.notes:
        console.print(note, markup=False)
    if seconds:
        console.print(f"{seconds:.0f} s of training")
    for name in sorted(evaluation.figures):
        console.print(f"figure   {workdir / 'figures' / name}.png", markup=False)
    console.print(f"summary  {workdir / 'summary.json'}", markup=False)


def show(value: float | Estimate) -> str:
    """A number with its interval, or why there is none."""
    return value.text() if isinstance(value, Estimate) else f"{value:.4g}"


def _columns(metrics: Mapping[str, float | Estimate]) -> tuple[list[str], list[str]]:
    subjects, names = [""], []
    for path in metrics:
        parts = path.split("/")
        subject = parts[0] if len(parts) == 3 else ""
        if subject not in subjects:
            subjects.append(subject)
        name = "/".join(parts[-2:])
        if name not in names:
            names.append(name)
    return subjects, names
