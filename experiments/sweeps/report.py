"""What came out of a sweep: a table, the best run first, and a figure of parallel coordinates."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from likeness.experiments.experiment import Experiment
from likeness.experiments.run import Run
from likeness.experiments.sweeps.members import Member, Outcome, outcome, write_results
from likeness.experiments.sweeps.overrides import short_paths, shown
from likeness.research.errors import UserError
from likeness.research.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, PALE = "#333333", "#B8B8B8"
_GAP = 3
_FAN = 0.16


def deciding(run: Run, found: Sequence[Outcome], asked: str | None) -> str | None:
    """The metric by which runs are sorted: the one asked for, the run's own, or the first there is; None without any.

    Raises:
        UserError: no run has the metric that was asked for.
    """
    known = list(dict.fromkeys(name for each in found for name in each.metrics))
    if asked is not None and known and asked not in known:
        raise UserError(f"No run of the sweep reports {asked!r}: choose one of {', '.join(sorted(known))}.")
    if asked is not None:
        return asked
    best = run.checkpoints.best_metric
    return best if best in known else next(iter(known), None)


def ranked(made: Sequence[Member], found: Sequence[Outcome], metric: str | None, mode: Literal["min", "max"]) -> list[int]:
    """The runs by rank: those with a result, those stopped early, who came farthest first, and the others as they came."""
    sign = -1.0 if mode == "max" else 1.0

    def key(number: int) -> tuple[float, ...]:
        value = math.nan if metric is None else found[number].metrics.get(metric, math.nan)
        if not math.isnan(value):
            return 0, sign * value
        stopped = made[number].stopped
        return (2,) if stopped is None else (1, -stopped.step, stopped.place)

    return sorted(range(len(found)), key=key)


def table(made: Sequence[Member], order: Sequence[int], found: Sequence[Outcome], metric: str | None) -> list[list[str]]:
    """Rows of text, the first of which is the header.

    The overrides come first, then the metric that decides, seconds, what became of the run, and all other metrics.
    """
    short = short_paths([member.override for member in made])
    others = list(dict.fromkeys(name for each in found for name in each.metrics if name != metric))
    decides = [] if metric is None else [metric]

    def numbers(number: int, names: Sequence[str]) -> list[str]:
        values = found[number].metrics
        return [f"{values[name]:.4g}" if name in values else "" for name in names]

    rows = [[*short.values(), *decides, "seconds", "status", *others]]
    for number in order:
        member, seconds = made[number], found[number].seconds
        rows.append(
            [
                *(shown(member.override[path]) if path in member.override else "" for path in short),
                *numbers(number, decides),
                "" if seconds is None else f"{seconds:.1f}",
                member.became,
                *numbers(number, others),
            ]
        )
    return rows


class Written(NamedTuple):
    """What was written of a sweep."""

    rows: list[list[str]]
    """The table, the first row of which is the header."""
    order: list[int]
    """The runs by rank."""
    metric: str | None
    """By which they are sorted."""
    files: list[Path]


def write(made: Sequence[Member], run: Run, root: Path, asked: str | None, mode: Literal["min", "max"]) -> Written:
    """Writes ``sweep.json``, the table as ``sweep.md``, and the figure as ``sweep.png`` where there is something to compare.

    Args:
        made: the runs.
        run: what they have in common.
        root: the sweep's directory.
        asked: the metric that they are sorted by; None takes what :func:`deciding` finds.
        mode: whether its lowest or its highest is best.

    Raises:
        UserError: no run has the metric that was asked for.
    """
    files = [write_results(made, root)]
    found = [outcome(member) for member in made]
    metric = deciding(run, found, asked)
    order = ranked(made, found, metric, mode)
    rows = table(made, order, found, metric)
    files.append(root / "sweep.md")
    write_markdown(files[-1], rows, made, metric)
    if metric is not None and sum(metric in each.metrics for each in found) > 1:
        # It needs Matplotlib.
        from likeness.experiments.display import figures

        figure = parallel_coordinates(made, found, metric, lowest_is_best=mode == "min")
        files.append(figures.save(figure, root / "sweep.png"))
    return Written(rows, order, metric, files)


def fitted(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """The table without those of its last columns, metrics that do not decide, that are beyond a terminal's width."""
    kept = rows[0].index("status") + 1
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    while kept < len(widths) and sum(widths[: kept + 1]) + _GAP * kept <= width:
        kept += 1
    return [list(row[:kept]) for row in rows]


def without_parts(made: Sequence[Member]) -> bool:
    """Whether what was evaluated is what the runs made, such as a painting, and no part of any data."""
    return any(member.run.experiment.evaluating != Experiment.evaluating for member in made)


