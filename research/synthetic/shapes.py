"""Disks, boxes and triangles on textured, noisy ground, with the box of each: detection without a download."""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

__all__ = ["MAX_IOU", "MIN_SEEN", "SHAPES", "DrawnShapes", "draw_shapes"]

SHAPES = ("disk", "box", "triangle")
"""The classes."""

MAX_IOU = 0.3
"""The highest IoU of the boxes of two shapes of an image."""

MIN_SEEN = 0.6
"""The least share of a shape's pixels that no other shape covers."""

_CHUNK = 64
_TRIES = 12


class DrawnShapes(NamedTuple):
    """Images, and what is in each in k rows, of which only those under the mask are there."""

    images: UInt8[np.ndarray, "n size size 3"]
    boxes: Float32[np.ndarray, "n k 4"]
    """``xyxy`` in pixels, the corners of what is seen of each shape: its outermost pixels touch all four sides."""
    classes: Int[np.ndarray, "n k"]
    """Places in :data:`SHAPES`."""
    mask: Bool[np.ndarray, "n k"]


def draw_shapes(
    n: int,
    rng: np.random.Generator,
    size: int = 64,
    most: int = 4,
    sides: tuple[float, float] = (10.0, 30.0),
    noise: float = 0.08,
    empty: float = 0.0,
) -> DrawnShapes:
    """Draws images of one to ``most`` shapes, or now and then none, of random kinds, sizes, proportions, places and colors.

    Small shapes lie on top of large ones. No two boxes of an image have an IoU above :data:`MAX_IOU`, and of each shape at
    least the share :data:`MIN_SEEN` is seen; for a shape that finds no such place none is drawn. A pixel belongs to a shape if
    its middle does.

    From generators of one seed, fewer images are the first of more.

    Args:
        n: how many images.
        rng: what is drawn from.
        size: side of an image in pixels.
        most: shapes in an image, at most; but for empty images there is at least one.
        sides: the smallest and the largest width and height of a shape in pixels. What is seen of it may be smaller.
        noise: standard deviation of the noise in the noisiest images, where black is 0 and white 1; in the clearest, a quarter
            of it.
        empty: the probability of an image without shapes.
    """
    # A few at a time stay in the processor's cache.
    chunks = [_draw(rng, size, most, sides, noise, empty) for _ in range(0, max(n, 1), _CHUNK)]
    return DrawnShapes(*(np.concatenate(parts)[:n] for parts in zip(*chunks, strict=True)))


def _draw(
    rng: np.random.Generator, size: int, most: int, sides: tuple[float, float], noise: float, empty: float
) -> DrawnShapes:
    classes = rng.integers(0, len(SHAPES), (_CHUNK, most))
    boxes, mask = _places(rng, classes, size, sides)
    if empty:
        mask &= rng.random((_CHUNK, 1)) >= empty
    # The largest first, so that a small shape is not covered by it.
    areas = np.where(mask, (boxes[..., 2:] - boxes[..., :2]).prod(axis=-1), 0)
    order = np.argsort(-areas, axis=1, kind="stable")
    boxes = np.take_along_axis(boxes, order[..., None], axis=1)
    classes, mask = np.take_along_axis(classes, order, axis=1), np.take_along_axis(mask, order, axis=1)
    seen, boxes, mask = _seen(_filled(rng, boxes, classes, size) & mask[..., None, None], mask)
    images = _painted(rng, seen, size, noise)
    boxes[~mask], classes[~mask] = 0, 0
    return DrawnShapes(images, boxes, classes, mask)


def _places(
    rng: np.random.Generator, classes: np.ndarray, size: int, sides: tuple[float, float]
) -> tuple[Float32[np.ndarray, "n k 4"], Bool[np.ndarray, "n k"]]:
    """For each shape the first of a few random places where it does not overlap those before it too much."""
    n, most = classes.shape
    wanted = np.arange(most) < rng.integers(1, most + 1, (n, 1))
    boxes, mask = np.zeros((n, most, 4), np.float32), np.zeros((n, most), bool)
    for row in range(most):
        extent = rng.uniform(*sides, (n, _TRIES, 2))
        extent[classes[:, row] == 0, :, 1] = extent[classes[:, row] == 0, :, 0]
        low = rng.random((n, _TRIES, 2)) * (size - extent)
        tried = np.concatenate([low, low + extent], axis=-1).astype(np.float32)
        fits = np.asarray(_iou(tried[:, :, None], boxes[:, None, :row]) <= MAX_IOU).all(axis=-1)
        first = fits.argmax(axis=1)
        boxes[:, row] = tried[np.arange(n), first]
        mask[:, row] = wanted[:, row] & np.any(fits, axis=1)
        boxes[~mask[:, row], row] = 0
    return boxes, mask


def _filled(rng: np.random.Generator, boxes: np.ndarray, classes: np.ndarray, size: int) -> Bool[np.ndarray, "n k size size"]:
    """Which pixels have their middle in each shape."""
    middles = (np.arange(size) + 0.5).astype(np.float32)
    extent = np.maximum(boxes[..., 2:] - boxes[..., :2], 1)
    x, y = np.moveaxis((middles - (boxes[..., :2] + boxes[..., 2:])[..., None] / 2) / extent[..., None], 2, 0)
    box = (np.abs(x) <= 0.5)[..., None, :] & (np.abs(y) <= 0.5)[..., :, None]
    disk = (x * x)[..., None, :] + (y * y)[..., :, None] <= 0.25
    turns = rng.uniform(0, 2 * np.pi, (*classes.shape, 1)) + 2 * np.pi * np.arange(3) / 3
    turns += rng.uniform(-0.35, 0.35, turns.shape)
    corners = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    low, high = corners.min(axis=2, keepdims=True), corners.max(axis=2, keepdims=True)
    corners = ((corners - low) / (high - low) - 0.5).astype(np.float32)
    triangle = np.ones_like(box)
    for here in range(3):
        (px, py), (qx, qy) = (np.moveaxis(corners[:, :, at % 3], -1, 0)[..., None] for at in (here, here + 1))
        # On the inner side of the edge from p to q, as the corners go round.
        inner = ((qx - px) * (y - py))[..., :, None] - ((qy - py) * (x - px))[..., None, :]
        triangle &= inner >= 0
    return np.choose(classes[..., None, None], (disk, box, triangle))


