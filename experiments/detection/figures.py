"""Figures of a detection: what was found over what is there, and precision by recall."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from likeness.experiments.detection.evidence import ShownImage
from likeness.experiments.display.boxes import rows_up
from likeness.experiments.display.figures import BLUE, GREEN, INK, ORANGE, PALE, PIXELS_PER_INCH, PURPLE
from likeness.research.metrics.detection.uncertainty import PrecisionBand

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["beside_truth", "class_label", "precision_recall"]

_COLORS = ("#56B4E9", "#F0E442", "#00B07A", "#CC79A7", "#8F9BFF", "#A6D93A", "#5FE0D0")
"""Of the classes, light enough for black letters. None is near to the orange of what is wrong."""
_LINES = (BLUE, ORANGE, GREEN, PURPLE, "#56B4E9", "#E69F00", INK)
"""Of curves on white."""
_LETTERS = 6.2
"""Of labels, in points."""
_CROWDED = 12
"""Boxes in an image above which right ones have their score alone, where a legend can name the colors."""
_TALLEST = 4.0
"""How many times as high as wide what an image gets of a figure is, at most: strips would make one of many meters."""


def class_label(name: str, most: int = 32) -> str:
    """A class's name, cut where it would leave no room for what is drawn.

    >>> class_label("red blood cell"), class_label("n" * 99, 5)
    ('red blood cell', 'nnnn…')
    """
    return name if len(name) <= most else f"{name[: most - 1]}…"


def beside_truth(images: Sequence[ShownImage], class_names: Sequence[str], title: str, columns: int = 5) -> "Figure":
    """Draws what was found, with class and score, over what is there, in dashes. What is wrong or was missed is orange.

    Below each image stands how many mistakes of each kind there are. Where an image has many boxes, and there are few classes,
    their names stand above the images, and right boxes have their score alone: names would hide what was found.

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
    crowded = any(int(each.above.sum()) > _CROWDED for each in images)
    keyed = crowded and 1 < len(class_names) <= len(_COLORS)
    head = 0.8 if keyed else 0.55
    figure = Figure(figsize=(side * columns, (side * ratio + 0.36) * rows + head), dpi=PIXELS_PER_INCH)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel():
        axes.axis("off")
    for axes, each in zip(grid.ravel(), images, strict=False):
        scale = max(each.image.shape[0] / ratio, each.image.shape[1]) / side
        _draw(axes, each, class_names, scale, named=not (keyed or (crowded and len(class_names) == 1)))
    wrong = sum(each.mistakes for each in images)
    total = sum(int((~each.ignored).sum()) for each in images)
    said = f"{wrong:,} mistake{'' if wrong == 1 else 's'}, {total:,} object{'' if total == 1 else 's'}"
    inch = 1 / figure.get_figheight()
    figure.text(0.01, 1 - 0.08 * inch, f"{title}: {said}", ha="left", va="top", fontsize=11, color=INK, fontweight="bold")
    legend = "lines: found, dashes: there; orange, with a question mark: wrong, or missed"
    figure.text(0.01, 1 - 0.3 * inch, legend, ha="left", va="top", fontsize=8.5, color=INK)
    if keyed:
        _key(figure, class_names, 1 - 0.48 * inch)
    figure.subplots_adjust(
        left=0.01, right=0.99, bottom=0.36 * inch, top=1 - head * inch, wspace=0.04, hspace=0.36 / (side * ratio)
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
    # More than a dozen bands over one another show nothing.
    few = len(curves) <= 7
    for place, (name, curve) in enumerate(curves.items()):
        color, line = _LINES[place % len(_LINES)], ("-", "--", ":", "-.")[place // len(_LINES) % 4]
        if few:
            axes.fill_between(curve.recalls, curve.low, curve.high, color=color, alpha=0.18, linewidth=0)
        label = f"{class_label(name)}  AP {100 * float(curve.precision.mean()):.1f} %"
        axes.plot(curve.recalls, curve.precision, line, color=color, linewidth=2 if few else 1, label=label)
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


def _key(figure: "Figure", class_names: Sequence[str], top: float) -> None:
    """The names of the classes beside their colors, in a row."""
    from matplotlib.patches import Patch

    patches = [Patch(color=color, label=name) for name, color in zip(class_names, _COLORS, strict=False)]
    figure.legend(
        handles=patches,
        loc="upper left",
        bbox_to_anchor=(0.01, top),
        ncols=len(patches),
        frameon=False,
        fontsize=8.5,
        borderaxespad=0,
        borderpad=0,
        handlelength=1,
        columnspacing=1.2,
        labelcolor=INK,
    )


def _draw(axes: Any, each: ShownImage, class_names: Sequence[str], scale: float, *, named: bool) -> None:
    """Draws an image; ``scale`` is how many of its pixels are an inch."""
    axes.imshow(each.image.squeeze(), cmap="gray" if each.image.shape[-1] == 1 else None, interpolation="nearest")
    axes.set_xlim(-0.5, each.image.shape[1] - 0.5)
    axes.set_ylim(each.image.shape[0] - 0.5, -0.5)
    for box, missed in zip(each.boxes, each.missed.tolist(), strict=True):
        _frame(axes, box, ORANGE if missed else "white", (0, (3, 2)), 1.6 if missed else 1.0)
    labels: list[tuple[np.ndarray, str, str]] = []
    # The surest come last, on top, and their labels first.
    for row in np.argsort(each.found.confidence, kind="stable").tolist():
        if not each.above[row]:
            continue
        right, number = each.right[row], int(each.found.class_id[row])
        color = _COLORS[number % len(_COLORS)] if right else ORANGE
        _frame(axes, each.found.xyxy[row], color, "-", 1.4)
        score = f"{100 * each.found.confidence[row]:.0f}"
        text = f"{class_label(class_names[number])} {score}"
        labels.insert(0, (each.found.xyxy[row], f"{text}?" if not right else text if named else score, color))
    _labels(axes, labels, scale)
    rows = zip(each.boxes, each.classes.tolist(), each.missed.tolist(), strict=True)
    missed = [(box, f"{class_label(class_names[int(number)])} missed", ORANGE) for box, number, lost in rows if lost]
    _labels(axes, missed, scale, below=True)
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


def _labels(axes: Any, labels: Sequence[tuple[np.ndarray, str, str]], scale: float, *, below: bool = False) -> None:
    """Writes at each box, above it or below, where the labels before it leave room."""
    high, wide = axes.get_ylim()[0], axes.get_xlim()[1]
    letters = _LETTERS / 72 * scale
    height = 1.5 * letters
    places: list[tuple[float, float]] = []
    widths = [0.62 * letters * len(text) for _, text, _ in labels]
    ends: list[bool] = []
    for (box, _, _), width in zip(labels, widths, strict=True):
        top = float(box[3 if below else 1]) - 0.5
        inside = top > 0.92 * high if below else top < 0.08 * high
        # What begins far to the right ends at its box.
        flush = float(box[0]) > 0.62 * wide
        left = float(box[2]) - 0.5 - width if flush else float(box[0]) - 0.5
        places.append((left, top + height if inside != below else top))
        ends.append(flush)
    rows = rows_up(places, widths, height)
    for (_, text, color), (left, foot), width, row, flush in zip(labels, places, widths, rows, ends, strict=True):
        axes.text(
            left + width if flush else left,
            foot - row * height,
            text,
            ha="right" if flush else "left",
            va="bottom",
            fontsize=_LETTERS,
            color="black",
            bbox={"facecolor": color, "edgecolor": "none", "alpha": 0.85, "pad": 0.8},
            clip_on=True,
        )
