"""How long training will still take."""

import dataclasses
import datetime
from collections.abc import Sequence
from typing import NamedTuple


class StageWork(NamedTuple):
    """What a stage of a run asks for."""

    end: int
    """The step at which the next stage begins."""
    cost: float
    """Of a step, beside the steps of the other stages: the pixels of an image, say."""


@dataclasses.dataclass
class _Seen:
    """What one stage has shown so far."""

    steps: int = 0
    seconds: float = 0.0
    evaluated: int = 0
    evaluated_steps: int = 0
    evaluated_seconds: float = 0.0

    @property
    def a_step(self) -> float | None:
        """Seconds; None as long as nothing is known."""
        if self.steps:
            return self.seconds / self.steps
        # Each interval so far had its evaluations, so what a step took has them in it.
        return self.evaluated_seconds / self.evaluated_steps if self.evaluated_steps else None

    @property
    def an_evaluation(self) -> float | None:
        """Seconds beside the steps; None as long as nothing is known."""
        if not self.evaluated:
            return None
        if not self.steps:
            return 0.0
        return max(0.0, self.evaluated_seconds - self.evaluated_steps * self.seconds / self.steps) / self.evaluated


class Pace:
    """How long training will still take, from the steps and the evaluations seen so far.

    A step takes a + b·cost. While one stage alone has been seen, a later step may take as long as those, or longer by as much
    as it costs more, and two times are told. The last two stages seen tell a and b. What lies between two stages, such as
    compiling a program and reading the images, says nothing about steps and is counted by itself.
    """

    def __init__(self, total: int, evaluate_every: int | None, stages: Sequence[StageWork] = ()) -> None:
        """For a run of ``total`` steps.

        Args:
            total: steps.
            evaluate_every: steps between evaluations, of which there is one at the end too; None for none.
            stages: in order; () for one.
        """
        self._total = total
        self._every = evaluate_every
        self._stages = tuple(stages) or (StageWork(total, 1.0),)
        self._last: tuple[int, float] | None = None
        self._seen = [_Seen() for _ in self._stages]
        self._entered, self._entering, self._evaluated_entering = 0, 0.0, False

    def note(self, step: int, now: float) -> None:
        """Takes in that a step is reached; an evaluation due at this very step is still to come."""
        if self._last is not None and step > self._last[0]:
            before, then = self._last
            seen, evaluated = self._seen[self._stage(step)], self._due(before, step)
            if self._stage(step) != self._stage(before + 1) or before in self._borders():
                self._entered += 1
                self._entering += now - then
                self._evaluated_entering |= evaluated > 0
            elif evaluated:
                seen.evaluated += evaluated
                seen.evaluated_steps += step - before
                seen.evaluated_seconds += now - then
            else:
                seen.steps += step - before
                seen.seconds += now - then
        self._last = (step, now)

    def left(self) -> str:
        """In words; empty as long as nothing can be said, and where nothing is left."""
        if self._last is None or not self._known():
            return ""
        step = self._last[0]
        entries = [border for border in self._borders() if border >= step]
        to_evaluate = self._due(step, self._total) + (self._every is not None)
        to_evaluate -= sum(self._due(border, border + 1) for border in entries)
        entering, evaluating = self._an_entry(), self._an_evaluation()
        beside = len(entries) * (entering or 0.0) + to_evaluate * (evaluating or 0.0)
        least, most = (self._stepping(step, grows=grows) + beside for grows in (False, True))
        if step >= self._total:
            return f"{_clock(most)} of evaluating left" if round(most) else ""
        unseen = to_evaluate > 0 and evaluating is None
        if unseen and most < 1:
            return ""
        span = f"{'more than ' if unseen else ''}{_clock(most)}"
        if round(least) != round(most):
            span = f"{_clock(least)} to {_clock(most)}"
        uncounted = len(entries) if entering is None else 0
        return f"{span} left" + (f", and {uncounted} stage{'s' * (uncounted > 1)} to compile" if uncounted else "")

    def _borders(self) -> list[int]:
        """The steps at which a stage after the first begins."""
        return [stage.end for stage in self._stages if stage.end < self._total]

    def _stage(self, step: int) -> int:
        """The stage, from 0, whose step is the one that is taken before this."""
        last = len(self._stages) - 1
        return next((number for number, stage in enumerate(self._stages) if step <= stage.end), last)

    def _known(self) -> list[tuple[float, float]]:
        """What a step costs and the seconds that it takes, of each stage seen."""
        seen = [(stage.cost, seen.a_step) for stage, seen in zip(self._stages, self._seen, strict=True)]
        return [(cost, a_step) for cost, a_step in seen if a_step is not None]

    def _stepping(self, step: int, *, grows: bool) -> float:
        """Seconds of the steps that are left. ``grows``: a cost that was not seen takes as much longer as it is more."""
        known, begin, seconds = self._known(), 0, 0.0
        (cost, a_step), before = known[-1], known[-2] if len(known) > 1 else None
        per = a_step / cost if grows else 0.0
        if before is not None and before[0] != cost:
            per = min(max(0.0, (a_step - before[1]) / (cost - before[0])), a_step / cost)
        for stage, seen in zip(self._stages, self._seen, strict=True):
            due = max(0, stage.end - max(step, begin))
            seconds += due * (a_step + per * (stage.cost - cost) if seen.a_step is None else seen.a_step)
            begin = stage.end
        return seconds

    def _an_entry(self) -> float | None:
        return self._entering / self._entered if self._entered else None

    def _an_evaluation(self) -> float | None:
        found = [seen.an_evaluation for seen in self._seen if seen.an_evaluation is not None]
        # One that was seen only between two stages took no longer than all that lies there.
        return found[-1] if found else self._an_entry() if self._evaluated_entering else None

    def _due(self, first: int, end: int) -> int:
        """How many evaluations are due from one step on and before another."""
        return 0 if self._every is None else (end - 1) // self._every - (first - 1) // self._every


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