def _seen(
    filled: Bool[np.ndarray, "n k s s"], mask: Bool[np.ndarray, "n k"]
) -> tuple[Bool[np.ndarray, "n k s s"], Float32[np.ndarray, "n k 4"], Bool[np.ndarray, "n k"]]:
    """What of each shape is not covered by later ones, its box, and which shapes stay."""
    most = mask.shape[1]
    counts = filled.sum(axis=(2, 3))
    while True:
        seen = filled.copy()
        covered: np.ndarray = np.zeros_like(filled[:, 0])
        for row in reversed(range(most)):
            seen[:, row] &= ~covered & mask[:, row, None, None]
            covered |= filled[:, row] & mask[:, row, None, None]
        (left, right), (top, bottom) = _ends(np.asarray(seen.any(axis=2))), _ends(np.asarray(seen.any(axis=3)))
        boxes = np.stack([left, top, right, bottom], axis=-1).astype(np.float32)
        iou = _iou(boxes[:, :, None], boxes[:, None])
        crowded = (np.triu(np.ones((most, most), bool), 1) & (iou > MAX_IOU)).any(axis=2)
        lost = mask & (crowded | (seen.sum(axis=(2, 3)) < MIN_SEEN * counts))
        if not lost.any():
            return seen, boxes, mask
        # One of an image at a time: without it others may be seen.
        mask = mask & ~(lost & (lost.cumsum(axis=1) == 1))


def _ends(line: Bool[np.ndarray, "n k s"]) -> tuple[np.ndarray, np.ndarray]:
    """Where the first marked pixel begins and the last one ends; 0 where none is marked."""
    marked = line.any(axis=-1)
    return marked * line.argmax(axis=-1), marked * (line.shape[-1] - line[..., ::-1].argmax(axis=-1))


def _iou(a: Float[np.ndarray, "*b 4"], b: Float[np.ndarray, "*c 4"]) -> Float[np.ndarray, "..."]:
    inner = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0).prod(axis=-1)
    union = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1) - inner
    return inner / np.maximum(union, 1e-9)


def _painted(
    rng: np.random.Generator, seen: Bool[np.ndarray, "n k s s"], size: int, noise: float
) -> UInt8[np.ndarray, "n s s 3"]:
    n, most = seen.shape[:2]
    colors = _colors(rng, n, most)
    values = _texture(rng, n, size) + colors[:, 0, None, None]
    across = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    for row in range(most):
        slopes = rng.uniform(-0.3, 0.3, (2, n, 1, 1)).astype(np.float32)
        shade = slopes[0] * across + slopes[1] * across[:, None]
        np.copyto(values, (colors[:, 1 + row, None, None] + shade[..., None]), where=seen[:, row, ..., None])
    strength = 255 * noise * rng.uniform(0.25, 1, (n, 1, 1, 1)).astype(np.float32)
    values *= 255
    values += strength * _normal()[rng.integers(0, 256, values.shape, np.uint8)]
    return np.clip(values, 0, 255, out=values).round().astype(np.uint8)


def _colors(rng: np.random.Generator, n: int, most: int) -> Float32[np.ndarray, "n k1 3"]:
    """The ground's and the shapes': of three random ones, that which is farthest from the ground's and the others'."""
    colors = rng.uniform(0.15, 0.85, (n, 1, 3)).astype(np.float32)
    for _ in range(most):
        tried = rng.random((n, 3, 3), np.float32)
        near = np.linalg.norm(tried[:, :, None] - colors[:, None], axis=-1).min(axis=2)
        best = tried[np.arange(n), near.argmax(axis=1)]
        colors = np.concatenate([colors, best[:, None]], axis=1)
    return colors


def _texture(rng: np.random.Generator, n: int, size: int) -> Float32[np.ndarray, "n s s 3"]:
    """Smooth random colors of two scales, and in every other image stripes."""
    values = np.zeros((n, 3, size, size), np.float32)
    for points, most in ((5, 0.12), (17, 0.1)):
        where = np.linspace(0, points - 1, size)
        weights = np.maximum(0, 1 - np.abs(where[:, None] - np.arange(points))).astype(np.float32)
        grid = rng.standard_normal((n, 3, points, points), np.float32) * rng.uniform(0, most, (n, 1, 1, 1)).astype(np.float32)
        values += weights @ grid @ weights.T
    across = np.arange(size, dtype=np.float32)
    angle, length = rng.uniform(0, 2 * np.pi, (n, 1, 1)), rng.uniform(4, 16, (n, 1, 1))
    phase = (2 * np.pi / length) * (np.cos(angle) * across + np.sin(angle) * across[:, None]) + angle
    strength = rng.uniform(0, 0.12, (n, 3, 1, 1)) * (rng.random((n, 1, 1, 1)) < 0.5)
    values += strength.astype(np.float32) * np.sin(phase.astype(np.float32))[:, None]
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1))


@functools.cache
def _normal() -> Float32[np.ndarray, "256"]:
    """The middles of 256 equal shares of the normal distribution: looking one up takes a tenth of the time of drawing it."""
    from scipy.special import ndtri

    return ndtri((np.arange(256) + 0.5) / 256).astype(np.float32)
