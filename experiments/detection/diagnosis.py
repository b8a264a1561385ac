"""Figures that say what is wrong with a detector: kinds of errors, calibration, confusions, and errors by threshold."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from likeness.experiments.detection.figures import class_label
from likeness.experiments.display.figures import BLUE, GREEN, INK, ORANGE, PALE, PIXELS_PER_INCH
from likeness.research.metrics.detection.calibration import Reliability
from likeness.research.metrics.detection.confusion import ConfusionMatrix
from likeness.research.metrics.detection.errors import KINDS, ErrorShares
from likeness.research.metrics.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MOST_CLASSES", "confusions", "error_by_threshold", "errors", "scores"]

MOST_CLASSES = 24
"""More rows and columns than that nobody can read in a figure."""

_MEANINGS = {
    "classification": "right place, wrong class",
    "localization": "right class, loose box",
    "both": "loose box, wrong class",
    "duplicate": "found a second time",
    "background": "nothing is there",
    "missed": "not found at all",
}


def errors(shares: ErrorShares, above: Mapping[str, int], score_threshold: float) -> "Figure":
    """Draws what AP50 would gain if all errors of one kind were mended, and how many of them people see.

    Args:
        shares: of all detections.
        above: how many errors of each kind there are among detections above the threshold.
        score_threshold: what scores this or less is not shown.
    """
    figure, axes = _canvas(6.6, 3.6)
    gains = [100 * shares.gains[kind] for kind in KINDS]
    places = np.arange(len(KINDS))
    axes.barh(places, gains, color=[BLUE] * 5 + [ORANGE], height=0.62)
    reach = max(1.0, *gains)
    for place, kind, gain in zip(places.tolist(), KINDS, gains, strict=True):
        axes.text(gain + 0.02 * reach, place, f"+{gain:.1f}   {above[kind]:,} seen", va="center", fontsize=9, color=INK)
    axes.set_yticks(places, [f"{kind}\n{_MEANINGS[kind]}" for kind in KINDS], fontsize=9, color=INK)
    axes.invert_yaxis()
    axes.set_xlim(min(0.0, *gains) * 1.1, 1.32 * reach)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(
        f"what AP50 ({100 * shares.ap:.1f} %) would gain, in points; seen: at scores above {score_threshold:g}",
        fontsize=9.5,
        color=INK,
    )
    axes.set_title("What the missing points are made of", loc="left", fontsize=11.5, color=INK, fontweight="bold")
    return figure


def scores(known: Reliability) -> "Figure":
    """Draws the share of detections that are right by their score, with 95 % intervals, over how many there are.

    Args:
        known: scores beside the share that is right.
    """
    figure, (axes, below) = _two(6.0, 5.0)
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1.2, linestyle=(0, (4, 3)), label="right as often as it says")
    x, y, low, high = _resolved(known.confidence.tolist(), known.precision)
    spread = np.maximum([y - low, high - y], 0)
    axes.errorbar(x, y, yerr=spread, color=BLUE, fmt="o", markersize=5, capsize=3, linewidth=1.4)
    widths = np.diff(known.edges)
    below.bar(known.edges[:-1], known.counts, widths, align="edge", color=BLUE, alpha=0.45, edgecolor="white")
    below.set_ylabel("how many", fontsize=9.5, color=INK)
    below.set_xlabel("score", fontsize=10, color=INK)
    axes.set_ylabel("share that is right", fontsize=10, color=INK)
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlim(0, 1)
    _percent(axes.yaxis)
    low, high = known.ece.interval
    said = "no detections"
    if known.ece.value is not None:
        said = (
            f"calibration error {100 * known.ece.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}], by chance alone "
            f"{100 * known.chance:.1f} %"
        )
    axes.set_title(f"What a score is worth at IoU 0.5\n{said}", loc="left", fontsize=10.5, color=INK, fontweight="bold")
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    return figure


def confusions(matrix: ConfusionMatrix, class_names: Sequence[str], score_threshold: float) -> "Figure":
    """Draws what the objects of each class were found as: the share of the row as color, and in print with the count.

    Args:
        matrix: objects by row, detections by column.
        class_names: of the classes, at most :data:`MOST_CLASSES`.
        score_threshold: detections that score this or less are left out.
    """
    k = len(class_names)
    side = max(3.4, 0.8 * (k + 1))
    figure, axes = _canvas(side + 1.9, side + 1.5)
    axes.grid(visible=False)
    counts = matrix.counts
    shares = np.zeros(counts.shape)
    shares[:-1] = np.nan_to_num(matrix.shares())
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if not count:
            continue
        # Where nothing is there is no number of which this were a share.
        text = f"{count:,}" if row == k else f"{100 * shares[row, column]:.0f} %\n{count:,}"
        wrong = row != column
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=9 if k < 8 else 6.5,
            color="white" if shares[row, column] > 0.5 else ORANGE if wrong else INK,
        )
    names = [class_label(name).replace(" ", "\n") for name in class_names]
    turn = {"rotation": 90} if k > 7 else {}
    axes.set_xticks(range(k + 1), [*names, "missed"], fontsize=9 if k < 8 else 7, color=INK, **turn)
    axes.set_yticks(range(k + 1), [*names, "nothing"], fontsize=9 if k < 8 else 7, color=INK)
    axes.axhline(k - 0.5, color=INK, linewidth=0.8)
    axes.axvline(k - 0.5, color=INK, linewidth=0.8)
    axes.tick_params(length=0)
    axes.set_xlabel(f"found as, at scores above {score_threshold:g}", fontsize=10, color=INK)
    axes.set_ylabel("there is", fontsize=10, color=INK)
    axes.set_title("Which class is taken for which", loc="left", fontsize=11.5, color=INK, fontweight="bold")
    return figure


def error_by_threshold(
    thresholds: Sequence[float], rates: Sequence[Mapping[str, Estimate]], score_threshold: float, best: float
) -> "Figure":
    """Draws which share of what is found is wrong, and which share of what is there is missed, by the score threshold.

    Args:
        thresholds: scores below which detections are left out.
        rates: ``precision`` and ``recall`` at each.
        score_threshold: where the model in use is set to.
        best: where F1 is highest.
    """
    figure, axes = _canvas(6.2, 4.2)
    for name, color, style, words in (
        ("precision", BLUE, "-", "wrong, of what is found"),
        ("recall", ORANGE, (0, (5, 1.5)), "missed, of what is there"),
    ):
        x, rate, low, high = _resolved(thresholds, [each[name] for each in rates])
        axes.fill_between(x, 1 - high, 1 - low, color=color, alpha=0.18, linewidth=0)
        axes.plot(x, 1 - rate, color=color, linestyle=style, linewidth=2, label=words)
    axes.axvline(score_threshold, color=INK, linewidth=1.2, linestyle=(0, (1, 2)), label=f"in use: {score_threshold:g}")
    if np.isfinite(best):
        axes.axvline(best, color=GREEN, linewidth=1.2, linestyle=(0, (6, 2, 1, 2)), label=f"highest F1: {best:.2f}")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    _percent(axes.yaxis)
    axes.set_xlabel("score threshold", fontsize=10, color=INK)
    axes.set_ylabel("share", fontsize=10, color=INK)
    axes.set_title(
        "Errors by score threshold at IoU 0.5, with 95 % bands", loc="left", fontsize=11.5, color=INK, fontweight="bold"
    )
    axes.legend(loc="upper center", fontsize=9, ncols=2, facecolor="white", edgecolor="white", framealpha=0.85)
    return figure


def _resolved(places: Sequence[float], estimates: Sequence[Estimate]) -> Float[np.ndarray, "4 n"]:
    """Place, value, and both ends of the interval of those that could be resolved."""
    rows = [(at, each.value, *each.interval) for at, each in zip(places, estimates, strict=True) if each.value is not None]
    return np.array(rows, np.float64).reshape(-1, 4).T


def _canvas(width: float, height: float) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), dpi=PIXELS_PER_INCH, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    axes = figure.subplots()
    _style(axes)
    return figure, axes


def _two(width: float, height: float) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), dpi=PIXELS_PER_INCH, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))
    both = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for axes in both:
        _style(axes)
    return figure, both


def _style(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)
    axes.grid(color="#ECECEC", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(color=PALE, labelcolor=INK, labelsize=9)


def _percent(axis: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
