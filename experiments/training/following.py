"""Evaluating a run while it trains, in a process of its own: each checkpoint as it appears."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

from likeness.experiments.experiment import Evaluation, Variables
from likeness.experiments.fingerprints import ChangedInputs, Fingerprints
from likeness.experiments.run import Run
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import MetricsFile, read_metrics
from likeness.experiments.storage.workdir import Workdir, metric_json
from likeness.experiments.training.evaluation import check_inputs, read_run
from likeness.experiments.training.stages import Stage, going_on, stage_of, stages
from likeness.research.errors import UserError
from likeness.research.types import PyTree


def follow(
    workdir: str | Path,
    *,
    poll: float = 10.0,
    wait: Callable[[float], None] = time.sleep,
    tell: Callable[[str], None] | None = None,
) -> Iterator[tuple[int, Evaluation]]:
    """Evaluates each checkpoint of a run on its validation part, until that of the run's last step.

    What it finds it also writes to ``evaluations.jsonl``; launched again, it goes on with those missing there.
    Nothing of the run is changed. A checkpoint that the run removes before it is read is left out, which is told.

    Args:
        workdir: the run's working directory.
        poll: seconds between two looks at it.
        wait: passes them.
        tell: told of checkpoints that were gone before they could be evaluated, and what is waited for.

    Yields:
        The step and what was found, in order.

    Raises:
        UserError: the directory is none of a run, or a checkpoint does not fit its config.
    """
    files = Workdir(workdir)
    run = read_run(workdir)
    with jax.default_matmul_precision(run.matmul_precision):
        evaluate = _Evaluators()
        done = [record["step"] for record in read_metrics(files.evaluations)]
        with MetricsFile(files.evaluations, resume_from=max(done, default=0)) as written:
            last, said = max(done, default=-1), -2
            while True:
                # The run may have been asked for more steps meanwhile.
                run = read_run(workdir)
                for step in [step for step in _steps(files, run) if step > last]:
                    missed = [gone for gone in _due(run, step) if gone > last]
                    last = step
                    evaluation = evaluate.evaluate(files, run, step)
                    if evaluation is None:
                        missed.append(step)
                    if missed and tell is not None:
                        tell(
                            f"no checkpoint of step {_listed(missed)} is there to be evaluated: the run keeps the last "
                            f"{run.checkpoints.keep_last} of them (checkpoints.keep_last)"
                        )
                    if evaluation is not None:
                        written.write(step, "validation", metric_json(evaluation.metrics))
                        yield step, evaluation
                if last >= run.steps:
                    return
                if said != last and tell is not None:
                    said = last
                    tell(f"waiting for a checkpoint after step {max(last, 0)} of {run.steps}")
                wait(poll)


class _Evaluators:
    """The experiments of a run's stages with their data, opened when they are first needed."""

    def __init__(self) -> None:
        self._opened: dict[Any, tuple[Any, PyTree, Fingerprints]] = {}

    def evaluate(self, files: Workdir, run: Run, step: int) -> Evaluation | None:
        plan = going_on(stages(run), _ends(files, run, step), step)
        stage: Stage = plan[stage_of(plan, step)]
        experiment = stage.run.experiment
        if stage.end not in self._opened:
            data = experiment.open()
            batch = next(experiment.stream(data, run.seed))
            shapes = jax.eval_shape(experiment.init, jax.random.key(0), experiment.constants(data), batch)
            self._opened[stage.end] = data, shapes, experiment.fingerprints(data)
        data, shapes, inputs = self._opened[stage.end]
        loaded = _load(files, run, step, shapes)
        if loaded is None:
            return None
        variables, before = loaded
        if check_inputs(files.root, before, inputs).validation:
            raise ChangedInputs(
                f"What {files.root} is evaluated on is not here what it is where it is trained: follow it from there."
            )
        return experiment.evaluate(data, variables.params, variables.state, "validation")


def _ends(files: Workdir, run: Run, step: int) -> list[int]:
    """Where the stages ended when a checkpoint was written; [] where nobody knows, as of one that the run has removed."""
    store = CheckpointStore(files.checkpoints, run.checkpoints, reading=True)
    try:
        return store.record(step).get("ends", [])
    except Exception:
        # What is wrong with it is told when it is read.
        return []
    finally:
        store.close()


def _due(run: Run, before: int) -> range:
    """The steps before another one of which a run writes checkpoints."""
    return range(run.checkpoints.every, before, run.checkpoints.every)


def _listed(steps: Sequence[int]) -> str:
    return ", ".join(map(str, steps if len(steps) < 8 else [*steps[:6], "…", steps[-1]]))


def _steps(files: Workdir, run: Run) -> list[int]:
    if not files.checkpoints.is_dir():
        return []
    store = CheckpointStore(files.checkpoints, run.checkpoints, reading=True)
    try:
        return store.steps()
    finally:
        store.close()


def _load(files: Workdir, run: Run, step: int, shapes: Variables) -> tuple[Variables, dict[str, Any]] | None:
    """The variables of a step, and the inputs that it was trained with; None if the run has removed it."""
    store = CheckpointStore(files.checkpoints, run.checkpoints, reading=True)
    try:
        return store.load_variables(step, shapes), store.record(step).get("inputs", {})
    except UserError:
        raise
    except Exception:
        # Orbax says in many ways that a file has gone.
        if (files.checkpoints / str(step)).exists():
            raise
        return None
    finally:
        store.close()
