"""How many times as fast as its peers Likeness is, as a figure of bars on a log axis: left of 1 it is slower."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from likeness.experiments.benchmarks.protocol import Result
from likeness.experiments.benchmarks.verdict import speed
from likeness.experiments.display.figures import BLUE, INK, ORANGE, PALE, PIXELS_PER_INCH
from likeness.research.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def speeds(results: Sequence[Result]) -> "Figure":
    """Draws a bar for each contender beside Likeness, with its quartiles and, where there is one, the goal as a stroke.

    Raises:
        UserError: no row has another contender.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    bars = [(result, one) for result in results for one in result.contenders[1:]]
    if not bars:
        raise UserError("--figure compares, and no row was measured beside another contender: add --peers.")
    figure = Figure(figsize=(9.0, 0.9 + 0.34 * len(bars)), dpi=PIXELS_PER_INCH, layout="constrained")
    axes: Any = figure.subplots()
    for place, (result, one) in enumerate(bars):
        found = speed(result, one)
        axes.barh(place, found.median - 1, left=1, color=BLUE if found.median >= 1 else ORANGE, height=0.62)
        axes.plot([found.low, found.high], [place, place], color=INK, linewidth=1.2)
        axes.annotate(
            f"{found.median:.2f}×",
            (max(found.high, 1.0), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=INK,
        )
        if result.goal is not None and result.goal.speed is not None and result.goal.against == one.name:
            axes.plot([result.goal.speed] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=1.6, linestyle=(0, (2, 1)))
    axes.set_xscale("log")
    ends = [end for result, one in bars for end in (speed(result, one).low, speed(result, one).high)]
    axes.set_xlim(min(0.5, 0.8 * min(ends)), max(2.0, 1.5 * max(ends)))
    ticks = [tick for tick in (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100) if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}×"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_yticks(range(len(bars)), [_name(result, one.name) for result, one in bars], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlabel("how many times as fast Likeness is; dashes: the goal")
    axes.grid(axis="x", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def _name(result: Result, peer: str) -> str:
    threads = f", {result.machine.threads} threads" if result.machine.threads > 1 else ""
    return f"{result.suite}: {result.row}{threads}\nbeside {peer}"
