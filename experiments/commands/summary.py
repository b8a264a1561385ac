"""Prints an evaluation as a table a person can read."""

import sys
from collections.abc import Mapping
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from experiments.experiment import Evaluation
from experiments.workdir import Workdir, read_json
from research.metrics.intervals import Estimate


def print_evaluation(workdir: Path, evaluation: Evaluation, seconds: float) -> None:
    """One row a metric; baselines, whose metrics carry their name in front, get a column each."""
    subjects, names = _columns(evaluation.metrics)
    # A table that is not for a terminal is for a file, which has no width.
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for subject in subjects:
        table.add_column(subject.replace("_", " ") or "trained", justify="right")
    table.add_column("n", justify="right", no_wrap=True)
    for name in names:
        values = [evaluation.metrics.get(f"{subject}/{name}" if subject else name) for subject in subjects]
        counts = {f"{value.n:,}": None for value in values if isinstance(value, Estimate)}
        table.add_row(name, *("" if value is None else show(value) for value in values), " / ".join(counts))
    console.print(table)
    if any(isinstance(value, Estimate) for value in evaluation.metrics.values()):
        console.print("in brackets: 95 % interval", markup=False)
    for note in evaluation.notes:
        console.print(note, markup=False)
    if seconds:
        console.print(f"{seconds:.0f} s of training")
    for figure in read_json(Workdir(workdir).summary)["figures"]:
        console.print(f"figure   {workdir / figure}", markup=False)
    console.print(f"summary  {workdir / 'summary.json'}", markup=False)


def show(value: float | Estimate) -> str:
    """A number with its interval, or why there is none."""
    if not isinstance(value, Estimate):
        return f"{value:.4g}"
    if value.value is None or value.low is None or value.high is None:
        return f"unresolvable: {value.why}"
    return f"{100 * value.value:.2f} % [{100 * value.low:.1f}, {100 * value.high:.1f}]"


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
