"""Prints an evaluation as a table a person can read, and what its rows mean."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from likeness.experiments.display.glossary import head, is_share, legend, placed
from likeness.experiments.experiment import Evaluation
from likeness.experiments.storage.workdir import Workdir, read_json
from likeness.research.gallery import Threshold
from likeness.research.metrics.intervals import Estimate


def print_evaluation(workdir: Path, evaluation: Evaluation, seconds: float, address: str | None = None) -> None:
    """One row a metric; baselines, whose metrics carry their name in front, get a column each.

    Args:
        workdir: where the run is.
        evaluation: what is printed.
        seconds: of training; 0 where there was none.
        address: where its files will be found; None for in ``workdir``.
    """
    place = address or str(workdir)
    # What is not for a terminal is for a file, which has no width.
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(highlight=False, soft_wrap=True, width=None if known else 200)
    embedders, names = _columns(evaluation)
    table = _table(evaluation, embedders, names, " ")
    if console.measure(table, options=console.options.update(max_width=1000)).maximum > console.width:
        table = _table(evaluation, embedders, names, "\n")
    console.print(table, soft_wrap=False)
    for line in _legend(workdir, evaluation, names):
        console.print(line, markup=False, soft_wrap=False)
    for note in evaluation.notes:
        console.print(note, markup=False)
    if seconds:
        console.print(f"{seconds:.0f} s of training")
    for figure in read_json(Workdir(workdir).summary)["figures"]:
        console.print(f"figure   {place}/{figure}", markup=False)
    console.print(f"summary  {place}/summary.json", markup=False)


def _table(evaluation: Evaluation, embedders: Sequence[str], names: Sequence[str], gap: str) -> Table:
    """The table, with ``gap`` between a value and its interval; where nothing was counted, no column says how often."""
    metrics = evaluation.metrics
    counted = any(isinstance(value, Estimate) for value in metrics.values())
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("metric", no_wrap=True)
    for embedder in embedders:
        table.add_column(head(embedder, evaluation.columns), justify="right")
    if counted:
        table.add_column("n", justify="right")
    for name in names:
        values = [metrics.get(f"{embedder}/{name}" if embedder else name) for embedder in embedders]
        counts = {f"{value.n:,}": None for value in values if isinstance(value, Estimate)}
        counts_cell = (" / ".join(counts),) if counted else ()
        table.add_row(name, *("" if value is None else _show(name, value, gap) for value in values), *counts_cell)
    return table


def _show(name: str, value: float | Estimate, gap: str) -> str:
    if not isinstance(value, Estimate):
        return f"{100 * value:.2f}" if is_share(name) else f"{value:.4g}"
    if value.value is None or value.low is None or value.high is None:
        return "unresolvable"
    return f"{100 * value.value:.2f}{gap}[{100 * value.low:.1f}, {100 * value.high:.1f}]"


def _legend(workdir: Path, evaluation: Evaluation, names: Sequence[str]) -> Iterator[str]:
    """What the table's words mean, a line each, and why a rate is missing."""
    estimates = {name: value for name, value in evaluation.metrics.items() if isinstance(value, Estimate)}
    if estimates:
        yield "rates in %, in brackets their 95 % interval; n: how many pairs, probes or examples were counted"
    yield from legend(names)
    if "threshold" in evaluation.artifacts:
        threshold = Threshold.load(Workdir(workdir).artifact("threshold"))
        yield f"{'τ':<13}  {threshold.tau:.4g}, chosen on {threshold.people} validation people; verify and identify tell"
        yield f"{'':<13}  the FAR of those: {threshold.far.text()}"
    for name, value in estimates.items():
        if not value.resolved:
            yield f"unresolvable: {name}: {value.why}"


def _columns(evaluation: Evaluation) -> tuple[list[str], list[str]]:
    embedders, names = [], []
    for path in evaluation.metrics:
        embedder, name = placed(path, evaluation.columns)
        if embedder not in embedders:
            embedders.append(embedder)
        if name not in names:
            names.append(name)
    return sorted(embedders, key=bool), names
