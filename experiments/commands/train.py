"""``likeness train CONFIG``: trains, or goes on where the working directory stopped."""

import contextlib
import dataclasses
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import tyro

from likeness.experiments.commands.choose import parse
from likeness.experiments.storage.trackers import TrackerName, check_trackers
from likeness.research.errors import UserError

if TYPE_CHECKING:
    from likeness.experiments.experiment import Evaluation
    from likeness.experiments.fingerprints import CannotResume


@dataclasses.dataclass(frozen=True)
class Options:
    """Train a config, or go on where it stopped."""

    workdir: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: runs/<config name>)")] = None
    """Working directory, or an address in an object store such as gs://bucket/run. Launching again goes on where it stopped."""
    fresh: tyro.conf.FlagCreatePairsOff[bool] = False
    """Start over in a new directory beside the working directory. Nothing is deleted."""
    accept_changed_inputs: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on also where the training data, or frozen weights, are not those that the working directory was trained with. What
    has changed is kept in changes.jsonl."""
    coordinator: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT")] = None
    """Train in several processes: where process 0 listens for the others, the same for all; auto on TPU pods."""
    process: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: none)")] = None
    """This process's number, from 0, on the machine of --coordinator."""
    processes: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: none)")] = None
    """How many processes there are."""
    join_timeout: int = 300
    """Seconds to wait until all processes are there."""
    hang_after: Annotated[float | None, tyro.conf.arg(metavar="SECONDS", help_behavior_hint="(default: never)")] = None
    """Seconds without a step, compiling and evaluating included, after which a process shows where it stands and ends with
    70."""
    log_to: tuple[TrackerName, ...] = ()
    """Trackers that get the metrics too, beside metrics.jsonl."""
    profile: Annotated[int | None, tyro.conf.arg(metavar="STEPS")] = None
    """Record so many steps into the working directory's profile folder, for XProf or Perfetto."""


def main(arguments: list[str]) -> int:
    if sys.stderr.isatty() and arguments and not arguments[0].startswith("-") and not {"-h", "--help"} & set(arguments):
        # JAX takes more than a second to be imported, and whoever looks on should not wonder.
        print(f"reading the config {arguments[0]}", file=sys.stderr, flush=True)
    name, options, run = parse("train", Options, arguments)
    from likeness.experiments.commands.summary import print_evaluation
    from likeness.experiments.display.progress import Quiet, Terminal
    from likeness.experiments.distributed import processes
    from likeness.experiments.fingerprints import CannotResume
    from likeness.experiments.own_code import own_code
    from likeness.experiments.storage.object_store import is_remote, kept_in_store
    from likeness.experiments.training.stages import stages, work
    from likeness.experiments.training.trainer import train

    if options.hang_after is not None and not options.hang_after > 0:
        raise UserError(f"--hang-after is {options.hang_after:g}: give seconds, above 0.")
    if options.profile is not None and options.profile < 1:
        raise UserError(f"--profile is {options.profile}: give the number of steps to record, 1 or more.")
    check_trackers(options.log_to)
    if options.coordinator is not None:
        _join(options)
    elif options.process is not None or options.processes is not None:
        raise UserError("--process and --processes mean nothing without --coordinator: give host:port of process 0.")
    remote = options.workdir is not None and is_remote(options.workdir)
    if remote and options.fresh:
        raise UserError(f"--fresh cannot look for a free address beside {options.workdir}: give one that is free.")
    given = options.workdir or str(default_workdir(name))
    with kept_in_store(given, Quiet()) if remote else contextlib.nullcontext(Path(given)) as workdir:
        with Terminal(run.steps, run.evaluate_every, stages=work(stages(run))) as terminal:
            try:
                trained = train(
                    run,
                    workdir,
                    fresh=options.fresh,
                    reporter=terminal,
                    hang_after=options.hang_after,
                    trackers=options.log_to,
                    profile=options.profile,
                    accept_changed_inputs=options.accept_changed_inputs,
                    code=own_code(run, name),
                )
            except CannotResume as error:
                raise UserError(f"{error}{_ways_on(error, remote=remote)}") from error
            except Exception as error:
                if not (processes.several() and processes.failed_together(error)):
                    raise
                _lost(error)
        if processes.first():
            print_evaluation(trained.workdir, trained.evaluation, trained.seconds, given if remote else None)
    for line in next_commands(trained.workdir, trained.evaluation) if processes.first() and not remote else []:
        print(line)
    return 0


def _ways_on(error: "CannotResume", *, remote: bool) -> str:
    """The flags that help, beside what the error says."""
    from likeness.experiments.fingerprints import ChangedInputs

    beside = "" if remote else " --fresh starts over in a new directory beside it."
    accepted = " --accept-changed-inputs goes on all the same." if isinstance(error, ChangedInputs) else ""
    return beside + accepted


def _join(options: Options) -> None:
    from likeness.experiments.distributed.processes import Processes, heartbeat

    try:
        members = Processes(
            coordinator=options.coordinator or "",
            process=options.process,
            processes=options.processes,
            timeout=options.join_timeout,
            heartbeat=heartbeat(options.hang_after),
        )
    except ValueError as error:
        raise UserError(f"The processes cannot meet: {error}.") from error
    members.join()


def _lost(error: Exception) -> NoReturn:
    import jax

    from likeness.experiments.distributed.watchdog import HUNG

    print(
        f"likeness: process {jax.process_index()} of {jax.process_count()} stops, since what it computes with the others "
        f"failed: {' '.join(str(error).split())[:300]}. One of them is probably lost: look at their logs. The same command, "
        "in all processes, goes on from the newest checkpoint.",
        file=sys.stderr,
    )
    sys.stdout.flush()
    sys.stderr.flush()
    # In an orderly end JAX would wait for the one that is lost.
    os._exit(HUNG)


def next_commands(workdir: Path, evaluation: "Evaluation") -> list[str]:
    """What can be typed next: of a detector, and of a recognizer that has a threshold τ to answer by."""
    if "detector" in evaluation.artifacts:
        model = shlex.quote(str(workdir))
        return _listed(f"detect IMAGE.jpg --model {model} -o found.png", f"report {model}")
    if "threshold" not in evaluation.artifacts:
        return []
    from likeness.experiments.preprocessing import ModelInputs

    files = ModelInputs.load(workdir).preprocessing
    if files is None:
        return ["next:    state the experiment's `preprocessing` in the config, to ask this model about image files"]
    where = f"--model {shlex.quote(str(workdir))}"
    pair = [workdir / "figures" / "mistakes" / f"different_1_{letter}.png" for letter in "ab"]
    verify = "verify A.jpg B.jpg"
    if files.keeps and f"mistakes/{pair[0].stem}" in evaluation.examples:
        # The two people whom it thinks most alike: why does it?
        verify = f"verify {shlex.join(map(str, pair))} --why why.png"
    return _listed(*(f"{action} {where}" for action in (verify, "enroll add NAME IMAGE.jpg", "identify IMAGE.jpg")))


def _listed(*actions: str) -> list[str]:
    return [f"{'' if i else 'next:':<9}likeness {action}" for i, action in enumerate(actions)]


def default_workdir(name: str) -> Path:
    """``runs/<config name>``; a file of one's own gives its stem."""
    return Path("runs") / (Path(name).stem if name.endswith(".py") else name)
