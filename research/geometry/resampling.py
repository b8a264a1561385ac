"""Drawing an image where a placement lays it: on the host, in uint8, with Pillow, which a training's input can afford."""

import math

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from likeness.research.geometry.placement import Placement

__all__ = ["place_image"]

_WHOLE = 1e-6
"""Edges that are this close to a pixel's, in pixels, are meant to be there."""
_SHRUNK = 0.75
"""Below this scale neighbors are averaged first: an interpolation between four pixels would step over others."""


def place_image(
    image: UInt8[np.ndarray, "h w c"],
    placement: Placement,
    *,
    fill: int = 114,
    canvas: UInt8[np.ndarray, "H W c"] | None = None,
) -> UInt8[np.ndarray, "H W c"]:
    """The canvas with the image on it, where ``placement`` maps its boxes and points.

    What is stretched along its axes, flipped or turned by right angles is filtered once, antialiased, each pixel of the canvas
    being a weighted mean of those that it covers. What is turned otherwise is interpolated between four pixels, after averaging
    where it shrinks. Either way the middle of a pixel of the canvas shows what the inverse of the placement finds there.

    Args:
        image: gray or RGB, of the placement's source size.
        placement: where it goes.
        fill: the value of what shows no image, 0 to 255. 114 is what published detectors were trained with.
        canvas: drawn on, in place, such as by the other tiles of a mosaic; None: one of the fill.

    Returns:
        The canvas, of the placement's target size.

    Raises:
        ValueError: the image or the canvas has another size.

    Example:
        >>> image = np.full((2, 4, 1), 200, np.uint8)
        >>> place_image(image, Placement.filling((2, 4), (4, 4), (0, 1, 4, 3)), fill=0)[:, 0, 0].tolist()
        [0, 200, 200, 0]
    """
    if image.shape[:2] != placement.source or image.shape[2] not in (1, 3):
        raise ValueError(f"place_image: the placement is of a gray or RGB image of {placement.source}, not of {image.shape}.")
    shape = (*placement.target, image.shape[2])
    if canvas is None:
        canvas = np.full(shape, fill, np.uint8)
    elif canvas.shape != shape:
        raise ValueError(f"place_image: the canvas is {canvas.shape}, and the placement is on one of {shape}.")
    left, top, right, bottom = _pixels(placement)
    if left < right and top < bottom:
        window = (left, top, right, bottom)
        drawn = _stretched(image, placement, window) if placement.plain else None
        if drawn is None:
            drawn = _turned(image, placement, window, fill)
        # Pillow fills what is outside of the image, but knows of no part of it that alone is shown.
        if placement.plain or placement.visible is None:
            canvas[top:bottom, left:right] = drawn
        else:
            np.copyto(canvas[top:bottom, left:right], drawn, where=_shown(placement, window)[..., None])
    return canvas


def _pixels(placement: Placement) -> tuple[int, int, int, int]:
    """The pixels of the canvas whose middle is in the frame of the placement."""
    x1, y1, x2, y2 = (math.ceil(edge - 0.5 - _WHOLE) for edge in placement.frame)
    return x1, y1, x2, y2


def _shown(placement: Placement, window: tuple[int, int, int, int]) -> Bool[np.ndarray, "H W"]:
    """Which pixels of the window have their middle in the outline of what is shown."""
    x, y = np.arange(window[0], window[2]) + 0.5, np.arange(window[1], window[3])[:, None] + 0.5
    outline = placement.outline
    inside, outside = np.ones((2, len(y), len(x)), bool)
    # It may go round either way.
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        across, along = end - start
        depth = across * (y - start[1]) - along * (x - start[0])
        inside &= depth >= -_WHOLE
        outside &= depth <= _WHOLE
    return inside | outside


def _stretched(
    image: UInt8[np.ndarray, "h w c"], placement: Placement, window: tuple[int, int, int, int]
) -> UInt8[np.ndarray, "H W c"] | None:
    """The window of a canvas whose axes are those of the image; None where a pixel of it lies across the image's border."""
    x1, y1, x2, y2 = placement.inverse().boxes(np.array(window, np.float64)).tolist()
    height, width = placement.source
    if min(x1, y1) < -_WHOLE or x2 > width + _WHOLE or y2 > height + _WHOLE:
        return None
    a, b, c, d = placement.matrix
    box = (max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2))
    swapped = a == 0
    across, along = window[2] - window[0], window[3] - window[1]
    size = (along, across) if swapped else (across, along)
    unscaled = abs(a + b) == abs(c + d) == 1
    drawn = _cut(image, box) if unscaled else None
    if drawn is None:
        drawn = _filtered(image, box, size)
    if swapped:
        drawn = drawn.transpose(1, 0, 2)
    return drawn[:: -1 if d + c < 0 else 1, :: -1 if a + b < 0 else 1]


def _cut(image: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray | None:
    """Whole pixels as they are; None where an edge of the box cuts through pixels."""
    whole = [round(edge) for edge in box]
    if any(abs(edge - at) > _WHOLE for edge, at in zip(box, whole, strict=True)):
        return None
    return image[whole[1] : whole[3], whole[0] : whole[2]]


def _filtered(image: np.ndarray, box: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    pixels = image[:, :, 0] if image.shape[2] == 1 else image
    made = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, box=box))
    return made[:, :, None] if made.ndim == 2 else made


def _turned(image: np.ndarray, placement: Placement, window: tuple[int, int, int, int], fill: int) -> np.ndarray:
    """The window of a canvas under any map; what shows no image is the fill."""
    height, width = placement.source
    a, b, c, d = placement.matrix
    # How long a pixel's sides become; an axis that shrinks is averaged to about the size that it will have.
    scales = math.hypot(a, c), math.hypot(b, d)
    shrunk = tuple(
        max(1, math.ceil(side * scale)) if scale < _SHRUNK else side
        for side, scale in zip((width, height), scales, strict=True)
    )
    if shrunk != (width, height):
        image = _filtered(image, (0.0, 0.0, float(width), float(height)), (shrunk[0], shrunk[1]))
    back = placement.inverse()
    p, q, r, s = back.matrix
    across, along = shrunk[0] / width, shrunk[1] / height
    # Pillow adds half a pixel itself. The window begins elsewhere than the canvas.
    e = back.shift[0] + p * window[0] + q * window[1]
    f = back.shift[1] + r * window[0] + s * window[1]
    data = (p * across, q * across, e * across, r * along, s * along, f * along)
    pixels = image[:, :, 0] if image.shape[2] == 1 else image
    size = (window[2] - window[0], window[3] - window[1])
    gray = pixels.ndim == 2
    made = Image.fromarray(pixels).transform(
        size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=fill if gray else (fill,) * 3
    )
    return np.asarray(made)[:, :, None] if gray else np.asarray(made)
