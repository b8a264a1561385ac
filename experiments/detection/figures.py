"""Figures of a detection: what was found over what is there, and precision by recall."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from likeness.experiments.detection.evidence import ShownImage
from likeness.experiments.display.figures import BLUE, GREEN, INK, ORANGE, PALE, PIXELS_PER_INCH, PURPLE
from likeness.research.metrics.detection.uncertainty import PrecisionBand

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["beside_truth", "precision_recall"]

_COLORS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00")
"""Okabe and Ito's, those first that are seen on most images."""
_TALLEST = 4.0
"""How many times as high as wide what an image gets of a figure is, at most: strips would make one of many meters."""


def beside_truth(images: Sequence[ShownImage], class_names: Sequence[str], title: str, columns: int = 5) -> "Figure":
    """Draws what was found, with class and score, over what is there, in dashes. What is wrong or was missed is orange.

    Below each image stands how many mistakes of each kind there are.

    Args:
        images: with their boxes.
        class_names: of the classes.
        title: what images these are.
        columns: images in a row.
    """
    from matplotlib.figure import Figure

    columns = min(columns, max(1, len(images)))
    rows = max(1, -(-len(images) // columns))
    height, width = np.max([each.image.shape[:2] for each in images], axis=0) if len(images) else (1, 1)
    ratio = min(_TALLEST, height / width)
    # Long titles need some width.
    side = max(2.3, 7.4 / columns)
    figure = Figure(figsize=(side * columns, (side * ratio + 0.36) * rows + 0.55), dpi=PIXELS_PER_INCH)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel():
        axes.axis("off")
    for axes, each in zip(grid.ravel(), images, strict=False):
        _draw(axes, each, class_names)
    wrong = sum(each.mistakes for each in images)
    total = sum(int((~each.ignored).sum()) for each in images)
    said = f"{wrong:,} mistake{'' if wrong == 1 else 's'}, {total:,} object{'' if total == 1 else 's'}"
    inch = 1 / figure.get_figheight()
    figure.text(0.01, 1 - 0.08 * inch, f"{title}: {said}", ha="left", va="top", fontsize=11, color=INK, fontweight="bold")
    legend = "lines: found, dashes: there; orange, with a question mark: wrong, or missed"
    figure.text(0.01, 1 - 0.3 * inch, legend, ha="left", va="top", fontsize=8.5, color=INK)
    figure.subplots_adjust(
        left=0.01, right=0.99, bottom=0.36 * inch, top=1 - 0.55 * inch, wspace=0.04, hspace=0.36 / (side * ratio)
    )
    return figure


def precision_recall(curves: Mapping[str, PrecisionBand], iou_threshold: float = 0.5) -> "Figure":
    """Draws precision over recall for each class, with 95 % bands.

    Args:
        curves: by the name of the class.
        iou_threshold: from which IoU on an object counts as found.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(6.0, 4.4), dpi=PIXELS_PER_INCH, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    axes = figure.subplots()
    colors = (BLUE, ORANGE, GREEN, PURPLE, *_COLORS)
    # More than a dozen bands over one another show nothing.
    few = len(curves) <= 7
    for place, (name, curve) in enumerate(curves.items()):
        color = colors[place % len(colors)]
        if few:
            axes.fill_between(curve.recalls, curve.low, curve.high, color=color, alpha=0.18, linewidth=0)
        label = f"{name}  AP {100 * float(curve.precision.mean()):.1f} %"
        axes.plot(curve.recalls, curve.precision, color=color, linewidth=2 if few else 1, label=label)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(color=PALE, alpha=0.4, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("Recall", color=INK)
    axes.set_ylabel("Precision", color=INK)
    axes.set_title(f"Precision by recall at IoU {iou_threshold:g}, with 95 % bands", loc="left", fontsize=11, color=INK)
    if curves:
        axes.legend(loc="lower left", frameon=False, fontsize=9 if few else 6, ncols=1 if few else 2)
    return figure


def _draw(axes: Any, each: ShownImage, class_names: Sequence[str]) -> None:
    axes.imshow(each.image.squeeze(), cmap="gray" if each.image.shape[-1] == 1 else None, interpolation="nearest")
    axes.set_xlim(-0.5, each.image.shape[1] - 0.5)
    axes.set_ylim(each.image.shape[0] - 0.5, -0.5)
    for box, missed in zip(each.boxes, each.missed.tolist(), strict=True):
        _frame(axes, box, ORANGE if missed else "white", (0, (3, 2)), 1.6 if missed else 1.0)
    # The surest come last, on top.
    for row in np.argsort(each.found.confidence, kind="stable").tolist():
        if not each.above[row]:
            continue
        right, number = each.right[row], int(each.found.class_id[row])
        color = _COLORS[number % len(_COLORS)] if right else ORANGE
        _frame(axes, each.found.xyxy[row], color, "-", 1.4)
        text = f"{class_names[number]} {100 * each.found.confidence[row]:.0f}"
        _label(axes, each.found.xyxy[row], text if right else f"{text}?", color)
    for box, number, missed in zip(each.boxes, each.classes.tolist(), each.missed.tolist(), strict=True):
        if missed:
            _label(axes, box, f"{class_names[number]} missed", ORANGE, below=True)
    said = ", ".join(f"{count} {kind}" for kind, count in each.counts().items() if count) or "all right"
    words = "\n".join(textwrap.wrap(said, 40))
    axes.text(0.5, -0.02, words, transform=axes.transAxes, ha="center", va="top", fontsize=7.2, color=INK)


def _frame(axes: Any, box: np.ndarray, color: str, style: Any, width: float) -> None:
    from matplotlib.patches import Rectangle

    # Continuous pixel coordinates begin at the border of the first pixel, Matplotlib's in its middle.
    left, top, right, bottom = (float(side) - 0.5 for side in box)
    axes.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linestyle=style, linewidth=width)
    )


def _label(axes: Any, box: np.ndarray, text: str, color: str, *, below: bool = False) -> None:
    left, top = float(box[0]) - 0.5, float(box[3 if below else 1]) - 0.5
    height, width = axes.get_ylim()[0], axes.get_xlim()[1]
    inside = top > 0.92 * height if below else top < 0.08 * height
    # What begins far to the right ends at its box.
    flush = left > 0.62 * width
    axes.text(
        float(box[2]) - 0.5 if flush else left,
        top,
        text,
        ha="right" if flush else "left",
        va="top" if inside != below else "bottom",
        fontsize=6.2,
        color="black",
        bbox={"facecolor": color, "edgecolor": "none", "alpha": 0.85, "pad": 0.8},
        clip_on=True,
    )
