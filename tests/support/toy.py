"""An experiment of nine numbers, of which each promise of the trainer can be computed by hand."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.experiment import Evaluation, Experiment, LossOutput, Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.optim.optimizers import Sgd
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.run import Checkpoints, Run


class Counting:
    """The batch of step t holds 1000 seed + t, counted from 0, in each of its rows."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rows, self.seed, self.position = rows, seed, 0

    def __iter__(self) -> "Counting":
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        batch = {"number": np.full(self.rows, 1000 * self.seed + self.position, np.float32)}
        self.position += 1
        return batch

    def get_state(self) -> dict[str, int]:
        return {"position": self.position}

    def set_state(self, state: Mapping[str, int]) -> None:
        self.position = state["position"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(Experiment):
    """Its cost is linear, so the gradient by the weights is the batch's number, and by the biases twice that.

    The log says which batch a step was given, what it drew by its key, and what was fixed.
    """

    curve: tuple[float, ...] = ()
    """What an evaluation finds after so many steps; none finds the mean of the weights."""
    fixed_number: float = 7.0
    """What nothing changes."""
    rows: int = 8
    """Rows of a batch."""

    def open(self) -> str:
        return "data"

    def fingerprints(self, data: str) -> Fingerprints:
        return Fingerprints(training={"data": data})

    def constants(self, data: str) -> dict[str, np.ndarray]:
        del data
        return {"number": np.float32(self.fixed_number)}

    def stream(self, data: str, seed: int) -> Counting:
        del data
        return Counting(self.rows, seed)

    def init(self, key: Any, constants: Any, batch: Any) -> Variables:
        del constants
        # A step must not miss the batch that only the shapes were wanted of.
        shape = (2 + 0 * len(batch["number"]), 3)
        params = {"weights": jax.random.uniform(key, shape), "biases": jnp.ones(3)}
        return Variables(params, {"steps": jnp.zeros((), jnp.int32)})

    def cost(self, params: Any, state: Any, constants: Any, batch: Any, key: Any) -> LossOutput:
        number = jnp.mean(batch["number"])
        value = number * (jnp.sum(params["weights"]) + 2.0 * jnp.sum(params["biases"]))
        metrics = {"number": number, "drawn": jax.random.uniform(key), "fixed": constants["number"]}
        return LossOutput(value, {"steps": state["steps"] + 1}, metrics)

    def diagnose(self, metrics: Mapping[str, float]) -> str | None:
        return f"the mean number is {metrics['number']:g}" if self.curve else None

    def evaluate(self, data: str, params: Any, state: Any, part: str) -> Evaluation:
        del data
        # A number, since notes are not logged.
        tests = float(part == "test")
        score = self.curve[int(state["steps"])] if self.curve else float(np.mean(params["weights"]))
        return Evaluation(metrics={"toy/score": score, "toy/tests": tests})


def get_config() -> Run:
    """A config too, for processes of their own: compiled in a moment also where others want the processors."""
    return toy_run(steps=100_000, evaluate_every=5, checkpoints=Checkpoints(every=5))


def toy_run(**changes: Any) -> Run:
    """Plain gradient descent, with some fields changed."""
    default: dict[str, Any] = {
        "experiment": Toy(),
        "steps": 6,
        "optimizer": Sgd(schedule=Constant(peak_lr=0.01), momentum=0.0),
        "log_every": 1,
        "checkpoints": Checkpoints(every=100),
    }
    return Run(**(default | changes))