def write_markdown(path: Path, rows: Sequence[Sequence[str]], made: Sequence[Member], metric: str | None) -> None:
    """Writes the table, why the failed runs failed, and what was seen of those that were stopped early."""
    header, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [f"| {' | '.join(header)} |", f"|{'|'.join(['---'] * len(header))}|", *(f"| {' | '.join(row)} |" for row in body)]
    if metric is not None:
        lines += ["", f"Sorted by {metric}{'' if without_parts(made) else ' on the test part'}, the best first."]
    if any(member.stopped is not None for member in made):
        lines += ["", "Runs that were stopped early were compared on the validation part; none was evaluated at the end."]
    lines += ["", *(f"- **{member.name}** failed: {member.why}" for member in made if member.status == "failed")]
    write_atomically(path, "\n".join(lines).rstrip() + "\n")


def parallel_coordinates(
    made: Sequence[Member], found: Sequence[Outcome], metric: str, *, lowest_is_best: bool = True
) -> "Figure":
    """Draws a line for each run through what it has otherwise and what it came to, the best dark and on top.

    An axis of numbers above 0 that span more than a decade is logarithmic; whatever is no number has its places in turn.
    Runs of one value pass it side by side, or one line would hide the others.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    kept = [number for number, each in enumerate(found) if metric in each.metrics]
    short = short_paths([made[number].override for number in kept])
    axes_of = {name: [made[number].override.get(path) for number in kept] for path, name in short.items()}
    axes_of = {**axes_of, metric: [found[number].metrics[metric] for number in kept]}
    figure = Figure(figsize=(max(5.0, 1.7 * len(axes_of) + 1.6), 4.2), layout="constrained")
    axes = figure.subplots()
    heights = {}
    for place, (name, values) in enumerate(axes_of.items()):
        heights[name], ticks = _scaled(values)
        axes.axvline(place, color=PALE, linewidth=1.2, zorder=1)
        for text, height in ticks:
            axes.annotate(
                text, (place, height), (5, 0), textcoords="offset points", va="center", fontsize=9, color=INK, zorder=4,
                bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
            )  # fmt: skip
    goodness = [1 - height if lowest_is_best else height for height in heights[metric]]
    heights = {name: heights[name] if name == metric else _fanned(heights[name], heights[metric]) for name in axes_of}
    for line in sorted(range(len(kept)), key=lambda number: goodness[number]):
        axes.plot(
            range(len(axes_of)), [heights[name][line] for name in axes_of], linewidth=1.2 + 1.4 * goodness[line],
            # Reversed, so that the best is dark on white.
            color=colormaps["cividis_r"](0.1 + 0.9 * goodness[line]), zorder=2 + 0.5 * goodness[line],
        )  # fmt: skip
    axes.set_xticks(range(len(axes_of)), list(axes_of), fontsize=10, color=INK)
    axes.set_yticks([])
    axes.set_xlim(-0.2, len(axes_of) - 0.4)
    axes.set_ylim(-0.1, 1.1)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_title(f"{len(kept)} runs, the best by {metric} dark", loc="left", fontsize=12, color=INK, fontweight="bold")
    return figure


def _fanned(heights: Sequence[float], results: Sequence[float]) -> list[float]:
    """The same heights, those that are equal spread a little, in the order of what came out."""
    groups: dict[float, list[int]] = {}
    for line in sorted(range(len(heights)), key=lambda line: results[line]):
        groups.setdefault(heights[line], []).append(line)
    # Where all are different nothing is in the way; many values leave each less room.
    spread = _FAN / max(1, len(groups) - 1)
    moved = list(heights)
    for height, lines in groups.items():
        for place, line in enumerate(lines):
            # Two are not as far apart as ten, or they look like two values.
            wide = spread * min(1.0, 0.15 * (len(lines) - 1))
            moved[line] = height + (0.0 if len(lines) == 1 else wide * (place / (len(lines) - 1) - 0.5))
    return moved


def _scaled(values: Sequence[Any]) -> tuple[list[float], list[tuple[str, float]]]:
    """Heights in [0, 1], and what stands beside some of them."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) for value in values)
    if not numbers:
        # A run without this override has what the config says.
        kinds = list(dict.fromkeys("as it is" if value is None else shown(value) for value in values))
        places = {kind: (0.5 if len(kinds) == 1 else number / (len(kinds) - 1)) for number, kind in enumerate(kinds)}
        return [places["as it is" if value is None else shown(value)] for value in values], list(places.items())
    low, high = min(values), max(values)
    if low == high:
        return [0.5] * len(values), [(shown(low), 0.5)]
    logarithmic = low > 0 and high > 10 * low

    def height(value: float) -> float:
        return math.log(value / low) / math.log(high / low) if logarithmic else (value - low) / (high - low)

    distinct = sorted(set(values))
    middle = math.sqrt(low * high) if logarithmic else (low + high) / 2
    marked = distinct if len(distinct) <= 6 else [low, middle, high]
    return [height(value) for value in values], [(f"{value:.3g}", height(value)) for value in marked]
