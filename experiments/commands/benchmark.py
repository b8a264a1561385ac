"""``likeness benchmark [SUITE …]``: how fast Likeness is on this machine, alone or beside other libraries."""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from likeness.experiments.commands.flags import cli
from likeness.research.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from likeness.experiments.benchmarks.protocol import Result
    from likeness.experiments.benchmarks.running import Plan

SUITES = {
    "training": "a training step of an encoder",
    "losses": "triplet losses with their gradient",
    "search": "the nearest of a gallery",
    "input": "images read, decoded and augmented",
    "style": "a step of style transfer by VGG-19",
    "start": "how long people wait for an answer, and for training to begin",
    "checkpoints": "for how long a save holds training up",
    "sweeps": "a step of sixteen runs as one program, beside one after the other",
    "dispatch": "what the trainer adds to a step",
    "photographs": "from photographs to an embedding of each face",
    "detection": "non-maximum suppression",
    "detectors": "published detectors",
    "windows": "a classifier slid over an image",
    "regions": "R-CNN, Fast R-CNN and Faster R-CNN beside one another",
    "evaluation": "COCO's average precision",
}
"""What each suite measures; each has a module of its name in ``experiments/benchmarks/suites``."""

_ENDINGS = {"html": (".html", ".htm"), "markdown": (".md",), "figure": (".png", ".svg"), "json": (".json",)}
_File = tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")


