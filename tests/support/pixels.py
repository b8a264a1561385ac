"""The trainer's other use, in small: an image is fitted so that a random encoder sees in it what it sees in a target."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.experiment import Evaluation, Experiment, LossOutput, Variables
from likeness.experiments.fingerprints import Fingerprints, of_arrays
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.optim.schedules import WarmupCosine
from likeness.experiments.run import Checkpoints, Run


class Features(nn.Module):
    """Two random convolutions with a smooth function between, which a line search can trust."""

    @nn.compact
    def __call__(self, images: Any) -> dict[str, Any]:
        first = nn.softplus(nn.Conv(8, (3, 3), name="conv1")(images))
        return {"conv1": first, "conv2": nn.Conv(8, (3, 3), name="conv2")(first)}


class Endless:
    """A stream of batches that are all the same but for their number."""

    def __init__(self, rows: int, pause: float = 0.0) -> None:
        self.rows, self.pause, self.position = rows, pause, 0

    def __iter__(self) -> "Endless":
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        self.position += 1
        time.sleep(self.pause)
        return {"number": np.full((self.rows,), self.position, np.int32)}

    def get_state(self) -> dict[str, int]:
        return {"position": self.position}

    def set_state(self, state: Mapping[str, int]) -> None:
        self.position = state["position"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pixels(Experiment):
    """Fits the pixels of an image to a target's activations."""

    size: int = 8
    """Side of the image."""
    nan_at: int | None = None
    """The batch whose loss is not a number."""
    rows: int = 8
    """Rows of a batch."""
    pause: float = 0.0
    """Seconds that a batch takes, for what must not be over too soon."""

    def open(self) -> np.ndarray:
        return np.random.default_rng(0).uniform(size=(1, self.size, self.size, 3)).astype(np.float32)

    def fingerprints(self, data: np.ndarray) -> Fingerprints:
        return Fingerprints(training={"target": of_arrays(data.ravel()[:3])})

    def describe(self, data: np.ndarray) -> tuple[str, ...]:
        return (f"a target of {data.shape}",)

    def stream(self, data: np.ndarray, seed: int) -> Endless:
        del data, seed
        return Endless(self.rows, self.pause)

    def constants(self, data: np.ndarray) -> dict[str, np.ndarray]:
        return {"target": data}

    def init(self, key: Any, constants: Any, batch: Any) -> Variables:
        del constants, batch
        return Variables({"image": jax.random.uniform(key, (1, self.size, self.size, 3))}, {"calls": jnp.zeros(())})

    def _activations(self, image: Any) -> Any:
        features = Features()
        weights = features.init(jax.random.key(7), image)
        return features.apply(weights, image)["conv2"]  # type: ignore[index]

    def cost(self, params: Any, state: Any, constants: Any, batch: Any, key: Any) -> LossOutput:
        del key
        target = self._activations(constants["target"])
        difference = self._activations(params["image"]) - jax.lax.stop_gradient(target)
        value = 0.5 * (difference**2).sum()
        if self.nan_at is not None:
            value = jnp.where(batch["number"][0] == self.nan_at, jnp.nan, value)
        return LossOutput(value, {"calls": state["calls"] + 1}, {"number": batch["number"][0].astype(jnp.float32)})

    def diagnose(self, metrics: Mapping[str, float]) -> str | None:
        return "the loss is huge" if metrics["loss"] > 1e9 else None

    def evaluate(self, data: np.ndarray, params: Any, state: Any, part: str) -> Evaluation:
        del state
        return Evaluation(
            metrics={"pixels/rmse": float(np.sqrt(np.mean((np.asarray(params["image"]) - data) ** 2)))},
            artifacts={"palette": {"part": part}},
        )


def eight_steps(**changes: Any) -> Run:
    """A run of a few pixels, with a schedule that knows its length, and some fields changed."""
    default: dict[str, Any] = {
        "experiment": Pixels(size=4),
        "steps": 8,
        "optimizer": Adam(schedule=WarmupCosine(peak_lr=0.05, warmup_share=0.25)),
        "log_every": 1,
        "checkpoints": Checkpoints(every=5),
    }
    return Run(**(default | changes))
