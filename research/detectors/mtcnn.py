"""MTCNN's faces: three networks one after another, each of which looks at what the one before it has left."""

import dataclasses
import functools
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_count
from likeness.research.detectors.protocol import Candidates
from likeness.research.encoders.mtcnn import MTCNN, OUTPUT_SIDE, PROPOSAL_SIDE, REFINEMENT_SIDE
from likeness.research.geometry.iou import pairwise
from likeness.research.geometry.padding import PadToMultiple
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.suppression import Suppression
from likeness.research.geometry.warp import warp
from likeness.research.types import AnyArray, Array, Bool, Float, ImagesUint8, PyTree

__all__ = ["MTCNNDetector", "area_weights"]

_STRIDE = 2
"""Pixels between two cells of P-Net."""
_CELLS = 1024
"""Pixels of a canvas for one proposal: of small canvases fewer are looked at."""
_FEWEST = 64
"""Proposals of the smallest canvas."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MTCNNDetector:
    """Faces, and in each the eye on the left of the image, that on the right, the tip of the nose, and the mouth's corners.

    P-Net looks at smaller and smaller copies of the canvas, 12 pixels of which are a face of ``smallest`` pixels and more. The
    surest of its boxes are cut out, resized, and shown to R-Net; the surest of those, moved as R-Net says, to O-Net. Between
    the networks, and at each size, a box goes that overlaps a surer one, whether or not that one stays.

    All has fixed shapes: of each copy the surest boxes count, ``proposals`` of all copies and ``refined`` of those are looked
    at more closely, of canvases of few pixels fewer. A photograph with more faces than that loses some.

    Boxes are in continuous coordinates, patches are cut out by :func:`~likeness.research.geometry.warp`, and what lies beside
    the canvas is black.

    Papers: Zhang et al., IEEE Signal Processing Letters 2016; the suppression is that of the ``mtcnn`` package, and that of
    Bolya et al., YOLACT, ICCV 2019.
    """

    network: MTCNN = dataclasses.field(default_factory=MTCNN)
    """The networks."""
    longest: int | None = 1024
    """The most pixels of an image's longer side, to which a larger one shrinks; None shows every image as it is."""
    smallest: int = 20
    """Pixels of the smallest face."""
    factor: float = 0.709
    """How much smaller each copy is than the one before it: 1/√2, so that each has half the pixels."""
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    """How sure each network must be."""
    overlaps: tuple[float, float, float] = (0.5, 0.7, 0.7)
    """The IoU above which of two boxes the less sure one goes: at each size, among all sizes, and after R-Net."""
    proposals: int = 384
    """Boxes that R-Net looks at, at most."""
    refined: int = 96
    """Boxes that O-Net looks at, at most."""
    suppression: Suppression = Suppression(iou_threshold=0.4, score_threshold=0.6, max_detections=96, form="picks")
    """What goes after O-Net."""

    class_names: tuple[str, ...] = ("face",)
    """There is one class."""
    fill: int = 0
    """The padding is black."""

    def __post_init__(self) -> None:
        for field in ("smallest", "proposals", "refined"):
            check_count("MTCNNDetector", field, getattr(self, field))
        if not 0 < self.factor < 1:
            raise ValueError(f"MTCNNDetector.factor is {self.factor}: give a share between 0 and 1, such as 0.709.")

    def placement(self, size: Size) -> Placement:
        """In the upper left corner of a canvas whose sides are multiples of 32."""
        return PadToMultiple(multiple=32, longest=self.longest).placement(size)

    def sizes(self, canvas: Size) -> tuple[Size, ...]:
        """Heights and widths of the copies of a canvas, the largest first."""
        found, scale = [], PROPOSAL_SIDE / self.smallest
        while min(canvas) * scale >= PROPOSAL_SIDE:
            found.append((int(canvas[0] * scale), int(canvas[1] * scale)))
            scale *= self.factor
        return tuple(found)

    def candidates(self, variables: PyTree, canvases: ImagesUint8) -> Candidates:
        """Those that O-Net has looked at; one that a network refused has the score 0."""
        images = jnp.asarray(canvases).astype(jnp.float32) / 255
        count = min(self.proposals, max(_FEWEST, images.shape[1] * images.shape[2] // _CELLS))
        apply = functools.partial(self.network.apply, variables)

        boxes, scores = self._proposed(apply, images, count)
        said = _looked(apply, "refine", images, boxes, REFINEMENT_SIDE)
        scores = jnp.where((scores > 0) & (said["face"] > self.thresholds[1]), said["face"], 0.0)
        boxes = _moved(boxes, said["box"])
        scores = _unique(boxes, scores, self.overlaps[2])
        boxes, scores = _surest(_square(boxes), scores, min(self.refined, max(_FEWEST // 4, count // 4)))

        said = _looked(apply, "look", images, boxes, OUTPUT_SIDE)
        scores = jnp.where((scores > 0) & (said["face"] > self.thresholds[2]), said["face"], 0.0)
        corner, sides = boxes[..., None, :2], (boxes[..., 2:] - boxes[..., :2])[..., None, :]
        landmarks = corner + sides * jnp.moveaxis(said["landmarks"].reshape(*scores.shape, 2, -1), -2, -1)
        boxes = _moved(boxes, said["box"])
        # What is no box has no place.
        boxes = jnp.where(scores[..., None] > 0, boxes, 0.0)
        return Candidates(boxes, scores, jnp.zeros(scores.shape, jnp.int32), landmarks)

    def _proposed(self, apply: Any, images: Array, count: int) -> tuple[Array, Array]:
        """The surest boxes of all copies, square: (b, count, 4) and (b, count)."""
        batch, height, width, _ = images.shape
        found: list[tuple[Array, Array]] = []
        for rows, columns in self.sizes((height, width)):
            # Copies shrink by means of areas, along one axis and then along the other.
            copy = jnp.einsum("ih,bhwc->biwc", area_weights(height, rows), images)
            copy = jnp.einsum("jw,biwc->bijc", area_weights(width, columns), copy)
            said = cast(dict[str, Array], apply(copy, method="propose"))
            faces = jax.nn.softmax(said["face"])[..., 1]
            x, y = jnp.meshgrid(jnp.arange(faces.shape[2]), jnp.arange(faces.shape[1]))
            start = _STRIDE * jnp.stack([x, y], axis=-1).astype(jnp.float32)
            cells = jnp.concatenate([start, start + PROPOSAL_SIDE], axis=-1) + PROPOSAL_SIDE * said["box"]
            boxes = cells * jnp.array([width / columns, height / rows] * 2, jnp.float32)
            scores = jnp.where(faces > self.thresholds[0], faces, 0.0)
            boxes, scores = _surest(boxes.reshape(batch, -1, 4), scores.reshape(batch, -1), count)
            found.append((boxes, _unique(boxes, scores, self.overlaps[0])))
        if not found:
            return jnp.zeros((batch, count, 4), jnp.float32), jnp.zeros((batch, count), jnp.float32)
        boxes, scores = (jnp.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
        # Before they are compared each with each, which takes the square of their number.
        boxes, scores = _surest(boxes, scores, 2 * count)
        boxes, scores = _surest(boxes, _unique(boxes, scores, self.overlaps[1]), count)
        return _square(boxes), scores


def area_weights(pixels: int, wanted: int) -> Float[np.ndarray, "wanted pixels"]:
    """The matrix that shrinks a row of pixels: each new pixel is the mean of what it covers.

    Args:
        pixels: how many there are.
        wanted: how many there will be.

    Example:
        >>> area_weights(4, 2).tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    edges = np.arange(wanted + 1) * (pixels / wanted)
    low, high = edges[:-1, None], edges[1:, None]
    at = np.arange(pixels)[None]
    return (np.clip(np.minimum(high, at + 1) - np.maximum(low, at), 0, None) / (high - low)).astype(np.float32)


def _looked(apply: Any, method: str, images: Array, boxes: Array, side: int) -> dict[str, Array]:
    """What a network says of patches: (b, n, …) each, ``face`` as a probability (b, n)."""
    batch, count = boxes.shape[:2]
    patches = warp(images, _maps(boxes, side), (side, side))
    said = cast(dict[str, Array], apply(patches.reshape(-1, side, side, 3), method=method))
    found = {name: value.reshape(batch, count, -1) for name, value in said.items()}
    return found | {"face": jax.nn.softmax(found["face"])[..., 1]}


def _maps(boxes: Array, side: int) -> Array:
    """Of squares (…, 4), the maps by which :func:`warp` cuts them out as patches of so many pixels."""
    scale = (boxes[..., 2] - boxes[..., 0]) / side
    # Boxes count from the corner of the first pixel, and maps from its center.
    right, down = (boxes[..., axis] + scale / 2 - 0.5 for axis in (0, 1))
    return jnp.stack([scale, jnp.zeros_like(scale), right, down], axis=-1)


def _unique(boxes: Array, scores: Array, threshold: float) -> Array:
    """Scores (b, n), 0 for a box that overlaps a surer one."""
    overlaps = jax.vmap(pairwise)(boxes, boxes) > threshold
    place = jnp.arange(scores.shape[1])
    surer: Bool[Array, "b n n"] = (scores[:, None, :] > scores[:, :, None]) | (
        (scores[:, None, :] == scores[:, :, None]) & (place[None, None, :] < place[None, :, None])
    )
    return jnp.where(jnp.any(overlaps & surer & (scores[:, None, :] > 0), axis=-1), 0.0, scores)


def _surest(boxes: Array, scores: Array, count: int) -> tuple[Array, Array]:
    """The boxes of the highest scores: (b, count, 4) and (b, count), filled up with nothing."""
    missing = count - scores.shape[1]
    if missing > 0:
        boxes, scores = jnp.pad(boxes, ((0, 0), (0, missing), (0, 0))), jnp.pad(scores, ((0, 0), (0, missing)))
    scores, order = jax.lax.top_k(scores, count)
    return jnp.take_along_axis(boxes, order[..., None], axis=1), scores


def _moved(boxes: Array, offsets: AnyArray) -> Array:
    """Boxes whose corners go by shares of their sides."""
    return boxes + jnp.tile(boxes[..., 2:] - boxes[..., :2], 2) * offsets


def _square(boxes: Array) -> Array:
    """The squares around the centers of boxes, with their longer sides."""
    center, half = (boxes[..., :2] + boxes[..., 2:]) / 2, jnp.max(boxes[..., 2:] - boxes[..., :2], axis=-1, keepdims=True) / 2
    return jnp.concatenate([center - half, center + half], axis=-1)
