"""Results as a table for a terminal and as Markdown: what is slower than a peer stands in the same size as what is faster."""

from collections.abc import Sequence

from likeness.experiments.benchmarks.machine import middle
from likeness.experiments.benchmarks.protocol import Measured, Result
from likeness.experiments.benchmarks.verdict import (
    Spread,
    figures,
    of_bandwidth,
    of_matrix_rate,
    other_seconds,
    seconds,
    size_text,
    speed,
    time_text,
    unit_of,
    verdict,
    with_two_threads,
)

HEADS = ("who", "time", "other clock", "Likeness is as fast", "memory", "compiling", "matrix rate", "bandwidth")

NOTES = (
    "Contenders alternate in one process on pinned threads; a time is the median of the rounds with its quartiles, after one "
    "round that is not counted.",
    "The time is processor time or wall time, as the title says, and the other clock is the other of the two.",
    "“Likeness is as fast” says how many times as fast as that contender Likeness is: more than 1 is faster, less is slower.",
    "Memory is the peak of the resident set in a process of its own, less that after the imports.",
    "Compiling is not part of the time.",
    "In every process freed memory is kept for the next round, which serves all contenders.",
    "The matrix rate is the share of this machine's fastest float32 matrix product that the work's operations come to, counted "
    "as the work is defined.",
    "The bandwidth is the share of this machine's rate of copying that the bytes come to which the compiled program moves, by "
    "its compiler's count.",
)
"""How the figures are to be read."""


def title(result: Result) -> str:
    """Of a row."""
    threads = result.machine.threads
    return f"{result.suite}: {result.row} · {threads} thread{'s' * (threads > 1)}, {result.clock} time"


def lines(result: Result) -> list[list[str]]:
    """A line a contender, in the order of :data:`HEADS`."""
    return [_line(result, one, index) for index, one in enumerate(result.contenders)]


def goal_line(result: Result) -> str:
    """Whether a row's goal is met; empty where it has none."""
    judged = verdict(result)
    return "" if judged is None else f"goal: {judged.wanted}; found: {judged.found}; {'met' if judged.met else 'missed'}"


def _line(result: Result, one: Measured, index: int) -> list[str]:
    return [
        one.name,
        spread_text(seconds(result, one)),
        "" if one.times.told else time_text(other_seconds(result, one).median),
        speed_text(speed(result, one)) if index else "",
        "" if one.memory is None else size_text(one.memory),
        "" if one.compiling is None else time_text(one.compiling),
        _share(of_matrix_rate(result, one)),
        _share(of_bandwidth(result, one)),
    ]


def spread_text(spread: Spread) -> str:
    """A median and its quartiles, in one unit.

    >>> spread_text(Spread(0.171, 0.1684, 0.176))
    '171 [168, 176] ms'
    """
    factor, unit = unit_of(spread.median)
    return f"{figures(factor * spread.median)} [{figures(factor * spread.low)}, {figures(factor * spread.high)}] {unit}"


def speed_text(spread: Spread) -> str:
    """A ratio and its quartiles."""
    return f"{spread.median:.2f}× [{spread.low:.2f}, {spread.high:.2f}]"


def threads_lines(results: Sequence[Result]) -> list[str]:
    """What two threads bring, a sentence a row that was measured with one and with two."""
    return [
        f"{suite}: {row}: two threads are {found.found} as fast as one ({found.wanted}: {'met' if found.met else 'missed'})"
        for (suite, row), found in with_two_threads(results).items()
    ]


def markdown(results: Sequence[Result]) -> str:
    """One table of all results, a line a row, and how to read it."""
    heads = ("suite", "work", "threads", "Likeness", "compared with", "their time", "Likeness is as fast", "goal")
    rows = [cells for result in results for cells in _markdown_cells(result)]
    table = [heads, ("---",) * len(heads), *rows]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in table]
    more = [f"- {line}" for line in threads_lines(results)]
    return "\n".join([*lines, "", *more, *([""] if more else []), *machines(results)]) + "\n"


def _markdown_cells(result: Result) -> list[tuple[str, ...]]:
    ours, judged = result.contenders[0], verdict(result)
    goal = "" if judged is None else f"{judged.wanted}: {'met' if judged.met else '**missed**'}"
    start = (result.suite, result.row, f"{result.machine.threads}", _beside_memory(ours, spread_text(seconds(result, ours))))
    if len(result.contenders) == 1:
        return [(*start, "", "", "", goal)]
    found = []
    for one in result.contenders[1:]:
        concerns = result.goal is None or result.goal.against in ("", one.name)
        times = _beside_memory(one, spread_text(seconds(result, one)))
        found.append((*start, one.name, times, speed_text(speed(result, one)), goal if concerns else ""))
    return found


def _beside_memory(one: Measured, text: str) -> str:
    return text if one.memory is None else f"{text}, {size_text(one.memory)}"


def machines(results: Sequence[Result]) -> list[str]:
    """A sentence for each machine and its versions, with the dates of what was measured there, and one for its rates."""
    found: dict[str, list[str]] = {}
    rates: dict[int, tuple[list[float], list[float]]] = {}
    for result in results:
        machine = result.machine
        seen = rates.setdefault(machine.threads, ([], []))
        seen[0].append(machine.operations)
        seen[1].append(machine.moved)
        versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
        found.setdefault(f"{machine.processor}; {versions}", []).append(result.date[:10])
    measured = [f"Measured on {where} ({' to '.join(dict.fromkeys((min(on), max(on))))})." for where, on in found.items()]
    return measured + [
        f"On {threads} thread{'s' * (threads > 1)} it multiplies matrices at {middle(operations)[0] / 1e9:,.0f} GFLOP/s and "
        f"copies at {middle(moved)[0] / 1e9:,.1f} GB/s (medians over the rows; by processor time)."
        for threads, (operations, moved) in sorted(rates.items())
    ]


def _share(part: float | None) -> str:
    return "" if part is None else f"{100 * part:.0f} %"
