"""A run: an experiment and everything about how it is trained."""

import dataclasses
from typing import Literal

from likeness.experiments.distributed.sharding import Mesh
from likeness.experiments.experiment import Experiment
from likeness.experiments.optim.optimizers import Adam, Optimizer


def _positive(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if value is not None and value < 1:
            raise ValueError(f"{type(owner).__name__}.{name} is {value}: give 1 or more")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """When to write a checkpoint and which to keep."""

    every: int = 500
    """Steps between checkpoints; one more is written at the end and when the run is interrupted."""
    keep_last: int = 2
    """How many of the newest stay."""
    keep_every: int | None = None
    """Also keep those whose step this divides."""
    keep_best: int = 1
    """Also keep this many of the best by ``best_metric``."""
    best_metric: str | None = None
    """The validation metric that says which is best, such as ``verification/eer``; None takes the last one."""
    mode: Literal["min", "max"] = "min"
    """Whether the best is the lowest or the highest."""

    def __post_init__(self) -> None:
        _positive(self, "every", "keep_last", "keep_every")
        if self.keep_best < 0:
            raise ValueError(f"Checkpoints.keep_best is {self.keep_best}: give 0 or more")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """An experiment, an optimizer, a precision of products, a mesh, how often to look, and a seed."""

    experiment: Experiment
    """What is learned, what it costs and how it is evaluated."""
    steps: int
    """Batches to train on. With 0 the weights are evaluated that an experiment starts from, where it starts from some."""
    optimizer: Optimizer = Adam()
    """The update rule, with its learning-rate schedule."""
    ema_decay: float | None = None
    """Decay of the running mean of the parameters, which is then what is evaluated and used; None for none."""
    matmul_precision: Literal["default", "high", "highest"] = "default"
    """Precision of float32 matrix products and convolutions on accelerators: TF32 or bfloat16 by default. What a network
    computes in is its own field, such as ``experiment.encoder.dtype``; parameters, statistics and losses are always float32."""
    mesh: Mesh = Mesh()
    """How devices are arranged."""
    log_every: int = 20
    """Steps between lines of metrics.jsonl; metrics leave the device only then."""
    evaluate_every: int | None = None
    """Steps between evaluations on validation data; None evaluates only at the end."""
    checkpoints: Checkpoints = Checkpoints()
    """When to write a checkpoint and which to keep."""
    seed: int = 0
    """Decides initialization, order of data and augmentation."""

    def __post_init__(self) -> None:
        if not isinstance(self.experiment, Experiment):
            raise ValueError(
                f"Run.experiment is a {type(self.experiment).__name__}, which is no Experiment: derive it from "
                "likeness.experiments.experiment.Experiment, which says what it must have"
            )
        _positive(self, *(["steps"] if self.steps or not self.experiment.starts_trained else []), "log_every", "evaluate_every")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ValueError(f"Run.ema_decay is {self.ema_decay}: give a number between 0 and 1, or None for no average")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"Run.seed is {self.seed}: give a whole number from 0 to {2**31 - 1}")
        if self.checkpoints.best_metric is not None and self.evaluate_every is None:
            raise ValueError(
                f"Checkpoints.best_metric is {self.checkpoints.best_metric!r} but Run.evaluate_every is None, so nothing "
                "would ever be compared: set evaluate_every, or best_metric to None"
            )
