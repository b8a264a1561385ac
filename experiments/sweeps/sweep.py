"""``likeness.sweep``: many runs of one, and what came out of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from likeness.experiments.display.progress import Reporter, reporting
from likeness.experiments.run import Run
from likeness.experiments.storage.trackers import TrackerName
from likeness.experiments.sweeps.members import Status, members, outcome
from likeness.experiments.sweeps.overrides import Override, product
from likeness.experiments.sweeps.report import write
from likeness.experiments.sweeps.rungs import SuccessiveHalving
from likeness.experiments.sweeps.runner import Mode, make_runs
from likeness.experiments.training.interruption import Interrupted
from likeness.research.errors import UserError


class SweptRun(NamedTuple):
    """One run of a sweep."""

    name: str
    override: Override
    """What it has otherwise."""
    workdir: Path
    status: Status
    why: str
    """It failed."""
    metrics: dict[str, float]
    """On the test part; none of a run that is not finished."""
    seconds: float | None
    """Of training."""


@dataclasses.dataclass(frozen=True)
class Swept:
    """What came out of a sweep."""

    workdir: Path
    """With ``sweep.json``, ``sweep.md`` and ``sweep.png``; each run has its directory in it."""
    runs: tuple[SweptRun, ...]
    """The best first, then those that were stopped early, then the others."""
    metric: str | None
    """What they are sorted by; None where no run is finished."""

    @property
    def best(self) -> SweptRun:
        """The best run.

        Raises:
            UserError: no run is finished.
        """
        if self.metric is None or self.metric not in self.runs[0].metrics:
            raise UserError(f"No run of the sweep in {self.workdir} is finished: {self.runs[0].why or 'sweep again'}.")
        return self.runs[0]


def sweep(
    run: Run,
    over: Mapping[str, Sequence[Any]] | Sequence[Override],
    workdir: str | Path,
    *,
    vmap: Mode = "auto",
    jobs: int = 1,
    halving: SuccessiveHalving | None = None,
    metric: str | None = None,
    mode: Literal["min", "max"] | None = None,
    reporter: Reporter | Literal["auto"] | None = "auto",
    trackers: tuple[TrackerName, ...] = (),
) -> Swept:
    """Makes many runs that differ from one in some fields, and compares them. Called again, it goes on where it stopped.

    A run that fails stands alone: its status says so, and its trace is in ``failures/``.

    Args:
        run: what the runs have in common.
        over: values by the path of a field, of which every combination is a run; or what each run has otherwise, see
            :mod:`likeness.experiments.sweeps.overrides`.
        workdir: the sweep's directory.
        vmap: train runs that differ only in numbers as one program: ``yes``, ``no``, or ``auto``, where a few steps say that it
            is faster.
        jobs: runs at a time, each in a process of its own. With more than one nothing is trained as one program.
        halving: the rule by which runs are stopped early; None stops none.
        metric: what the runs are sorted by; None takes what decides which checkpoint is best, or the first there is.
        mode: whether its lowest or its highest is best; None takes the checkpoints' mode.
        reporter: told how it goes. By default progress is shown on a terminal and in a notebook; None prints only warnings.
        trackers: where metrics of each run go beside its ``metrics.jsonl``.

    Returns:
        The runs, the best first.

    Raises:
        UserError: no such field, no runs, two that are the same, or a directory that holds another run.
        Interrupted: after SIGTERM or SIGINT; the same sweep goes on.

    Example::

        swept = likeness.sweep(run, {"seed": (0, 1, 2)}, "runs/seeds")
        print(swept.best.override, swept.best.metrics)
    """
    if jobs > 1 and vmap == "yes":
        raise UserError("sweep: vmap='yes' and jobs above 1 exclude each other, since one program is one process.")
    root = Path(workdir)
    made = members(run, product(over), root)
    for member in made:
        # Before anything is written: what an earlier sweep has found stays as it is.
        member.check()
    try:
        with reporting(reporter, run.steps, run.evaluate_every) as say:
            make_runs(made, root, vmap=vmap, jobs=jobs, say=say, halving=halving, trackers=trackers)
    except Interrupted:
        # What is finished so far.
        write(made, run, root, metric, mode or run.checkpoints.mode)
        raise
    written = write(made, run, root, metric, mode or run.checkpoints.mode)
    found = [SweptRun(one.name, one.override, one.workdir, one.status, one.why, *outcome(one)) for one in made]
    return Swept(root, tuple(found[number] for number in written.order), written.metric)
