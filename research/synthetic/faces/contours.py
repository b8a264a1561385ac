"""Where the contours of a procedural face are in its image: 68 points, as data sets of real faces annotate them.

Each point is found from the formula by which the renderer draws its feature, so both agree.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from likeness.research.synthetic.faces.geometry import (
    NOSE_BRIDGE,
    NOSE_BRIDGE_RADIUS,
    NOSE_TIP,
    NOSE_TIP_RADIUS,
    Column,
    Ellipsoid,
    FaceIdentity,
    Head,
    Nuisance,
    columns,
    head,
    in_image,
    view,
)
from likeness.research.types import Float

CONTOURS = {
    "jaw": slice(0, 17),
    "left_brow": slice(17, 22),
    "right_brow": slice(22, 27),
    "nose": slice(27, 36),
    "left_eye": slice(36, 42),
    "right_eye": slice(42, 48),
    "outer_lips": slice(48, 60),
    "inner_lips": slice(60, 68),
}
"""Where each contour stands among the points; left and right as the viewer sees them."""


def contours(identity: Float[np.ndarray, "b i"], nuisance: Float[np.ndarray, "b k"], size: int) -> Float[np.ndarray, "b 68 2"]:
    """Where 68 points of the face are in the image, without rendering it, in the order of iBUG's 300-W.

    The jaw from the viewer's left to the right, along the outline that is seen; the brows, left to right; the bridge of the
    nose, downwards to its tip, and its lower end, left to right; each eye from its left corner over the upper lid to the right
    one and back by the lower; the outer and the inner edge of the lips likewise. What the head hides is where it would be.

    Sagonas et al., "300 faces in-the-wild challenge", 2016, for the order.

    Args:
        identity: (b, I) in [0, 1], see :class:`FaceIdentity`.
        nuisance: (b, N), see :class:`Nuisance`.
        size: pixels on a side.

    Returns:
        (x, y) in pixels, pixel centers at half integers.
    """
    person, image = FaceIdentity(*columns(identity)), Nuisance(*columns(nuisance))
    shape, camera = head(person, image), view(image, size)
    parts = [
        *(_brow(person, image, shape, side) for side in (-1, 1)),
        _nose(shape),
        *(_eye(person, image, shape, side) for side in (-1, 1)),
        *_lips(person, image, shape),
    ]
    X, Y = (np.concatenate(values, axis=1) for values in zip(*parts, strict=True))
    x, y, _ = camera.project(X, Y, _depth(shape, X, Y))
    # The outline of the skull, from one side by the chin to the other.
    angle = np.linspace(np.pi, 0.0, 17, dtype=np.float32)
    rim = Ellipsoid.seen(camera, shape.width, 1.0, shape.depth)
    jaw = rim.half_x * np.cos(angle), rim.slant * np.cos(angle) + rim.half_y * np.sin(angle)
    x, y = (np.concatenate(pair, axis=1) for pair in zip(jaw, (x, y), strict=True))
    return np.stack(in_image(shape, camera, x, y), axis=-1).astype(np.float32)


def _depth(shape: Head, X: Column, Y: Column) -> Column:
    """Z of the skin: of the skull and of the nose on it."""
    Z = shape.depth * np.sqrt(np.maximum(1.0 - (X / shape.width) ** 2 - Y**2, 1e-6))
    for up, radius, wide, height in (
        (NOSE_TIP, NOSE_TIP_RADIUS, shape.nose_w, shape.nose_h),
        (NOSE_BRIDGE, NOSE_BRIDGE_RADIUS, shape.bridge_w, shape.bridge_h),
    ):
        fall = 1.0 - (X / wide) ** 2 - ((Y - shape.nose_y + up) / radius) ** 2
        Z = Z + height * np.maximum(fall, 0.0) ** 2
    return Z


def _brow(person: FaceIdentity, image: Nuisance, shape: Head, side: int) -> tuple[Column, Column]:
    # From the temple to the nose, or back.
    u = -side * np.linspace(1.0, -1.0, 5, dtype=np.float32)
    X = shape.eye_x + 0.01 + u * (0.17 + 0.06 * person.brow_length)
    Y = shape.eye_y - 0.155 - 0.06 * person.brow_level - 0.045 * image.brow_raise
    Y = Y + (u * u - 0.35) * (0.02 + 0.07 * person.brow_arch) + u * (0.05 - 0.10 * person.brow_slope)
    return side * X, Y


def _nose(shape: Head) -> tuple[Column, Column]:
    bridge = shape.eye_y + (shape.nose_y - shape.eye_y) * np.linspace(0.0, 1.0, 4, dtype=np.float32)
    below = shape.nose_w * np.linspace(-0.84, 0.84, 5, dtype=np.float32)
    X = np.concatenate([np.zeros_like(bridge), below], axis=1)
    return X, np.concatenate([bridge, shape.nose_y + 0.085 + np.zeros_like(below)], axis=1)


def _eye(person: FaceIdentity, image: Nuisance, shape: Head, side: int) -> tuple[Column, Column]:
    # A corner, two points of the upper lid, the other corner, and two of the lower; u grows towards the temple.
    u = side * np.array([-1.0, -1 / 3, 1 / 3, 1.0, 1 / 3, -1 / 3], np.float32)
    arc = 1.0 - u * u
    opening = 0.38 + 0.28 * person.eye_opening
    opened = image.eyes_open * (1.0 - 0.12 * np.maximum(image.smile, 0.0))
    upper, lower = opening * (0.25 - 1.25 * opened), opening * (0.62 - 0.10 * image.smile)
    v = arc * np.where(np.arange(6) < 3, upper, lower) - u * (0.35 * (person.eye_tilt - 0.35))
    return side * (shape.eye_x + shape.eye_w * u), shape.eye_y + shape.eye_w * v


def _lips(person: FaceIdentity, image: Nuisance, shape: Head) -> list[tuple[Column, Column]]:
    gap = 0.006 + 0.075 * image.mouth_open
    upper, lower = 0.030 + 0.050 * person.upper_lip, 0.042 + 0.055 * person.lower_lip
    return [
        _lip(shape, 1.0, 5, lambda u: 0.78 * upper + gap + 0.75 * upper * abs(u), lambda u: gap + lower * (1 - 0.25 * u * u)),
        _lip(shape, 0.82, 3, lambda u: gap, lambda u: gap),
    ]


def _lip(
    shape: Head, end: float, inner: int, above: Callable[[Any], Any], below: Callable[[Any], Any]
) -> tuple[Column, Column]:
    """Left corner, ``inner`` points of the upper edge, right corner, and as many of the lower edge."""
    line = np.linspace(-end, end, inner + 2, dtype=np.float32)
    across = np.concatenate([line, line[-2:0:-1]])
    arc = 1.0 - across * across
    down = np.where(np.arange(len(across)) <= inner + 1, -arc * above(across), arc * below(across))
    down = np.where(np.abs(across) == line[-1], 0.0, down)
    return shape.mouth_w * across, shape.mouth_y - shape.smile * across * across + down
