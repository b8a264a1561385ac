"""``likeness sweep CONFIG``: makes the runs that the config's ``sweep()`` or ``--over`` asks for, and compares them."""

import ast
import dataclasses
import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from experiments.commands.choose import parse
from experiments.commands.train import default_workdir
from experiments.progress import Terminal
from experiments.run import Run
from experiments.sweep import Override, product
from experiments.sweep_report import deciding, outcomes, parallel_coordinates, ranked, table, write_markdown
from experiments.sweep_runner import Member, Mode, members, sweep, write_results
from research.errors import UserError


@dataclasses.dataclass(frozen=True)
class Options:
    over: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="FIELD=VALUE,…")] = ()
    """Every combination of these instead of the config's sweep(), as in --over optimizer.schedule.rate=1e-3,3e-3 --over
    seed=0,1."""
    together: Mode = "auto"
    """Train runs that differ only in numbers as one program: yes, no, or where a few steps say that it is faster."""
    jobs: int = 1
    """Runs at a time, each in a process of its own; GPUs are shared out. With more than 1 nothing is trained together."""
    metric: str | None = None
    """What the runs are compared by; by default what decides which checkpoint is best, or the first metric."""
    workdir: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: runs/<config name>/sweep)")] = (
        None
    )
    """Directory of the sweep; each run has one in it. Launching again goes on where it stopped."""


def main(arguments: list[str]) -> int:
    name, options, run = parse("sweep", Options, arguments)
    if options.jobs < 1:
        raise UserError(f"--jobs is {options.jobs}: give 1 or more.")
    if options.jobs > 1 and options.together == "yes":
        raise UserError("--together yes and --jobs above 1 exclude each other: one program is one process. Leave one out.")
    root = Path(options.workdir) if options.workdir else default_workdir(name) / "sweep"
    overrides = from_flags(options.over) if options.over else from_config(name)
    made = members(run, overrides, root)
    try:
        with Terminal(run.steps, run.evaluate_every) as terminal:
            terminal.say(f"{len(made)} runs in {root}")
            sweep(made, root, together=options.together, jobs=options.jobs, say=terminal)
    finally:
        # Also of a sweep that was stopped: what is finished so far.
        report(made, run, root, options.metric)
    return 1 if any(member.status != "finished" for member in made) else 0


def from_flags(over: tuple[str, ...]) -> tuple[Override, ...]:
    """Every combination of what ``FIELD=VALUE,VALUE`` lists.

    Values are read as Python reads them, and as text where they are none.

    Raises:
        UserError: a flag has no ``=`` or no value, or a field is named twice.
    """
    factors: dict[str, tuple[Any, ...]] = {}
    for flag in over:
        path, equals, values = flag.partition("=")
        if not equals or not path or not values:
            raise UserError(f"--over {flag} is not FIELD=VALUE,VALUE: give a field and its values, as in seed=0,1,2.")
        if path in factors:
            raise UserError(f"--over names {path} twice: put all its values into one, separated by commas.")
        factors[path] = tuple(map(_value, values.split(",")))
    return product(factors)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text.strip()


def from_config(name: str) -> tuple[Override, ...]:
    """What the config's ``sweep()`` returns.

    Raises:
        UserError: it has none, or it returns something else than mappings from fields to values.
    """
    # Loaded by now, with its get_config().
    own = name.endswith(".py")
    module = sys.modules[Path(name).stem] if own else importlib.import_module(f"configs.{name.replace('/', '.')}")
    function = getattr(module, "sweep", None)
    if function is None:
        raise UserError(
            f"The config {name} has no sweep(): define one that returns overrides, such as product({{'seed': (0, 1)}}) of "
            f"experiments.sweep, or give them here: likeness sweep {name} --over seed=0,1."
        )
    try:
        found = tuple(function())
    except (TypeError, ValueError, NameError, AttributeError) as error:
        raise UserError(f"sweep() in {module.__file__} fails: {error}.") from error
    for override in found:
        if not isinstance(override, dict) or not all(isinstance(path, str) for path in override):
            raise UserError(
                f"sweep() in {module.__file__} returned {override!r}: each must be a mapping from fields to values."
            )
    return found


def report(made: list[Member], run: Run, root: Path, asked: str | None) -> None:
    """Prints the table, and writes it with ``sweep.json`` and the figure."""
    from experiments import figures

    written = [write_results(made, root)]
    found = outcomes(made)
    metric = deciding(run, found, asked)
    order = ranked(run, found, metric)
    rows = table(made, order, found, metric)
    written.append(root / "sweep.md")
    write_markdown(written[-1], rows, made, metric)
    if metric is not None and sum(metric in each.metrics for each in found) > 1:
        figure = parallel_coordinates(made, found, metric, lowest_is_best=run.checkpoints.best_is == "lowest")
        written.append(figures.save(figure, root / "sweep.png"))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in rows[0]:
        shown.add_column(column, justify="left" if column == "status" else "right")
    for row in rows[1:]:
        shown.add_row(*row)
    console.print(shown)
    for member in made:
        if member.status == "failed":
            console.print(f"failed: {member.name}: {member.why}", markup=False, soft_wrap=True)
    for path in written:
        console.print(f"{path.suffix[1:]:<8} {path}", markup=False, soft_wrap=True)
