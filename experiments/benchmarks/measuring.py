"""Measures a row in this process: the contenders alternate, and each is timed by two clocks."""

import importlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from likeness.experiments.benchmarks.machine import forget_peak, peak, processor_seconds, resident
from likeness.experiments.benchmarks.protocol import Contender, Row, Times, Work
from likeness.research.errors import UserError

LEAST = 0.05
"""Seconds that a timed round takes at least: what is shorter is done several times."""
FEWEST = 3
"""Rounds that are always taken."""


def build(row: Row, contenders: Sequence[Contender], tell: Callable[[str], None]) -> dict[str, Work]:
    """What some contenders of a row have made ready, by name, once they agree.

    Raises:
        UserError: two contenders do not compute the same.
    """
    works = {}
    for contender in contenders:
        tell(f"{contender.name}: making ready")
        works[contender.name] = contender.build()
    _check_agreement(row, works)
    return works


def alternate(works: Mapping[str, Work], rounds: int, seconds: float, tell: Callable[[str], None]) -> dict[str, Times]:
    """Times several contenders in turn.

    The first round warms up and is not counted. Every other round goes through the contenders backwards, so that none always
    finds the caches as the same one leaves them.

    Args:
        works: what each has made ready.
        rounds: how many are counted, at most.
        seconds: no round begins after this long; :data:`FEWEST` rounds are always taken.
        tell: told how far it is.
    """
    repeats = {}
    for name, work in works.items():
        tell(f"{name}: warming up")
        # The first call may be long for what it does once, and says of a short one too little.
        taken = _once(work).elapsed
        repeats[name] = 1 if taken > 20 * LEAST else max(1, math.ceil(LEAST / max(_once(work).elapsed, 1e-9)))
    found: dict[str, list[_Round]] = {name: [] for name in works}
    began = time.perf_counter()
    for number in range(rounds):
        if number >= FEWEST and time.perf_counter() - began > seconds:
            break
        tell(f"round {number + 1} of {rounds}")
        for name in list(works)[:: -1 if number % 2 else 1]:
            found[name].append(_once(works[name], repeats[name]))
    return {
        name: Times(
            tuple(one.processor for one in taken),
            tuple(one.elapsed if one.told is None else one.told for one in taken),
            told=taken[0].told is not None,
        )
        for name, taken in found.items()
    }


def memory(contender: Contender, times: int = 2) -> int:
    """Bytes that a contender holds at most while it works, beyond those after the imports.

    For a process that does nothing else. What compiling holds for a while does not count, and what it leaves behind does.
    """
    for package in contender.packages:
        importlib.import_module(package)
    before = resident()
    work = contender.build()
    work.once()
    forget_peak()
    for _ in range(times):
        work.once()
    return max(peak() - before, 0)


class _Round(NamedTuple):
    """Seconds of one call, on average over those of a round."""

    processor: float
    elapsed: float
    told: float | None
    """What the work said, if it did."""


def _once(work: Work, repeats: int = 1) -> _Round:
    used, began = processor_seconds(), time.perf_counter()
    given = [work.once() for _ in range(repeats)]
    elapsed, processor = time.perf_counter() - began, processor_seconds() - used
    said = [seconds for seconds in given if seconds is not None]
    return _Round(processor / repeats, elapsed / repeats, sum(said) / repeats if said else None)


def _check_agreement(row: Row, works: Mapping[str, Work]) -> None:
    answers = {name: work.answer() for name, work in works.items() if work.answer is not None}
    first = next(iter(answers), "")
    for name, found in answers.items():
        for ours, theirs, allowed in zip(answers[first], found, row.tolerance, strict=True):
            apart = _apart(np.asarray(ours, np.float64), np.asarray(theirs, np.float64))
            if not apart <= allowed:
                raise UserError(
                    f"{row.name}: {first} and {name} do not compute the same (their answers of shapes {np.shape(ours)} and "
                    f"{np.shape(theirs)} are apart by {apart:.1e} of their norm, and {allowed:g} is allowed), so their times "
                    "cannot be compared: mend the suite."
                )


def _apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    if ours.shape != theirs.shape:
        return math.inf
    return float(np.linalg.norm(ours - theirs) / max(np.linalg.norm(ours), 1e-30))
