"""Curves over the steps as SVG that stands in the page, with what a script needs to read values off them."""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from likeness.experiments.display.figures import stage_ends
from likeness.experiments.report.runs import ReportedRun, is_metric
from likeness.experiments.report.template import Html, part

COLORS = 7
"""Runs drawn in different colors; after that they are told apart by dashes."""
_FRAME = {"width": 360, "height": 190, "left": 48, "right": 350, "top": 10, "bottom": 164}
"""The size of a chart, and the place of its axes in it."""
_MOST = 400

Point = tuple[float, float, float, float]
"""Step, value, and the ends of its interval."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """One metric of one run."""

    run: str
    number: int
    """Of the run in the page, which gives the color."""
    points: Sequence[Point]
    rate: bool
    """Whether the values are shares, and shown in percent."""
    ends: Sequence[float] = ()
    """The steps at which a stage of the run ended: values before and after do not compare."""

    def parts(self) -> list[Sequence[Point]]:
        """The points of each stage; one at an end is of the stage that ends."""
        edges = [-math.inf, *self.ends, math.inf]
        found = [[point for point in self.points if low < point[0] <= high] for low, high in itertools.pairwise(edges)]
        return [part for part in found if part]


def metric_names(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Metrics in the order in which they appear, the loss first."""
    names = dict.fromkeys(name for record in records for name in record if name not in ("step", "split", "stage"))
    return sorted(names, key=lambda name: name != "loss")


def curve(run: ReportedRun, number: int, records: Iterable[Mapping[str, Any]], name: str) -> Curve:
    """A metric over the steps; what is no finite number is left out, and many points are averaged over equal groups."""
    points: list[Point] = []
    rate = False
    for record in records:
        value = record.get(name)
        if value is None or not is_metric(value):
            continue
        if not isinstance(value, Mapping):
            points.append((float(record["step"]), float(value), float(value), float(value)))
        elif value.get("value") is not None:
            rate = True
            points.append((float(record["step"]), float(value["value"]), float(value["low"]), float(value["high"])))
    whole = Curve(run.name, number, sorted(points), rate, stage_ends(run.records))
    return dataclasses.replace(whole, points=[point for part in whole.parts() for point in _thinned(part)])


def _thinned(points: Sequence[Point]) -> list[Point]:
    size = -(-len(points) // _MOST)
    if size < 2:
        return list(points)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [_averaged(group) for group in groups]


def _averaged(group: Sequence[Point]) -> Point:
    _, value, low, high = (fmean(ends) for ends in zip(*group, strict=True))
    return group[-1][0], value, low, high


def chart(title: str, curves: Sequence[Curve]) -> Html | None:
    """A chart of one metric, of one run or of several over each other; None where there is nothing to draw."""
    drawn = [each for each in curves if each.points]
    if not drawn:
        return None
    axes = _Axes.around(drawn)
    rate = all(each.rate for each in drawn)
    # Of several runs each would have stages of its own.
    stages = drawn[0].ends if len(drawn) == 1 else ()
    inside = [(axes.x(end), number) for number, end in enumerate(stages, 2) if axes.left <= end < axes.right]
    said = "; ".join(f"{each.run}: from {show(each.points[0][1], rate)} to {show(each.points[-1][1], rate)}" for each in drawn)
    first, last = drawn[0].points[0][0], max(each.points[-1][0] for each in drawn)
    label = f"{title} over steps {first:,.0f} to {last:,.0f}. {said}. Left and right arrows read values off."
    data = {
        "x": [axes.left, axes.right, _FRAME["left"], _FRAME["right"]],
        "rate": rate,
        "curves": [{"run": each.run, "points": [point[:2] for point in each.points]} for each in drawn],
    }
    lines = [line for each in drawn for line in axes.lines(each)]
    return part("chart", title, label, json.dumps(data), _FRAME, axes.values(rate), axes.steps(), inside, lines)


def legend(runs: Sequence[ReportedRun]) -> Html:
    """Which line is which run."""
    return part("legend", [run.name for run in runs], COLORS)


def show(value: float, rate: bool = False) -> str:
    """A value as short as it can be read."""
    if rate:
        return f"{100 * value:.3g} %"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


class _Line(NamedTuple):
    """What is drawn of one stage of a curve, in the chart's own units."""

    color: int
    places: list[tuple[float, float]]
    ends: list[tuple[float, float]]
    """Of the intervals: the upper ones, and back along the lower ones."""
    dashes: str | None
    dots: bool


@dataclasses.dataclass(frozen=True)
class _Axes:
    left: float
    right: float
    low: float
    high: float
    log: bool

    @classmethod
    def around(cls, curves: Sequence[Curve]) -> "_Axes":
        steps = [point[0] for each in curves for point in each.points]
        ends = [end for each in curves for point in each.points for end in point[1:]]
        left, right, low, high = min(steps), max(steps), min(ends), max(ends)
        log = low > 0 and high > 30 * low
        if log:
            low, high = math.log10(low), math.log10(high)
        spare = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        bounded = not log and low >= 0 and low - spare < 0
        return cls(left, right, 0.0 if bounded else low - spare, high + spare, log)

    def x(self, step: float) -> float:
        share = (step - self.left) / (self.right - self.left) if self.right > self.left else 0.5
        return round(_FRAME["left"] + share * (_FRAME["right"] - _FRAME["left"]), 2)

    def y(self, value: float) -> float:
        at = math.log10(value) if self.log else value
        return round(_FRAME["bottom"] - (at - self.low) / (self.high - self.low) * (_FRAME["bottom"] - _FRAME["top"]), 2)

    def values(self, rate: bool) -> list[tuple[float, str]]:
        return [(self.y(value), show(value, rate)) for value in self._values()]

    def steps(self) -> list[tuple[float, str]]:
        steps = _nice(self.left, self.right, 5) if self.right > self.left else [self.left]
        return [(self.x(step), f"{step:,.0f}") for step in steps]

    def _values(self) -> list[float]:
        if not self.log:
            return _nice(self.low, self.high, 5)
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        wanted = (1,) if self.high - self.low > 2.5 else (1, 3)
        values = [digit * 10.0**decade for decade in decades for digit in wanted]
        inside = [value for value in values if self.low <= math.log10(value) <= self.high]
        return inside[:: -(-len(inside) // 6)] if inside else []

    def lines(self, drawn: Curve) -> list[_Line]:
        dashes = None if drawn.number < COLORS else f"{2 + 2 * (drawn.number // COLORS)} 3"
        few = len(drawn.points) <= 30
        return [self._line(points, drawn.number % COLORS, dashes, few) for points in drawn.parts()]

    def _line(self, points: Sequence[Point], color: int, dashes: str | None, few: bool) -> _Line:
        places = [(self.x(step), self.y(value)) for step, value, _, _ in points]
        ends = []
        if any(low != high for _, _, low, high in points):
            upper = [(self.x(point[0]), self.y(point[3])) for point in points]
            lower = [(self.x(point[0]), self.y(point[2])) for point in reversed(points)]
            ends = [*upper, *lower]
        return _Line(color, places, ends, dashes, few)


def _nice(low: float, high: float, count: int) -> list[float]:
    """Round numbers from low to high, about so many."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    unit = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough)
    first = math.ceil(low / unit - 1e-9)
    return [float(f"{number * unit:.12g}") for number in range(first, math.floor(high / unit + 1e-9) + 1)]
