"""The runs of a sweep: what each is, where it is, what became of it, and the file that says so."""

import contextlib
import dataclasses
import itertools
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from likeness.experiments.config import to_json
from likeness.experiments.own_code import Code, own_code
from likeness.experiments.run import Run
from likeness.experiments.storage.workdir import Workdir, plain_metrics, read_json, write_json
from likeness.experiments.sweeps.overrides import Override, apply, names
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.recorder import changed, shortened
from likeness.research.errors import UserError
from likeness.research.files import write_atomically

Status = Literal["finished", "stopped", "failed", "under way", "not started"]
"""Stopped is who lost a rung of successive halving; under way is who has a job in a queue."""


class Rung(NamedTuple):
    """What a run came to at a rung."""

    metrics: dict[str, Any]
    """On the validation part, as JSON."""
    seconds: float
    """Of training, up to there."""


class Stopped(NamedTuple):
    """Where a run was stopped early."""

    step: int
    place: int
    """Its rank, from 1."""
    entered: int
    """Of how many runs, those that failed on the way included."""

    def __str__(self) -> str:
        ending = "th" if self.place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(self.place % 10, "th")
        return f"at step {self.step}, {self.place}{ending} of {self.entered}"


@dataclasses.dataclass
class Member:
    """One run of a sweep, and what became of it."""

    name: str
    override: Override
    run: Run
    workdir: Path
    code: Code
    """Of one's own: that of all runs of the sweep."""
    status: Status = "not started"
    how: str = ""
    """Vmapped with how many, sequential, in which job, or finished before."""
    why: str = ""
    """It failed."""
    stopped: Stopped | None = None
    """Where, of one that was stopped early."""

    @property
    def finished(self) -> bool:
        """Whether the working directory holds the last word of this very run."""
        files = Workdir(self.workdir)
        last = files.checkpoints / str(self.run.steps)
        return files.summary.exists() and last.is_dir() and read_json(files.config) == to_json(self.run)

    @property
    def latest(self) -> int:
        """The step of the newest whole checkpoint; 0 for none."""
        folder = Workdir(self.workdir).checkpoints
        return max((int(path.name) for path in folder.glob("*") if path.name.isdigit()), default=0)

    @property
    def rungs(self) -> dict[int, Rung]:
        """What it came to at the rungs that it has reached, by step."""
        return read_rungs(self.workdir)

    @property
    def became(self) -> str:
        """What became of it, in words for a table."""
        if self.stopped is not None:
            return f"{self.status} {self.stopped}"
        if self.status == "not started" and self.latest:
            return f"not finished, at step {self.latest}"
        return f"{self.status}, {self.how}" if self.how else self.status

    def reached(self, until: int | None) -> bool:
        """Whether nothing is left to do up to a rung, or up to the end."""
        return self.finished or (until is not None and (until in self.rungs or self.latest > until))

    def check(self) -> None:
        """Refuses a directory in which something else was trained."""
        if changes := changed(Workdir(self.workdir), self.run):
            raise UserError(
                f"{self.workdir} holds a run of another config ({shortened(changes, 3)}): give the sweep another --workdir, "
                "or remove that directory."
            )


def members(run: Run, overrides: Sequence[Override], root: Path, config: str | Path | None = None) -> list[Member]:
    """The runs of a sweep, each with a directory of its name in ``root``.

    Args:
        run: what they have in common.
        overrides: what each has otherwise.
        root: the sweep's directory.
        config: the file of one's own that the run was read from.

    Raises:
        UserError: there are none, two are the same, or an override does not fit the run.
    """
    if not overrides:
        raise UserError("The sweep has no runs: sweep() returned nothing, or a path was given no values.")
    runs = tuple(apply(run, override) for override in overrides)
    code = own_code(runs, config)
    made = [
        Member(name, override, each, root / name, code)
        for name, override, each in zip(names(overrides), overrides, runs, strict=True)
    ]
    for one, other in itertools.combinations(made, 2):
        if one.run == other.run:
            raise UserError(f"The runs {one.name} and {other.name} of the sweep are the same: leave one of the two out.")
    return made


@contextlib.contextmanager
def isolated(member: Member, root: Path) -> Iterator[None]:
    """What goes wrong here is noted in the run, with its trace in a file, and nothing else stops for it."""
    try:
        yield
    except Interrupted:
        raise
    except Exception as error:
        member.status, member.why = "failed", sentence(error)
        write_atomically(root / "failures" / f"{member.name}.txt", "".join(traceback.format_exception(error)))


def sentence(error: BaseException) -> str:
    """An error in one line, with its kind where it is not written for people."""
    text = " ".join(str(error).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text[:300]}"


def note_rung(workdir: Path, step: int, metrics: Mapping[str, Any], seconds: float) -> None:
    """Writes what a run came to at a rung into its ``rungs.json``.

    Args:
        workdir: the run's.
        step: the rung's.
        metrics: of the validation part, as JSON.
        seconds: of training, up to there.
    """
    known = {**read_rungs(workdir), step: Rung(dict(metrics), round(seconds, 3))}
    write_json(Workdir(workdir).artifact("rungs"), {str(at): rung._asdict() for at, rung in sorted(known.items())})


def read_rungs(workdir: Path) -> dict[int, Rung]:
    """What :func:`note_rung` wrote."""
    path = Workdir(workdir).artifact("rungs")
    return {int(step): Rung(**rung) for step, rung in read_json(path).items()} if path.exists() else {}


class Outcome(NamedTuple):
    """What a run came to."""

    metrics: dict[str, float]
    """The plain numbers of the test part; none of a run that is not finished."""
    seconds: float | None
    """Of training, of a run that is finished or was stopped early."""


def outcome(member: Member) -> Outcome:
    """What a run came to."""
    if member.stopped is not None:
        return Outcome({}, member.rungs[member.stopped.step].seconds)
    if member.status != "finished":
        return Outcome({}, None)
    summary = read_json(Workdir(member.workdir).summary)
    return Outcome(plain_metrics(summary["metrics"]), summary["seconds"])


def write_results(made: Sequence[Member], root: Path) -> Path:
    """Writes ``sweep.json``: every run, what it has otherwise, what became of it and what came out."""
    path = root / "sweep.json"
    records = [
        {
            "name": member.name,
            "override": {path: to_json(value) for path, value in member.override.items()},
            "workdir": str(member.workdir),
            "status": member.status,
            "how": member.how,
            "why": member.why,
            "stopped": None if member.stopped is None else member.stopped._asdict(),
            "rungs": {str(step): rung._asdict() for step, rung in member.rungs.items()},
            "metrics": read_json(Workdir(member.workdir).summary)["metrics"] if member.status == "finished" else {},
            "seconds": outcome(member).seconds,
        }
        for member in made
    ]
    write_json(path, {"runs": records})
    return path
