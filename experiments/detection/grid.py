"""The grid and the anchors on images: which cell and which anchor answers for each object."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Shaped

from likeness.experiments.display.figures import INK, ORANGE, PALE, PIXELS_PER_INCH
from likeness.research.geometry.midpoint_cells import MidpointCell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Answer", "answers", "grid_and_anchors"]

_COLORS = ("#56B4E9", "#F0E442", "#00B07A", "#CC79A7", "#0072B2", "#E69F00", "#FFFFFF")
"""Of the anchors, one after the other; orange is kept for what nothing answers for."""


class Answer(NamedTuple):
    """Who answers for an object."""

    level: int
    """Which map."""
    row: int
    column: int
    anchor: int
    """Among those of its level."""
    fit: float
    """The IoU of the anchor's shape with the object's."""


def answers(cells: MidpointCell, size: tuple[int, int], boxes: Shaped[np.ndarray, "n 4"]) -> list[Answer | None]:
    """For each object the cell and the anchor that answer for it; None for one that has no place.

    Args:
        cells: the matching.
        size: height and width of the image, multiples of the strides.
        boxes: ``xyxy`` of the objects, in its pixels.

    Example:
        >>> from likeness.research.geometry import AnchorGrid
        >>> cells = MidpointCell(levels=(AnchorGrid(shapes=((10.0, 30.0), (30.0, 10.0)), stride=30),))
        >>> answers(cells, (90, 90), np.array([[30.0, 40.0, 60.0, 50.0]]))
        [Answer(level=0, row=1, column=1, anchor=1, fit=1.0)]
    """
    maps = [(size[0] // level.stride, size[1] // level.stride) for level in cells.levels]
    found = cells(maps, jnp.asarray(boxes, jnp.float32), jnp.ones(len(boxes), bool))
    places: list[Answer | None] = [None] * len(boxes)
    start = 0
    for number, ((rows, columns), level) in enumerate(zip(maps, cells.levels, strict=True)):
        shape = rows, columns, len(level.shapes)
        own = slice(start, start + int(np.prod(shape)))
        start = own.stop
        foreground, truth, fit = (np.asarray(each)[own] for each in (found.foreground, found.truth, found.quality))
        for place in np.flatnonzero(foreground).tolist():
            row, column, anchor = (int(each) for each in np.unravel_index(place, shape))
            places[int(truth[place])] = Answer(number, row, column, anchor, round(float(fit[place]), 4))
    return places


def grid_and_anchors(
    images: Sequence[Shaped[np.ndarray, "_h _w _c"]],
    boxes: Sequence[Float[np.ndarray, "_n 4"]],
    classes: Sequence[Int[np.ndarray, "_n"]],
    class_names: Sequence[str],
    cells: MidpointCell,
) -> "Figure":
    """Draws images with the grid over them: each object's box and midpoint, its cell, and the anchor that answers for it.

    An object has the color of its anchor: its box in lines, its cell filled, the anchor in the middle of the cell dashed. Of an
    object that found no place, since another one has it, the box is orange. Below stands who answers for whom, and on the right
    the anchors.

    Args:
        images: of the size that the network looks at, uint8 or in [0, 1].
        boxes: ``xyxy`` of the objects of each.
        classes: and their classes.
        class_names: what these are called.
        cells: the matching.
    """
    from matplotlib.figure import Figure

    count = len(images)
    height, width = images[0].shape[:2]
    most = max([len(each) for each in boxes] + [1])
    side, ratio, line = 2.9, height / width, 0.155
    strides = " and ".join(f"{height // level.stride}×{width // level.stride}" for level in cells.levels)
    words = (
        f"A grid of {strides} cells. Line: the object; dot: its midpoint; filled: the cell that holds it; dashed: the anchor. "
        "Below: row and column of the cell, the anchor, and the IoU of its shape with the object's."
    )
    wrapped = textwrap.wrap(words, int(16 * side * (count + 1)))
    low, top = line * most + 0.35, 0.42 + line * len(wrapped)
    figure = Figure(figsize=(side * (count + 1), side * ratio + low + top), dpi=PIXELS_PER_INCH)
    grid = figure.subplots(1, count + 1, squeeze=False)[0]
    inch = 1 / figure.get_figheight()
    figure.subplots_adjust(left=0.015, right=0.985, bottom=low * inch, top=1 - top * inch, wspace=0.06)
    for axes, image, own, kinds in zip(grid, images, boxes, classes, strict=False):
        known = answers(cells, (height, width), own)
        _draw(axes, image, own, known, cells)
        said = [
            _said(class_names[int(kind)], each, len(cells.levels)) for kind, each in zip(kinds.tolist(), known, strict=True)
        ]
        axes.text(0, -0.02, "\n".join(said), transform=axes.transAxes, va="top", fontsize=7.6, color=INK, linespacing=1.35)
    _shapes(grid[-1], cells, (height, width))
    title = "Which cell and which anchor answers for each object"
    figure.text(0.015, 1 - 0.08 * inch, title, va="top", fontsize=11.5, fontweight="bold", color=INK)
    figure.text(0.015, 1 - 0.31 * inch, "\n".join(wrapped), va="top", fontsize=8.5, color=INK)
    return figure


def _draw(axes: Any, image: np.ndarray, boxes: np.ndarray, known: Sequence[Answer | None], cells: MidpointCell) -> None:
    from matplotlib.patches import Rectangle

    height, width = image.shape[:2]
    # Continuous pixel coordinates: the image covers [0, width].
    gray = image.shape[-1] == 1
    axes.imshow(image.squeeze(), cmap="gray" if gray else None, interpolation="nearest", extent=(0, width, height, 0))
    finest = min(level.stride for level in cells.levels)
    for places, draw in ((np.arange(0, width + 1, finest), axes.axvline), (np.arange(0, height + 1, finest), axes.axhline)):
        for place in places.tolist():
            draw(place, color="white", linewidth=0.5, alpha=0.6)
    first = _first_numbers(cells)
    for box, answer in zip(boxes, known, strict=True):
        color = ORANGE if answer is None else _color(first[answer.level] + answer.anchor)
        if answer is not None:
            level = cells.levels[answer.level]
            corner = answer.column * level.stride, answer.row * level.stride
            axes.add_patch(Rectangle(corner, level.stride, level.stride, facecolor=color, edgecolor="black", alpha=0.55))
            wide, high = level.shapes[answer.anchor]
            middle = corner[0] + level.stride / 2, corner[1] + level.stride / 2
            _rectangle(axes, (middle[0] - wide / 2, middle[1] - high / 2), wide, high, color, (0, (3, 2)))
        _rectangle(axes, box[:2].tolist(), box[2] - box[0], box[3] - box[1], color, "-")
        axes.plot((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, "o", color=color, markeredgecolor="black", markersize=5)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")


def _rectangle(axes: Any, corner: Any, width: float, height: float, color: str, style: Any) -> None:
    """With a dark border, so that it is seen on any image."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    border = [withStroke(linewidth=3.2, foreground="black")]
    axes.add_patch(
        Rectangle(corner, width, height, fill=False, edgecolor=color, linewidth=1.6, linestyle=style, path_effects=border)
    )


