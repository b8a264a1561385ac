"""Judging a run: the last word in its working directory, written by training and by evaluation alike."""

from pathlib import Path
from typing import Any

import jax

from experiments import figures, processes
from experiments.checkpoints import CheckpointStore
from experiments.config import from_json
from experiments.experiment import Evaluation, Variables
from experiments.run import Run
from experiments.workdir import Workdir, metric_json, read_json, write_arrays, write_json
from experiments.writers import read_metrics
from research.errors import UserError
from research.pictures import write_picture


def evaluate_run(run: Run, files: Workdir, data: Any, variables: Variables, *, step: int, seconds: float) -> Evaluation:
    """Evaluates variables on the test part and writes ``summary.json``, the figures and the artifacts."""
    evaluation = run.experiment.evaluate(data, variables.params, variables.state, "test")
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
    for name, picture in evaluation.pictures.items():
        write_picture(files.pictures / f"{name}.png", picture)
    for name, picture in evaluation.examples.items():
        path = files.figures / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, picture)
    for name, figure in drawn.items():
        figures.save(figure, files.figures / f"{name}.png")
    summary = {
        "metrics": metric_json(evaluation.metrics),
        "notes": list(evaluation.notes),
        "seconds": round(seconds, 3),
        "steps": step,
        "figures": sorted(f"figures/{name}.png" for name in drawn),
        "pictures": sorted(f"pictures/{name}.png" for name in evaluation.pictures),
    }
    write_json(files.summary, summary)


def read_run(workdir: str | Path) -> Run:
    """The run that a working directory was trained with.

    Raises:
        UserError: when the directory is not one, or its config does not fit the code.
    """
    files = Workdir(workdir)
    if not files.root.is_dir():
        raise UserError(f"There is no working directory {files.root}: train a config first, with `likeness train`.")
    if (files.root / "sweep.json").is_file() and not files.config.is_file():
        raise UserError(f"{files.root} holds a sweep: give the directory of one of its runs, which are in it.")
    if not files.config.is_file():
        raise UserError(f"{files.root} is no working directory: it has no config.json. Give one that `likeness train` made.")
    run = from_json(read_json(files.config))
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


def evaluate(workdir: str | Path) -> Evaluation:
    """Evaluates a working directory's run again and rewrites its summary, figures and artifacts."""
    run, files = read_run(workdir), Workdir(workdir)
    with jax.default_matmul_precision(run.matmul_precision):
        data = run.experiment.open()
        batch = next(run.experiment.stream(data, run.seed))
        abstract = jax.eval_shape(run.experiment.init, jax.random.key(0), run.experiment.fixed(data), batch)
        step, variables = restore(workdir, run, abstract)
        seconds = read_json(files.summary)["seconds"] if files.summary.exists() else 0.0
        return evaluate_run(run, files, data, variables, step=step, seconds=seconds)
