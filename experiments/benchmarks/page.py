"""Results as one page: a section a suite, a table a row, and a bar for each contender."""

import math
from collections.abc import Sequence
from typing import Any

from likeness.experiments.benchmarks.protocol import Result
from likeness.experiments.benchmarks.table import HEADS, NOTES, goal_line, lines, machines, threads_lines, title
from likeness.experiments.benchmarks.verdict import seconds, speed, time_text, verdict
from likeness.experiments.report.template import page

_WIDTH = 420
"""Of the longest bar."""


def page_of(results: Sequence[Result]) -> str:
    """The page; it opens from a disk and asks no network for anything."""
    suites: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        suites.setdefault(result.suite, []).append(_row(result))
    given = {
        "title": "Benchmarks · Likeness",
        "heads": HEADS,
        "suites": suites,
        "threads": threads_lines(results),
        "machines": machines(results),
        "notes": NOTES,
        "slower": _slower(results),
        "missed": _missed(results),
    }
    return page("benchmark.html", given)


def _row(result: Result) -> dict[str, Any]:
    longest = max(seconds(result, one).high for one in result.contenders)
    bars = [
        {
            "name": one.name,
            "color": index,
            "length": _WIDTH * (taken := seconds(result, one)).median / longest,
            "low": _WIDTH * taken.low / longest,
            "high": _WIDTH * taken.high / longest,
            "text": time_text(taken.median),
        }
        for index, one in enumerate(result.contenders)
    ]
    return {"title": title(result), "lines": lines(result), "goal": goal_line(result), "bars": bars}


def _slower(results: Sequence[Result]) -> list[str]:
    """Where Likeness is slower than another, the worst first."""
    found = [(speed(result, one).median, result, one) for result in results for one in result.contenders[1:]]
    worst = sorted((one for one in found if one[0] < 1 and not math.isnan(one[0])), key=lambda one: one[0])
    return [f"{title(result)}: {ratio:.2f}× as fast as {one.name}" for ratio, result, one in worst]


def _missed(results: Sequence[Result]) -> list[str]:
    judged = [(result, verdict(result)) for result in results]
    return [f"{title(result)}: {one.found} where {one.wanted} is wanted" for result, one in judged if one and not one.met]
