"""What an experiment is without saying so: the defaults, on one that is three methods."""

import dataclasses
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from toy import Counting

from likeness.experiments.experiment import Evaluation, Experiment, LossOutput, NoBatches, Peekable, Variables
from likeness.experiments.optim import Constant, Sgd
from likeness.experiments.run import Run
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.training.trainer import train


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bowl(Experiment):
    """½ x²: a step of gradient descent at a rate of ½ halves x."""

    def init(self, key: Any, constants: Any, batch: Any) -> Variables:
        assert (constants, batch) == ((), None)
        return Variables({"x": jnp.float32(16.0)}, {})

    def cost(self, params: Any, state: Any, constants: Any, batch: Any, key: Any) -> LossOutput:
        assert (constants, batch) == ((), None)
        return LossOutput(0.5 * params["x"] ** 2, state, {})

    def evaluate(self, data: Any, params: Any, state: Any, part: str) -> Evaluation:
        assert data is None
        return Evaluation(metrics={"bowl/x": float(params["x"])})


@pytest.mark.end_to_end
def test_three_methods_are_trained_without_a_batch_and_go_on(tmp_path: Path) -> None:
    run = Run(experiment=Bowl(), steps=4, optimizer=Sgd(schedule=Constant(peak_lr=0.5), momentum=0.0), log_every=1)
    train(run, tmp_path, until=1)
    trained = train(run, tmp_path)
    assert trained.evaluation.metrics["bowl/x"] == 1.0
    assert [line["loss"] for line in read_metrics(tmp_path)] == [128.0, 32.0, 8.0, 2.0]
    # There are no rows whose number a second could be given.
    assert "rows_per_second" not in Workdir(tmp_path).system.read_text()


def test_the_defaults_ask_for_nothing() -> None:
    bowl = Bowl()
    assert (bowl.open(), bowl.describe(None), bowl.constants(None), bowl.diagnose({})) == (None, (), (), None)
    assert bowl.stages() == (bowl,) and not bowl.originals().before and not any(bowl.fingerprints(None).to_json().values())
    learned = np.ones(3)
    assert bowl.promote(learned, ()) is learned  # type: ignore[arg-type]
    stream = bowl.stream(None, 0)
    assert isinstance(stream, NoBatches) and Peekable(stream).peek() is None and next(stream) is None


def test_a_batch_that_was_looked_at_is_made_once() -> None:
    """It is the next one, and stands behind the position until it is taken."""
    stream = Counting(rows=1, seed=0)
    batches = Peekable(stream)
    seen = batches.peek()
    assert batches.peek() is seen and stream.position == 1 and batches.get_state() == {"position": 0}
    assert next(batches) is seen and batches.get_state() == {"position": 1}
    assert [next(batches)["number"].item() for _ in range(2)] == [1, 2]
    batches.peek()
    batches.set_state({"position": 7})
    assert batches.get_state() == {"position": 7} and next(batches)["number"].item() == 7


def test_what_is_no_experiment_is_refused_and_what_lacks_a_method_is_not_made() -> None:
    with pytest.raises(ValueError, match=r"Run\.experiment is a dict, which is no Experiment: derive it from"):
        Run(experiment={}, steps=1)  # type: ignore[arg-type]

    class Half(Experiment):
        def init(self, key: Any, constants: Any, batch: Any) -> Variables:
            return Variables({}, {})

    with pytest.raises(TypeError, match="cost"):
        Half()  # type: ignore[abstract]