@dataclasses.dataclass(frozen=True)
class Options:
    """Measures how fast Likeness is on this machine, and with --peers beside other libraries.

    Each row is one piece of work. Those who do it alternate in one process on pinned threads, and memory is measured in a
    process for each of them. A row with a goal says whether it is met.
    """

    suites: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[SUITE …]", help_behavior_hint="(default: all)")
    ] = ()
    """Which suites: training, losses, search, input, style, start, checkpoints, sweeps, dispatch, photographs, detection,
    detectors, windows, regions, evaluation; or the name with dots of a module of your own, which has rows(size)."""
    peers: bool = False
    """Measure other libraries too, which the extra `peers` brings."""
    only: Annotated[str, tyro.conf.arg(metavar="TEXT", help_behavior_hint="(default: all)")] = ""
    """Only rows whose name holds this, such as Conv-4."""
    threads: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N ...")] = (1,)
    """Processor cores; `1 2` measures each row on one and on two, and says what the second brings."""
    rounds: int = 7
    """Timed rounds; 0 measures nothing and shows what --json FILE keeps."""
    seconds: float = 40.0
    """No further round of a row begins after so long; three are always taken."""
    memory: bool = True
    """Measure memory too, in further processes."""
    size: Literal["tiny", "usual", "large"] = "usual"
    """tiny: find out whether everything runs, with figures that mean nothing; large: also what takes minutes."""
    json: Annotated[str | None, _File] = None
    """Keep the results here; what is measured again replaces what was there, and the other files are made of all of it."""
    html: Annotated[str | None, _File] = None
    """Write one page with tables and figures (extra `report`)."""
    markdown: Annotated[str | None, _File] = None
    """Write one table in Markdown."""
    figure: Annotated[str | None, _File] = None
    """Draw how many times as fast as its peers Likeness is: a name that ends in .png or .svg."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness benchmark", arguments=arguments)
    return benchmark(options)


def benchmark(options: Options) -> int:
    """Measures and shows.

    Raises:
        UserError: an option cannot be used, or a peer is not installed; before anything is measured.
    """
    _check(options)
    from rich.console import Console

    from likeness.experiments.benchmarks.running import Plan, merged, read_results
    from likeness.experiments.benchmarks.table import NOTES, machines, threads_lines

    console = Console(highlight=False, soft_wrap=True)
    plans = [
        Plan(options.size, options.peers, threads, options.rounds, options.seconds, options.memory)
        for threads in dict.fromkeys(options.threads)
    ]
    results = read_results(Path(options.json)) if options.json else []

    def found(result: "Result") -> None:
        nonlocal results
        results = merged(results, [result])
        if options.json:
            _keep(results, Path(options.json))
        show(result, console)

    if options.rounds:
        _measure(options, plans, found)
    else:
        for result in results:
            show(result, console)
    for line in [*threads_lines(results), *machines(results), *NOTES]:
        console.print(line, markup=False)
    for written in _write(options, results):
        console.print(written, markup=False)
    return 0


def _check(options: Options) -> None:
    for suite in options.suites:
        if suite not in SUITES and "." not in suite:
            raise UserError(f"There is no suite {suite!r}: choose one of {', '.join(SUITES)}.")
    if options.rounds < 0 or options.seconds <= 0:
        raise UserError(
            f"--rounds is {options.rounds} and --seconds {options.seconds}: give 0 or more rounds and some seconds."
        )
    if not options.rounds and not options.json:
        raise UserError("--rounds 0 measures nothing: name by --json FILE the results to show.")
    if not options.threads:
        raise UserError("--threads names no number: give one or more, such as 1 2.")
    from likeness.experiments.benchmarks.pinning import check_threads
    from likeness.research.errors import require

    for threads in options.threads:
        check_threads(threads)
    for flag, endings in _ENDINGS.items():
        path = getattr(options, flag)
        if path is not None and not path.lower().endswith(endings):
            raise UserError(f"--{flag} is {path}: give a name that ends in {' or '.join(endings)}.")
    if options.html:
        require("jinja2", "report", "--html")


def _measure(options: Options, plans: "Sequence[Plan]", found: "Callable[[Result], None]") -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from likeness.experiments.benchmarks.running import measure, rows_of

    work = [
        (suite, row, plan) for suite in options.suites or SUITES for plan in plans for row in rows_of(suite, plan, options.only)
    ]
    if not work:
        raise UserError(f"--only is {options.only!r}, and no row's name holds that: leave it out to see them all.")
    console = Console(stderr=True, highlight=False)
    columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(work))
        for suite, row, plan in work:
            # A log file has no bar, and says at least what is measured now.
            if not console.is_terminal:
                print(f"{suite}: {row.name}, {plan.threads} thread(s)", file=sys.stderr, flush=True)

            def tell(text: str, name: str = row.name) -> None:
                progress.update(task, description=f"{name}: {text}")

            found(measure(suite, row, plan, tell))
            progress.advance(task)


def show(result: "Result", console: "Console") -> None:
    """Prints a row's table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from likeness.experiments.benchmarks.table import HEADS, goal_line, lines, title

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    rows = lines(result)
    used = [column for column in range(len(HEADS)) if any(row[column] for row in rows)]
    for column in used:
        table.add_column(HEADS[column], justify="right" if column else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(row[column] for column in used))
    needed = sum(3 + max(len(HEADS[column]), *(len(row[column]) for row in rows)) for column in used)
    console.print(title(result), style="bold", markup=False)
    Console(highlight=False, width=max(console.width, needed)).print(table)
    if goal := goal_line(result):
        console.print(goal, end="\n\n", markup=False)


def _keep(results: "Sequence[Result]", path: Path) -> None:
    import json

    from likeness.research.files import write_atomically

    write_atomically(path, json.dumps([result.to_json() for result in results], indent=1) + "\n")


def _write(options: Options, results: "Sequence[Result]") -> list[str]:
    """Writes what was asked for, and says where."""
    from likeness.research.files import write_atomically

    said = []
    if options.markdown:
        from likeness.experiments.benchmarks.table import markdown

        write_atomically(Path(options.markdown), markdown(results))
        said.append(f"table    {options.markdown}")
    if options.figure:
        from likeness.experiments.benchmarks.figure import speeds
        from likeness.experiments.display import figures

        said.append(f"figure   {figures.save(speeds(results), options.figure)}")
    if options.html:
        from likeness.experiments.benchmarks.page import page_of

        write_atomically(Path(options.html), page_of(results))
        said.append(f"page     {options.html}")
    if options.json:
        said.append(f"results  {options.json}")
    return said
