"""``likeness evaluate WORKDIR``: evaluates the model again, or beside the training each checkpoint as it appears."""

import dataclasses
import functools
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import tyro

from likeness.experiments.commands.flags import TrustCode, cli, trust


@dataclasses.dataclass(frozen=True)
class Options:
    """Evaluate a working directory's model again, with today's code; rewrites its summary, figures and threshold."""

    workdir: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WORKDIR")]
    """A working directory that `likeness train` made, or its address in an object store."""
    follow: bool = False
    """Evaluate each new checkpoint on the validation part, while the run goes on in a process of its own, until the last one.
    Waits for the run to begin. Changes nothing of it; the numbers go to evaluations.jsonl. What the run removes before it is
    evaluated is left out (--checkpoints.keep-last of the run)."""
    accept_changed_inputs: tyro.conf.FlagCreatePairsOff[bool] = False
    """Evaluate also where what the model was trained on has changed since, of which a note is made. Who was trained on may then
    be among those that it is evaluated on."""
    against: Annotated[str | None, tyro.conf.arg(metavar="WORKDIR")] = None
    """Another run that was evaluated by the same people: say by how much their equal error rates differ, with an interval and a
    test in which the same people are drawn for both. Of recognizers; rewrites nothing."""
    poll: float = 10.0
    """Seconds between two looks for a new checkpoint."""
    trust_code: TrustCode = False
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the metrics as JSON and nothing else: numbers, and of rates the value with n and its 95 % interval."""


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness evaluate", arguments=arguments)
    from likeness.research.errors import UserError

    if options.follow and options.against is not None:
        raise UserError("--follow evaluates checkpoints as they appear and --against two finished runs: give one of them.")
    if options.follow:
        if options.json:
            raise UserError("--follow writes JSON to evaluations.jsonl, a line for each checkpoint: leave --json out.")
        return _follow(options)
    if options.against is not None:
        return _against(options)
    from likeness.experiments.commands.summary import print_evaluation
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases, Quiet
    from likeness.experiments.fingerprints import ChangedInputs
    from likeness.experiments.storage.object_store import is_remote, kept_in_store
    from likeness.experiments.storage.workdir import metric_json
    from likeness.experiments.training.evaluation import evaluate

    with kept_in_store(options.workdir, Quiet()) if is_remote(options.workdir) else nullcontext(options.workdir) as workdir:
        trust(workdir, options)
        try:
            with Phases() as phases, watched(phases.tell):
                evaluation = evaluate(workdir, accept_changed_inputs=options.accept_changed_inputs)
        except ChangedInputs as error:
            raise UserError(f"{error} --accept-changed-inputs evaluates it all the same.") from error
        if options.json:
            told = {"metrics": metric_json(evaluation.metrics), "notes": list(evaluation.notes)}
            print(json.dumps({**told, "summary": f"{options.workdir.rstrip('/')}/summary.json"}))
        else:
            print_evaluation(Path(workdir), evaluation, 0, options.workdir)
    return 0


def _against(options: Options) -> int:
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases
    from likeness.experiments.recognition.compared import compare_recognizers
    from likeness.research.errors import UserError

    assert options.against is not None
    for workdir in (options.workdir, options.against):
        if not Path(workdir).is_dir():
            raise UserError(f"There is no working directory {workdir} on this machine, and --against compares two that are.")
        trust(workdir, options)
    with Phases() as phases, watched(phases.tell):
        found = compare_recognizers(options.workdir, options.against)
    difference = found.difference
    if options.json:
        print(json.dumps({**dataclasses.asdict(difference), "difference": difference.value, "notes": list(found.notes)}))
        return 0
    print(f"{found.same:,} pairs of one and {found.different:,} of two, of {difference.people} who were trained on by neither")
    for workdir, rate in ((options.workdir, difference.first), (options.against, difference.second)):
        print(f"EER {100 * rate:6.2f} %  {workdir}")
    print(f"the first less the second: {difference.text()}")
    for note in found.notes:
        print(note)
    return 0


def _follow(options: Options) -> int:
    from likeness.experiments.display.progress import Quiet
    from likeness.experiments.storage.object_store import followed_in_store, is_remote
    from likeness.experiments.storage.workdir import Workdir, metric_json, plain_metrics
    from likeness.experiments.training.following import follow
    from likeness.research.errors import UserError

    if not 0 < options.poll < float("inf"):
        raise UserError(f"--poll is {options.poll:g}: give seconds, above 0.")
    remote = is_remote(options.workdir)
    place = followed_in_store(options.workdir, Quiet()) if remote else nullcontext((Path(options.workdir), time.sleep))
    with place as (workdir, wait):
        trust(workdir, options)
        _await(workdir, options.workdir, functools.partial(wait, options.poll))
        for step, evaluation in follow(workdir, poll=options.poll, wait=wait, tell=functools.partial(print, flush=True)):
            shown = [f"{name} {value:.4g}" for name, value in plain_metrics(metric_json(evaluation.metrics)).items()]
            print(f"step {step}  " + "  ".join(shown[:4]), flush=True)
        results = Workdir(workdir).evaluations
    print(f"results  {options.workdir.rstrip('/')}/{results.name}" if remote else f"results  {results}")
    return 0


def _await(local: Path, named: str, wait: Callable[[], None]) -> None:
    """Waits until a run has begun there: it may be launched at the same time."""
    from likeness.experiments.storage.workdir import Workdir
    from likeness.experiments.training.evaluation import read_run

    files = Workdir(local)
    if (local.exists() and not local.is_dir()) or (local / "sweep.json").exists():
        read_run(local)
    if not files.config.is_file():
        print(f"waiting for a run to begin in {named}", flush=True)
    while not files.config.is_file():
        wait()
