"""``likeness sweep CONFIG``: makes the runs that the config's ``sweep()`` or ``--over`` asks for, and compares them."""

import ast
import dataclasses
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from likeness.experiments.commands.choose import meant, parse
from likeness.experiments.commands.train import default_workdir
from likeness.experiments.storage.trackers import TrackerName, check_trackers
from likeness.research.errors import UserError

if TYPE_CHECKING:
    from likeness.experiments.run import Run
    from likeness.experiments.sweeps import Override
    from likeness.experiments.sweeps.members import Member
    from likeness.experiments.sweeps.rungs import SuccessiveHalving
    from likeness.experiments.sweeps.slurm import SlurmArray

DONE, FAILED, AGAIN = 0, 1, 75


@dataclasses.dataclass(frozen=True)
class Options:
    """Make many runs of a config, together where that is faster, and compare them."""

    over: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="FIELD=VALUE,…")] = ()
    """Every combination of these instead of the config's sweep(), as in --over optimizer.schedule.peak_lr=1e-3,3e-3 --over
    seed=0,1."""
    vmap: Literal["yes", "no", "auto"] = "auto"
    """Train runs that differ only in numbers as one program: yes, no, or where a few steps say that it is faster."""
    jobs: int = 1
    """Runs at a time, each in a process of its own; GPUs are shared out. With more than 1 nothing is trained together."""
    halve: Annotated[int | None, tyro.conf.arg(metavar="ETA")] = None
    """Stop runs early: at every rung the best one of so many goes on, by the metric on the validation part. 3 is usual."""
    first_rung: Annotated[int | None, tyro.conf.arg(metavar="STEPS")] = None
    """Step of the first rung; each other is ETA times as far. By default such that one run is left for the last stretch."""
    metric: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: of the checkpoints)")] = None
    """What the runs are compared by; by default what decides which checkpoint is best, or the first metric."""
    mode: Literal["min", "max"] | None = None
    """Whether the best is the lowest or the highest; by default as for the config's checkpoints."""
    slurm: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="NAME=VALUE,…")] = ()
    """Train in a job array of Slurm, through submitit, as in --slurm partition=gpu,gpus_per_node=1,timeout_min=240. The
    working directory must be one that all machines see."""
    detach: tyro.conf.FlagCreatePairsOff[bool] = False
    """Leave once the jobs are submitted; the same command again collects what has come out and submits what is left."""
    log_to: tuple[TrackerName, ...] = ()
    """Trackers that get the metrics of every run too, beside its metrics.jsonl."""
    workdir: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: runs/<config name>/sweep)")] = (
        None
    )
    """Directory of the sweep; each run has one in it. Launching again goes on where it stopped."""


def main(arguments: list[str]) -> int:
    name, options, run = parse("sweep", Options, arguments)
    from likeness.experiments.display.progress import Terminal
    from likeness.experiments.sweeps.members import members
    from likeness.experiments.sweeps.overrides import NoSuchField
    from likeness.experiments.sweeps.runner import make_runs

    check(options)
    halving, slurm = halving_of(options, run), slurm_of(options)
    root = Path(options.workdir) if options.workdir else default_workdir(name) / "sweep"
    overrides = from_flags(options.over) if options.over else from_config(name)
    try:
        made = members(run, overrides, root, name)
    except NoSuchField as error:
        whole = next(path for each in overrides for path in each if path.replace("-", "_").startswith(error.path))
        suggested = meant(run, whole)
        raise UserError(f"{error.what}. {suggested}" if suggested else str(error)) from error
    for member in made:
        # Before anything is written: what an earlier sweep has found stays as it is.
        member.check()
    try:
        with Terminal(run.steps, run.evaluate_every) as terminal:
            terminal.say(f"{len(made)} run{'s' * (len(made) > 1)} in {root}")
            make_runs(
                made,
                root,
                vmap=options.vmap,
                jobs=options.jobs,
                say=terminal,
                halving=halving,
                slurm=slurm,
                trackers=options.log_to,
            )
    finally:
        # Also of a sweep that was stopped: what is finished so far.
        report(made, run, root, options.metric, options.mode or run.checkpoints.mode)
    states = {member.status for member in made}
    return FAILED if "failed" in states else AGAIN if states - {"finished", "stopped"} else DONE


