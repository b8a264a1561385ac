"""Trains one run of a sweep by itself, up to a rung or to its end."""

from pathlib import Path

from likeness.experiments.display.progress import Reporter
from likeness.experiments.own_code import Code
from likeness.experiments.run import Run
from likeness.experiments.storage.trackers import TrackerName
from likeness.experiments.storage.workdir import metric_json
from likeness.experiments.sweeps.members import note_rung
from likeness.experiments.training.trainer import train


def train_member(
    run: Run, workdir: Path, code: Code, until: int | None, trackers: tuple[TrackerName, ...], say: Reporter
) -> None:
    """Trains a run in its directory, and writes down what it comes to at a rung.

    Args:
        run: what to train.
        workdir: its directory.
        code: of one's own, that it is made with.
        until: the step of the rung; None for the run's end.
        trackers: where metrics go beside ``metrics.jsonl``.
        say: told how it goes.
    """
    trained = train(run, workdir, reporter=say, trackers=trackers, until=until, code=code)
    if until is not None and until < run.steps:
        note_rung(workdir, until, metric_json(trained.evaluation.metrics), trained.seconds)
