"""Several drawn people in one scene: faces of several sizes, some of them partly hidden, with boxes and landmarks."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from likeness.research.synthetic.faces.geometry import HEAD, Nuisance, landmarks
from likeness.research.synthetic.faces.renderer import render
from likeness.research.synthetic.shapes import draw_shapes

__all__ = ["MAX_HIDDEN", "Crowd", "draw_crowds"]

MAX_HIDDEN = 0.15
"""The largest share of a face's box that those in front may cover, by an estimate of their outlines."""

_TRIES = 12
_FACE = 1.54
"""√(width · height) of an average face's box, in half head heights."""


class Crowd(NamedTuple):
    """Scenes, and who is in each in k rows, of which only those under the mask are there."""

    images: UInt8[np.ndarray, "n size size 3"]
    boxes: Float32[np.ndarray, "n k 4"]
    """``xyxy`` in pixels, of each face from the forehead to the chin, cut off at the border of the image."""
    points: Float32[np.ndarray, "n k 5 2"]
    """Its landmarks, as :func:`~likeness.research.synthetic.faces.landmarks` orders them."""
    mask: Bool[np.ndarray, "n k"]


def draw_crowds(
    identity: Float[np.ndarray, "n k i"],
    nuisance: Float[np.ndarray, "n k n2"],
    rng: np.random.Generator,
    size: int = 96,
    sides: tuple[float, float] = (12.0, 40.0),
) -> Crowd:
    """Draws scenes of up to k people before a textured ground with shapes on it, which are no faces.

    Whose head is lower stands in front. Of each scene's people a random number is wanted, from none to k as likely, and who
    finds no place where faces stay to be seen is left out.

    Args:
        identity: of k people for each scene, see :class:`~likeness.research.synthetic.faces.FaceIdentity`.
        nuisance: of each, see :class:`~likeness.research.synthetic.faces.Nuisance`; scale, shift, what hides a face and grain
            are replaced.
        rng: what is drawn from: places, sizes and the ground.
        size: side of an image in pixels.
        sides: the smallest and the largest √area of a face's box in pixels, each ratio as likely.
    """
    n, most = identity.shape[:2]
    images = draw_shapes(n, rng, size, 6, (0.1 * size, 0.45 * size), noise=0.05).images
    center, unit, mask = _places(rng, n, most, size, sides)
    # From the back to the front.
    order = np.argsort(np.where(mask, center[..., 1], np.inf), axis=1, kind="stable")[..., None]
    center, identity, nuisance = (np.take_along_axis(each, order, axis=1) for each in (center, identity, nuisance))
    unit, mask = (np.take_along_axis(each, order[..., 0], axis=1) for each in (unit, mask))
    nuisance = nuisance.astype(np.float32).copy()
    for field, values in {
        "scale": unit / (HEAD * size),
        "shift_x": center[..., 0] / size - 0.5,
        "shift_y": center[..., 1] / size - 0.48,
        "occlusion": 0.0,
        "grain": 0.0,
    }.items():
        nuisance[..., Nuisance._fields.index(field)] = values
    boxes, points = np.zeros((n, most, 4), np.float32), np.zeros((n, most, 5, 2), np.float32)
    for row in range(most):
        there = np.flatnonzero(mask[:, row])
        if len(there):
            who, how = identity[there, row], nuisance[there, row]
            images[there] = render(who, how, size, behind=images[there])
            points[there, row], own = landmarks(who, how, size)
            boxes[there, row] = np.clip(own, 0, size)
    return Crowd(images, boxes, points, mask)


def _places(
    rng: np.random.Generator, n: int, most: int, size: int, sides: tuple[float, float]
) -> tuple[Float[np.ndarray, "n k 2"], Float[np.ndarray, "n k"], Bool[np.ndarray, "n k"]]:
    """Centers of heads and half their heights: for each the first of a few random places where faces stay to be seen."""
    wanted = np.arange(most) < rng.integers(0, most + 1, (n, 1))
    center, unit, mask = np.zeros((n, most, 2)), np.ones((n, most)), np.zeros((n, most), bool)
    for row in range(most):
        tried = np.exp(rng.uniform(math.log(sides[0]), math.log(sides[1]), (n, _TRIES))) / _FACE
        # The box lies from 0.75 to the left to 0.75 to the right, and from 0.62 above to 1 below.
        low, high = np.array([0.8, 0.65]) * tried[..., None], size - np.array([0.8, 1.0]) * tried[..., None]
        at = low + rng.random((n, _TRIES, 2)) * (high - low)
        fits = np.ones((n, _TRIES), bool)
        for other in range(row):
            there, whose = center[:, None, other], unit[:, None, other]
            hidden = np.where(at[..., 1] < there[..., 1], _hidden(at, tried, there, whose), _hidden(there, whose, at, tried))
            fits &= ~mask[:, None, other] | (hidden <= MAX_HIDDEN)
        first = fits.argmax(axis=1)
        center[:, row], unit[:, row] = at[np.arange(n), first], tried[np.arange(n), first]
        mask[:, row] = wanted[:, row] & fits.any(axis=1)
    return center, unit, mask


def _hidden(
    behind: Float[np.ndarray, "n #t 2"],
    its: Float[np.ndarray, "n #t"],
    front: Float[np.ndarray, "n #t 2"],
    theirs: Float[np.ndarray, "n #t"],
) -> Float[np.ndarray, "n t"]:
    """The share of a face that the head, the hair and the shoulders of somebody in front of it cover."""
    x, y = (mesh.ravel() for mesh in np.meshgrid(np.linspace(-0.7, 0.7, 7), np.linspace(-0.6, 0.95, 7)))
    across, down = (
        (behind[..., axis, None] + along * its[..., None] - front[..., axis, None]) / theirs[..., None]
        for axis, along in enumerate((x, y))
    )
    head = (across / 1.0) ** 2 + (down / 1.25) ** 2 < 1.0
    body = down > 0.9 + 0.3 * across * across
    return (head | body).mean(axis=-1)