def check(options: Options) -> None:
    """Refuses flags that exclude each other, and trackers that cannot be written.

    Raises:
        UserError: for what is wrong.
    """
    if options.jobs < 1:
        raise UserError(f"--jobs is {options.jobs}: give 1 or more.")
    if options.jobs > 1 and options.vmap == "yes":
        raise UserError("--vmap yes and --jobs above 1 exclude each other: one program is one process. Leave one out.")
    if options.slurm and (options.jobs > 1 or options.vmap == "yes"):
        raise UserError("--slurm makes every run a job of its own: leave --jobs and --vmap out.")
    if options.detach and not options.slurm:
        raise UserError("--detach means nothing without --slurm: only jobs in a queue go on without this command.")
    if options.first_rung is not None and options.halve is None:
        raise UserError("--first-rung means nothing without --halve: say what part of the runs goes on, as in --halve 3.")
    if options.vmap == "yes" and "wandb" in options.log_to:
        raise UserError("--log-to wandb and --vmap yes exclude each other: W&B takes one run at a time from a process.")
    check_trackers(options.log_to)


def halving_of(options: Options, run: "Run") -> "SuccessiveHalving | None":
    """How runs are stopped early.

    Raises:
        UserError: a number is out of range, or nothing says which end of the metric is the good one.
    """
    if options.halve is None:
        return None
    from likeness.experiments.sweeps.rungs import SuccessiveHalving

    best = run.checkpoints.best_metric
    if options.metric is not None and options.metric != best and options.mode is None:
        raise UserError(
            f"--halve compares by {options.metric}, of which the config does not say whether the lowest is best: add --mode "
            "min or --mode max."
        )
    try:
        return SuccessiveHalving(
            eta=options.halve,
            first=options.first_rung,
            metric=options.metric or best,
            mode=options.mode or run.checkpoints.mode,
        )
    except ValueError as error:
        raise UserError(f"--halve {options.halve} is refused: {error}.") from error


def slurm_of(options: Options) -> "SlurmArray | None":
    """The job array that ``--slurm`` asks for.

    Raises:
        UserError: it cannot be submitted.
    """
    if not options.slurm:
        return None
    from likeness.experiments.sweeps.slurm import SlurmArray

    parameters: dict[str, Any] = {}
    # A comma may also be in a value, as in a list of partitions.
    for flag in (part for text in options.slurm for part in re.split(r",(?=\w+=)", text)):
        parameter, equals, value = flag.partition("=")
        if not equals or not parameter or not value:
            raise UserError(f"--slurm {flag} is not NAME=VALUE: give submitit's names, as in timeout_min=240,partition=gpu.")
        parameters[parameter] = _value(value)
    try:
        array = SlurmArray(parameters=parameters, detach=options.detach)
    except ValueError as error:
        raise UserError(f"--slurm {','.join(options.slurm)}: {error}.") from error
    array.check()
    return array


def from_flags(over: tuple[str, ...]) -> "tuple[Override, ...]":
    """Every combination of what ``FIELD=VALUE,VALUE`` lists.

    Values are read as Python reads them, and as text where they are none.

    Raises:
        UserError: a flag has no ``=`` or no value, or a field is named twice.
    """
    from likeness.experiments.sweeps import product

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


def from_config(name: str) -> "tuple[Override, ...]":
    """What the config's ``sweep()`` returns.

    Raises:
        UserError: it has none, or it returns something else than mappings from fields to values.
    """
    from likeness.experiments.config import module_of

    module = module_of(name)
    function = getattr(module, "sweep", None)
    if function is None:
        raise UserError(
            f"The config {name} has no sweep(): define one that returns overrides, such as product({{'seed': (0, 1)}}) of "
            f"likeness.experiments.sweeps, or give them here: likeness sweep {name} --over seed=0,1."
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


def report(made: "list[Member]", run: "Run", root: Path, asked: str | None, mode: Literal["min", "max"]) -> None:
    """Prints the table, and writes it with ``sweep.json`` and the figure."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from likeness.experiments.sweeps.report import fitted, without_parts, write

    written = write(made, run, root, asked, mode)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    header, *body = fitted(written.rows, console.width)
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in header:
        # What became of a run may take several lines, and a number never.
        shown.add_column(column, justify="left" if column == "status" else "right", no_wrap=column != "status")
    for row in body:
        shown.add_row(*row)
    console.print(shown)
    if written.metric is not None:
        of = "of what each run made" if without_parts(made) else "of the test part"
        console.print(f"numbers are {of}; their intervals are in {written.files[0]}", markup=False, soft_wrap=True)
    for member in made:
        if member.status == "failed":
            console.print(f"failed: {member.name}: {member.why}", markup=False, soft_wrap=True)
    for path in written.files:
        console.print(f"{path.suffix[1:]:<8} {path}", markup=False, soft_wrap=True)
