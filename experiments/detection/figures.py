"""Figures of a detection: what was found beside what is there, and precision by recall."""

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


def beside_truth(images: Sequence[ShownImage], class_names: Sequence[str], columns: int = 8) -> "Figure":
    """Draws what was found, with class and score, over what is there, in dashes. What is wrong or was missed is orange.

    Args:
        images: with their boxes.
        class_names: of the classes.
        columns: images in a row.
    """
    from matplotlib.figure import Figure

    columns = min(columns, max(1, len(images)))
    rows = max(1, -(-len(images) // columns))
    height, width = np.max([each.image.shape[:2] for each in images], axis=0) if len(images) else (1, 1)
    figure = Figure(figsize=(1.75 * columns, (1.75 * height / width + 0.12) * rows + 0.42), dpi=PIXELS_PER_INCH)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel():
        axes.axis("off")
    for axes, each in zip(grid.ravel(), images, strict=False):
        axes.imshow(each.image.squeeze(), cmap="gray" if each.image.shape[-1] == 1 else None, interpolation="nearest")
        axes.set_xlim(-0.5, each.image.shape[1] - 0.5)
        axes.set_ylim(each.image.shape[0] - 0.5, -0.5)
        for box, missed in zip(each.boxes, each.missed.tolist(), strict=True):
            _frame(axes, box, ORANGE if missed else "white", (0, (3, 2)), 1.6 if missed else 0.9)
        for one, right in zip(each.found, each.right.tolist(), strict=True):
            color = _COLORS[one.class_id % len(_COLORS)] if right else ORANGE
            _frame(axes, one.xyxy, color, "-", 1.3)
            name = one.class_name or str(one.class_id)
            text = f"{name} {100 * one.confidence:.0f}"
            _label(axes, one.xyxy, text if right else f"{text}?", color)
        for box, number, missed in zip(each.boxes, each.classes.tolist(), each.missed.tolist(), strict=True):
            if missed:
                _label(axes, box, f"{class_names[number]} missed", ORANGE)
    wrong = sum(each.mistakes for each in images)
    total = sum(len(each.boxes) for each in images)
    figure.text(
        0.01,
        0.995,
        f"Found (lines) and there (dashes): the first images of the test, then those with most mistakes; {wrong} mistakes "
        f"at {total} objects",
        ha="left",
        va="top",
        fontsize=9.5,
        color=INK,
        fontweight="bold",
    )
    figure.subplots_adjust(
        left=0.005, right=0.995, bottom=0.005, top=1 - 0.36 / figure.get_figheight(), wspace=0.03, hspace=0.06
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


def _frame(axes: Any, box: np.ndarray, color: str, style: Any, width: float) -> None:
    from matplotlib.patches import Rectangle

    # Continuous pixel coordinates begin at the border of the first pixel, Matplotlib's in its middle.
    left, top, right, bottom = (float(side) - 0.5 for side in box)
    axes.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linestyle=style, linewidth=width)
    )


def _label(axes: Any, box: np.ndarray, text: str, color: str) -> None:
    left, top = float(box[0]) - 0.5, float(box[1]) - 0.5
    height = axes.get_ylim()[0]
    inside = top < 0.1 * height
    axes.text(
        left,
        top,
        text,
        ha="left",
        va="top" if inside else "bottom",
        fontsize=4.6,
        color="black",
        bbox={"facecolor": color, "edgecolor": "none", "alpha": 0.85, "pad": 0.6},
        clip_on=True,
    )
