"""Successive halving: at each rung the runs are compared on the validation part, and only the best go on.

With n runs, of T steps each, and a factor η, the rungs are at the steps r, rη, rη², …, below T; at each of them
max(1, ⌊m/η⌋) of the m runs that came to it go on (Jamieson & Talwalkar 2016, Non-stochastic Best Arm Identification and
Hyperparameter Optimization; the rule with η and ⌊·⌋ is that of Li et al. 2018, Hyperband, of which this is one bracket). With
k rungs, n = η^k and r = T η^−k, that takes (1 + k(1 − 1/η)) T steps instead of n T: 7/3 T instead of 9 T for nine runs and
η = 3.

A rung is a stop on the way of a run whose schedule goes to its own end: whoever is never stopped is to the bit what it is
without halving.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

from likeness.experiments.display.progress import Reporter
from likeness.experiments.storage.workdir import plain_metrics
from likeness.experiments.sweeps.members import Member, Stopped
from likeness.research.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class SuccessiveHalving:
    """The rule by which runs of a sweep are stopped early."""

    eta: int = 3
    """η: one of so many goes on."""
    first: int | None = None
    """The step r of the first rung; None takes ⌊T η^−k⌋, where one run is left after k rungs."""
    metric: str | None = None
    """What runs are compared by on the validation part; None takes the first metric there is."""
    mode: Literal["min", "max"] = "min"
    """Whether the best is the lowest or the highest."""

    def __post_init__(self) -> None:
        if self.eta < 2:
            raise ValueError(f"SuccessiveHalving.eta is {self.eta}: give 2 or more, since one of so many goes on")
        if self.first is not None and self.first < 1:
            raise ValueError(f"SuccessiveHalving.first is {self.first}: give a step, 1 or more")

    def kept(self, entered: int) -> int:
        """How many of so many runs go on."""
        return max(1, entered // self.eta)

    def rungs(self, runs: int, steps: int) -> tuple[int, ...]:
        """The steps at which so many runs of so many steps are compared; none for a single run.

        Raises:
            UserError: the first rung is not before the end.

        Example:
            >>> SuccessiveHalving(eta=3).rungs(9, 900)
            (100, 300)
            >>> SuccessiveHalving(eta=3, first=50).rungs(12, 900)
            (50, 150)
        """
        if self.first is not None and self.first >= steps:
            raise UserError(
                f"The first rung is at step {self.first} of runs of {steps} steps, so that none would be stopped early: give a "
                "smaller --first-rung."
            )
        halvings, left = 0, runs
        while left > 1:
            halvings, left = halvings + 1, self.kept(left)
        first = self.first or max(1, steps // self.eta**halvings)
        at = (first * self.eta**number for number in range(halvings))
        return tuple(step for step in at if step < steps)

    def check(self, made: Sequence[Member]) -> None:
        """Refuses runs that cannot be compared on the way.

        Raises:
            UserError: they have not the same number of steps.
        """
        if len(lengths := sorted({member.run.steps for member in made})) > 1:
            raise UserError(
                f"Successive halving compares runs after the same share of their training, and these have from {lengths[0]} to "
                f"{lengths[-1]} steps: leave `steps` out of the sweep, or --halve."
            )

    def survivors(self, entered: Sequence[Member], rung: int, say: Reporter) -> list[Member]:
        """Those that go on from a rung, in the order in which they came; the others are noted as stopped.

        Who has failed does not go on, nor who has no number to be compared by; both count among those that came. Of equal
        runs the first goes on. Who was trained beyond the rung before anybody was to be stopped goes on uncompared.

        Raises:
            UserError: no run has the metric.
        """
        compared = [member for member in entered if rung in member.rungs or member.status == "failed"]
        alive = [member for member in compared if member.status != "failed"]
        if not alive:
            return [member for member in entered if member.status != "failed"]
        metrics = {member.name: plain_metrics(member.rungs[rung].metrics) for member in alive}
        metric = self._metric([*metrics.values()])
        values = {name: numbers.get(metric, math.nan) for name, numbers in metrics.items()}
        sign = 1.0 if self.mode == "min" else -1.0
        # Sorting is stable, which is what decides between equals.
        order = sorted(alive, key=lambda member: math.inf if math.isnan(value := values[member.name]) else sign * value)
        kept = {member.name for member in order[: self.kept(len(compared))] if not math.isnan(values[member.name])}
        for place, member in enumerate(order, 1):
            if member.name not in kept and not member.finished:
                member.status, member.stopped = "stopped", Stopped(rung, place, len(compared))
        uncompared = {member.name for member in entered} - {member.name for member in compared}
        best = f"{metric} {values[order[0].name]:.4g}, of {order[0].name}"
        say.say(f"step {rung}: {len(kept)} of {len(compared)} runs go on; the best on the validation part has {best}")
        return [member for member in entered if member.name in kept | uncompared]

    def _metric(self, reported: Sequence[dict[str, float]]) -> str:
        known = list(dict.fromkeys(name for numbers in reported for name in numbers))
        if not known:
            raise UserError(
                "Successive halving compares runs on the validation part, of which this experiment reports no number: give it "
                "a metric there (for recognition, `validation=(Verification(),)` and people to evaluate), or leave --halve out."
            )
        if self.metric is not None and self.metric not in known:
            raise UserError(
                f"No run reports {self.metric!r} on the validation part, by which successive halving was to compare them: "
                f"choose one of {', '.join(sorted(known))} with --metric."
            )
        return self.metric or known[0]
