"""Evaluating a run: the last word in its working directory, written by training and by evaluation alike."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from likeness.experiments.config import from_json
from likeness.experiments.display import figures
from likeness.experiments.distributed import processes
from likeness.experiments.experiment import Evaluation, Variables
from likeness.experiments.fingerprints import ChangedInputs, Changes, Fingerprints, listed
from likeness.experiments.own_code.classes import RunCode
from likeness.experiments.run import Run
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.storage.workdir import Workdir, metric_json, read_json, write_arrays, write_json
from likeness.research.errors import UserError
from likeness.research.images import write_image


def evaluate_run(
    run: Run, files: Workdir, data: Any, variables: Variables, *, step: int, seconds: float, notes: tuple[str, ...] = ()
) -> Evaluation:
    """Evaluates variables on the test part and writes ``summary.json``, the figures and the artifacts.

    Args:
        run: what was trained.
        files: where it is.
        data: what its experiment opened.
        variables: what is evaluated.
        step: after which step.
        seconds: of training.
        notes: what a reader must know beside the evaluation's own notes.
    """
    evaluation = run.experiment.evaluate(data, variables.params, variables.state, "test")
    evaluation = dataclasses.replace(evaluation, notes=(*evaluation.notes, *notes))
    processes.by_first(lambda: _write(files, evaluation, step, seconds), None)
    return evaluation


def _write(files: Workdir, evaluation: Evaluation, step: int, seconds: float) -> None:
    for name, artifact in evaluation.artifacts.items():
        write_json(files.artifact(name), artifact)
    for name, arrays in evaluation.arrays.items():
        write_arrays(files.arrays(name), arrays)
    drawn = dict(evaluation.figures)
    if curves := read_metrics(files.metrics):
        drawn["curves"] = figures.training_curves(curves)
    for name, image in evaluation.images.items():
        write_image(files.images / f"{name}.png", image)
    for name, image in evaluation.examples.items():
        path = files.figures / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, image)
    for name, figure in drawn.items():
        figures.save(figure, files.figures / f"{name}.png")
    summary = {
        "metrics": metric_json(evaluation.metrics),
        "columns": dict(evaluation.columns),
        "notes": list(evaluation.notes),
        "seconds": round(seconds, 3),
        "steps": step,
        "figures": sorted(f"figures/{name}.png" for name in drawn),
        "images": sorted(f"images/{name}.png" for name in evaluation.images),
    }
    write_json(files.summary, summary)


def read_run(workdir: str | Path) -> Run:
    """The run that a working directory was trained with.

    Raises:
        UserError: when the directory is not one, or its config does not fit the code.
    """
    files = Workdir(workdir)
    files.check_run()
    run = from_json(read_json(files.config), RunCode(files.root))
    if not isinstance(run, Run):
        raise UserError(f"{files.config} does not describe a run: it was not written by `likeness train`.")
    return run


def restore(workdir: str | Path, run: Run, abstract: Variables | None = None) -> tuple[int, Variables]:
    """The step and variables to use: of the best checkpoint where the run keeps one, else of the newest.

    Raises:
        UserError: when there is no checkpoint, or it does not fit ``abstract``.
    """
    files = Workdir(workdir)
    missing = UserError(f"{files.root} holds no whole checkpoint: train it with `likeness train`, then try again.")
    if not files.checkpoints.is_dir():
        raise missing
    store = CheckpointStore(files.checkpoints, run.checkpoints, reading=True)
    try:
        step = store.best(run.checkpoints)
        if step is None:
            raise missing
        return step, store.load_variables(step, abstract)
    finally:
        store.close()


def check_inputs(workdir: str | Path, before: Mapping[str, Mapping[str, str]], now: Fingerprints) -> Changes:
    """What is read otherwise than when a checkpoint was written.

    Args:
        workdir: where it is.
        before: the inputs in its record.
        now: of what was opened.

    Raises:
        ChangedInputs: what it was trained on has changed: who was trained on might now be evaluated on, or an image be
            compared with another one than it was made of.
    """
    changes = now.since(before)
    if changes.training:
        raise ChangedInputs(
            f"{listed(changes.training)} changed since {Workdir(workdir).root} was trained, so an evaluation would be of "
            "another question: bring back what was there."
        )
    return changes


def evaluate(workdir: str | Path, *, accept_changed_inputs: bool = False) -> Evaluation:
    """Evaluates a working directory's run again and rewrites its summary, figures and artifacts.

    Args:
        workdir: the run's working directory.
        accept_changed_inputs: evaluate also where what it was trained on has changed, which is then noted.

    Raises:
        ChangedInputs: what it was trained on has changed. Where only what it is evaluated on has, that is noted.
        UserError: the directory holds no run, or its checkpoint does not fit the config.
    """
    run, files = read_run(workdir), Workdir(workdir)
    with jax.default_matmul_precision(run.matmul_precision):
        data = _opened(files, run)
        batch = next(run.experiment.stream(data, run.seed))
        abstract = jax.eval_shape(run.experiment.init, jax.random.key(0), run.experiment.constants(data), batch)
        step, variables = restore(workdir, run, abstract)
        notes = _changes_noted(files, run, step, run.experiment.fingerprints(data), accept=accept_changed_inputs)
        seconds = read_json(files.summary)["seconds"] if files.summary.exists() else 0.0
        return evaluate_run(run, files, data, variables, step=step, seconds=seconds, notes=notes)


def _opened(files: Workdir, run: Run) -> Any:
    try:
        return run.experiment.open()
    except UserError as error:
        # Whoever evaluates has typed no path, and cannot know where the one that is missing was named.
        raise UserError(
            f"{error} {files.config} names the data: a relative path there begins where the run was trained, and what was "
            "moved since is to be corrected there."
        ) from error


def _changes_noted(files: Workdir, run: Run, step: int, inputs: Fingerprints, *, accept: bool) -> tuple[str, ...]:
    store = CheckpointStore(files.checkpoints, run.checkpoints, reading=True)
    try:
        before = store.record(step).get("inputs", {})
    finally:
        store.close()
    changes = inputs.since(before) if accept else check_inputs(files.root, before, inputs)
    names = changes.training + changes.beside_training
    return (f"{listed(names)} changed since this was trained: the numbers do not compare with those before",) if names else ()
