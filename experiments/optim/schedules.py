"""Learning rates over time: frozen dataclasses that turn a run's length into an optax schedule."""

import dataclasses
from typing import Protocol, runtime_checkable

import optax


@runtime_checkable
class Schedule(Protocol):
    """Makes the learning rate's schedule for a run of ``updates`` optimizer updates."""

    def over(self, updates: int) -> optax.Schedule: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Constant:
    """The same learning rate throughout."""

    peak_lr: float = 1e-3
    """Learning rate."""

    def __post_init__(self) -> None:
        _check_rate(self.peak_lr)

    def over(self, updates: int) -> optax.Schedule:
        del updates
        return optax.constant_schedule(self.peak_lr)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarmupCosine:
    """Rises linearly from zero, then falls to ``final * rate`` along half a cosine at the end of the run.

    With n updates in the run, w = ``warmup_share`` n of them in the rise, rounded, and f = ``final``, the update t = 0, 1, … is
    taken at rate t / w while t < w, and then at rate (f + (1 − f) (1 + cos π (t − w) / (n − w)) / 2).
    """

    peak_lr: float = 1e-3
    """Learning rate at the peak."""
    warmup_share: float = 0.0
    """How much of the run the rise takes, as a fraction of its updates."""
    final: float = 0.0
    """Last learning rate, as a fraction of the peak."""

    def __post_init__(self) -> None:
        _check_rate(self.peak_lr)
        if not 0 <= self.warmup_share < 1:
            raise ValueError(
                f"WarmupCosine.warmup_share is a share of the run and is {self.warmup_share}: give a number from 0 to below 1, "
                "such as 0.1"
            )
        if not 0 <= self.final <= 1:
            raise ValueError(f"WarmupCosine.final is a fraction of the peak and is {self.final}: give 0 to 1")

    def over(self, updates: int) -> optax.Schedule:
        # A run of a few updates has some left to fall in.
        warmup = min(round(self.warmup_share * updates), updates - 1)
        if warmup == 0:
            return optax.cosine_decay_schedule(self.peak_lr, updates, alpha=self.final)
        return optax.warmup_cosine_decay_schedule(0.0, self.peak_lr, warmup, updates, end_value=self.final * self.peak_lr)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExponentialDecay:
    """Multiplies the rate by ``factor`` every ``every`` updates, in steps."""

    peak_lr: float = 1e-3
    """First learning rate."""
    factor: float = 0.5
    """What each stage multiplies by."""
    every: int = 1000
    """Updates in a stage."""

    def __post_init__(self) -> None:
        _check_rate(self.peak_lr)
        if not 0 < self.factor <= 1 or self.every < 1:
            raise ValueError(
                f"ExponentialDecay has factor {self.factor} and every {self.every}: give a factor above 0 and at most 1, "
                "and at least one update a stage"
            )

    def over(self, updates: int) -> optax.Schedule:
        del updates
        return optax.exponential_decay(self.peak_lr, self.every, self.factor, staircase=True)


def _check_rate(peak_lr: float) -> None:
    if not peak_lr >= 0:
        raise ValueError(f"the learning rate is {peak_lr}: give a number that is not negative")