def _shapes(axes: Any, cells: MidpointCell, size: tuple[int, int]) -> None:
    """The anchors beside one another, to one scale, with their numbers."""
    shapes = [(level, anchor, shape) for level, own in enumerate(cells.levels) for anchor, shape in enumerate(own.shapes)]
    gap = 0.25 * max(high for _, _, (_, high) in shapes)
    width = max(size[1], 1.1 * max(wide for _, _, (wide, _) in shapes) + gap)
    while (laid := _laid([shape for _, _, shape in shapes], width, gap))[1] > width * size[0] / size[1]:
        width *= 1.15
    for number, ((level, anchor, shape), corner) in enumerate(zip(shapes, laid[0], strict=True)):
        color = _color(number)
        _rectangle(axes, corner, *shape, color, (0, (3, 2)))
        words = f"{anchor + 1}" if len(cells.levels) == 1 else f"{level + 1}.{anchor + 1}"
        middle = corner[0] + shape[0] / 2, corner[1] + shape[1] / 2
        axes.text(*middle, f"{words}\n{shape[0]:g}×{shape[1]:g}", ha="center", va="center", fontsize=7.2, color="white")
    axes.set_xlim(0, width)
    axes.set_ylim(width * size[0] / size[1], 0)
    axes.set_aspect("equal")
    axes.set_facecolor("#3a3f47")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(PALE)
    numbered = "" if len(cells.levels) == 1 else ", map and number"
    axes.text(0, -0.02, f"the anchors{numbered}, in pixels", transform=axes.transAxes, va="top", fontsize=7.6, color=INK)


def _laid(shapes: Sequence[tuple[float, float]], width: float, gap: float) -> tuple[list[tuple[float, float]], float]:
    """Upper left corners of shapes in rows, and how high the rows are together."""
    corners, x, y, deep = [], gap, gap, 0.0
    for wide, high in shapes:
        if x > gap and x + wide + gap > width:
            x, y, deep = gap, y + deep + gap, 0.0
        corners.append((x, y))
        x, deep = x + wide + gap, max(deep, high)
    return corners, y + deep + gap


def _said(name: str, answer: Answer | None, levels: int) -> str:
    if answer is None:
        return f"{name}: no place, another object has it"
    at = f"map {answer.level + 1}, " if levels > 1 else ""
    return f"{name}: {at}cell {answer.row + 1}, {answer.column + 1}; anchor {answer.anchor + 1}; IoU {answer.fit:.2f}"


def _first_numbers(cells: MidpointCell) -> list[int]:
    """The number of the first anchor of each level, counted through."""
    return np.cumsum([0, *(len(level.shapes) for level in cells.levels)]).tolist()


def _color(number: int) -> str:
    return _COLORS[number % len(_COLORS)]
