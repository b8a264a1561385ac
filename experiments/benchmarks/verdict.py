"""What results say: medians, how many times as fast Likeness is, and whether a goal is met."""

import dataclasses
from collections.abc import Sequence

from likeness.experiments.benchmarks.machine import middle
from likeness.experiments.benchmarks.protocol import Measured, Result


@dataclasses.dataclass(frozen=True)
class Spread:
    """A median with the quartiles around it."""

    median: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a goal is met."""

    wanted: str
    found: str
    met: bool


def seconds(result: Result, one: Measured) -> Spread:
    """Of a contender, by the clock that counts in this row."""
    return Spread(*middle(_taken(result, one)))


def other_seconds(result: Result, one: Measured) -> Spread:
    """By the other clock."""
    return Spread(*middle(one.times.wall if result.clock == "processor" else one.times.processor))


def speed(result: Result, one: Measured) -> Spread:
    """How many times as fast as this contender Likeness is.

    Rounds are compared one by one, since what others do on the machine lengthens both sides of a round and not the next.
    """
    ours = result.contenders[0]
    return Spread(*middle([b / a for a, b in zip(_taken(result, ours), _taken(result, one), strict=True)]))


def of_matrix_rate(result: Result, one: Measured) -> float | None:
    """The operations of the work as it is defined, in the time that it took, as a share of the machine's matrix rate.

    What needs fewer operations than the definition, such as a convolution by tiles, may come to more than 1.
    """
    operations = result.contenders[0].operations if one.operations is None else one.operations
    return None if operations is None else operations / seconds(result, one).median / result.machine.operations


def of_bandwidth(result: Result, one: Measured) -> float | None:
    """The bytes that the compiled program moves, in the time it took, as a share of the machine's rate of copying."""
    return None if one.moved is None else one.moved / seconds(result, one).median / result.machine.moved


def verdict(result: Result) -> Verdict | None:
    """Whether Likeness does what the row is to show; None where it has no goal."""
    goal = result.goal
    if goal is None:
        return None
    if goal.seconds is not None:
        taken = seconds(result, result.contenders[0]).median
        return Verdict(f"≤ {time_text(goal.seconds)}", time_text(taken), taken <= goal.seconds)
    assert goal.speed is not None
    rival = next(one for one in result.contenders if one.name == goal.against)
    found = speed(result, rival).median
    return Verdict(f"≥ {goal.speed:.2f}× {goal.against}", f"{found:.2f}×", found >= goal.speed)


def with_two_threads(results: Sequence[Result]) -> dict[tuple[str, str], Verdict]:
    """How many times as fast as on one thread Likeness is on two, by suite and row, for rows that were measured with both.

    By the median wall times of the two, which did not alternate.
    """
    wall = {result.key: middle(result.contenders[0].times.wall)[0] for result in results}
    found = {}
    for result in results:
        pair = [wall.get((result.suite, result.row, threads)) for threads in (1, 2)]
        if result.two_threads is not None and pair[0] is not None and pair[1] is not None:
            gained = pair[0] / pair[1]
            wanted = f"≥ {result.two_threads:.2f}× one thread"
            found[result.suite, result.row] = Verdict(wanted, f"{gained:.2f}×", gained >= result.two_threads)
    return found


def time_text(taken: float) -> str:
    """Three figures and a unit.

    >>> time_text(0.01234), time_text(0.9), time_text(75.0), time_text(2.5e-5)
    ('12.3 ms', '900 ms', '75.0 s', '25.0 µs')
    """
    factor, unit = unit_of(taken)
    return f"{figures(factor * taken)} {unit}"


def unit_of(taken: float) -> tuple[float, str]:
    """In which unit a time is told, and how many of it are a second."""
    return (1.0, "s") if taken >= 1 else (1e3, "ms") if taken >= 1e-3 else (1e6, "µs")


def figures(number: float) -> str:
    """Three figures of a number."""
    return f"{number:,.{0 if number >= 100 else 1 if number >= 10 else 2}f}"


def size_text(taken: float) -> str:
    """Bytes in MB or GB.

    >>> size_text(23_400_000), size_text(1_250_000_000)
    ('23 MB', '1.25 GB')
    """
    return f"{taken / 1e6:,.0f} MB" if taken < 1e9 else f"{taken / 1e9:,.2f} GB"


def _taken(result: Result, one: Measured) -> tuple[float, ...]:
    return one.times.processor if result.clock == "processor" else one.times.wall
