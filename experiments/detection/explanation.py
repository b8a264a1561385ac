"""Why a detector found what it found: heat maps of single detections, and an image of them for people."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from likeness.experiments.detection.detector import Detector
from likeness.experiments.display.figures import INK, PIXELS_PER_INCH
from likeness.experiments.display.phases import telling
from likeness.research.detectors import Candidates
from likeness.research.geometry.detections import Detections
from likeness.research.geometry.placement import Placement
from likeness.research.geometry.resampling import place_image
from likeness.research.visualization.drise import Drise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Explanation", "explain", "explained", "explained_place"]

_SIDE = 640
"""Of an image that is drawn, in pixels, at most."""
_TALLEST = 4.0
"""How many times as high as wide what an image gets of the figure is, at most: a strip would make a figure of many meters."""


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """An image, detections in it, and a heat map of each."""

    image: UInt8[np.ndarray, "h w 3"]
    detections: Detections
    """In its pixels."""
    heat: Float[np.ndarray, "n h w"]
    """Of the detector's canvas's resolution or less, over the whole image: above 0 where seeing the image helps."""


def explain(
    detector: Detector, image: UInt8[np.ndarray, "h w 3"], found: Detections, method: Drise | None = None, most: int = 6
) -> Explanation:
    """Says which parts of an image made the surest detections in it. Whoever watches is told how far it is.

    Masks lie on the canvas that the detector looks at, so that a large image takes no longer.

    Args:
        detector: what found them.
        image: RGB.
        found: in it.
        method: how masks are drawn; None for 1,000 of them.
        most: detections that are explained, the surest.
    """
    best = found[np.argsort(-found.confidence, kind="stable")[:most]]
    model, variables = detector.model, detector.variables
    placement = model.placement((image.shape[0], image.shape[1]))
    canvas = place_image(image, placement, fill=model.fill)

    if not len(best):
        return Explanation(image, best, np.zeros((0, 1, 1), np.float32))

    def find(canvases: Any) -> Candidates:
        return jax.tree.map(jax.numpy.asarray, model.candidates(variables, canvases))

    heat = (method or Drise())(
        find, canvas, np.asarray(placement.boxes(best.xyxy)), best.class_id, telling("hiding parts of the image")
    )
    return Explanation(image, best, np.stack([_back(one, placement) for one in heat]))


def explained(known: Explanation) -> "Figure":
    """Draws the image with its detections, and beside it each of them over its heat map.

    The colors run from what does not matter (dark) to what matters most (bright yellow); each map has its own scale.

    Args:
        known: what was explained.
    """
    from matplotlib.figure import Figure

    count = len(known.detections)
    image = _small(known.image)
    scale = image.shape[1] / known.image.shape[1]
    columns = min(4, count + 1)
    rows = -(-(count + 1) // columns)
    ratio = min(_TALLEST, image.shape[0] / image.shape[1])
    side = 2.7
    figure = Figure(figsize=(side * columns, (side * ratio + 0.3) * rows + 0.55), dpi=PIXELS_PER_INCH)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    inch = 1 / figure.get_figheight()
    figure.subplots_adjust(
        left=0.01, right=0.99, bottom=0.06 * inch, top=1 - 0.8 * inch, wspace=0.04, hspace=0.32 / (side * ratio)
    )
    title = "What of the image made each box" if count else "Nothing was found that could be explained"
    figure.text(0.01, 1 - 0.08 * inch, title, va="top", fontsize=11.5, fontweight="bold", color=INK)
    legend = "bright: hiding it costs the box most; dark: it does not matter"
    figure.text(0.01, 1 - 0.31 * inch, legend, va="top", fontsize=8.5, color=INK)
    for axes in grid:
        axes.axis("off")
    grid[0].imshow(image)
    grid[0].set_title("found" if count else "", fontsize=8.5, color=INK, pad=3)
    gray = np.repeat(np.asarray(Image.fromarray(image).convert("L"), np.float32)[..., None] / 255, 3, axis=2)
    for axes, one, heat in zip(grid[1:], known.detections, known.heat, strict=False):
        axes.imshow(_over(gray, heat))
        axes.set_title(f"{one.class_name or one.class_id} {one.confidence:.2f}", fontsize=8.5, color=INK, pad=3)
        for frame in (grid[0], axes):
            _frame(frame, one.xyxy * scale)
    for axes in grid:
        axes.set_xlim(0, image.shape[1])
        axes.set_ylim(image.shape[0], 0)
    return figure


def explained_place(drawn: Path) -> Path:
    """Where an explanation goes, beside the image that is drawn there."""
    return drawn.with_name(f"{drawn.stem}_explained.png")


def _back(heat: Float[np.ndarray, "h w"], placement: Placement) -> Float[np.ndarray, "h w"]:
    """What of a canvas's map lies over the image."""
    left, top, right, bottom = placement.frame
    size = max(1, round(right - left)), max(1, round(bottom - top))
    part = Image.fromarray(heat).resize(size, Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    return np.asarray(part, np.float32)


def _small(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    small = Image.fromarray(image)
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small)


def _over(gray: Float[np.ndarray, "h w 3"], heat: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Heat in color over a gray image, which shows through."""
    from matplotlib import colormaps

    size = gray.shape[1], gray.shape[0]
    helps = np.asarray(Image.fromarray(np.maximum(heat, 0)).resize(size, Image.Resampling.BILINEAR))
    share = helps / max(float(helps.max()), 1e-12)
    colors = np.asarray(colormaps["inferno"](share))[..., :3]
    return np.clip(0.45 * gray + 0.7 * colors, 0, 1)


def _frame(axes: Any, box: np.ndarray) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    left, top, right, bottom = (float(side) for side in box)
    border = [withStroke(linewidth=2.8, foreground="black")]
    axes.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="#56B4E9", linewidth=1.4, path_effects=border)
    )
