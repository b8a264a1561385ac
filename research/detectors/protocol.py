"""What a network must offer to be a detector, and the program that all detectors share."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.geometry.boxes import area, clip_boxes
from likeness.research.geometry.detections import PaddedDetections
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.suppression import Suppression
from likeness.research.types import AnyArray, Array, Bool, Float, ImagesUint8, Int, PyTree, UInt8

__all__ = [
    "Candidates",
    "CanvasPlaces",
    "DetectionModel",
    "Regions",
    "detect",
    "suppressed",
    "with_channels",
]


class Regions(NamedTuple):
    """Boxes that may be objects, in n rows for each image, best first. A pytree."""

    boxes: Float[AnyArray, "b n 4"]
    """``xyxy`` in pixels of the canvas."""
    valid: Bool[AnyArray, "b n"]
    """Which rows are boxes; what the others hold does not matter."""


class Candidates(NamedTuple):
    """What a network finds before suppression: n boxes for each image, most of which are nothing. A pytree."""

    boxes: Float[Array, "b n 4"]
    """``xyxy`` in pixels of the canvas."""
    scores: Float[Array, "b n"]
    classes: Int[Array, "b n"]
    """From 0 on."""
    landmarks: Float[Array, "b n p 2"] | None = None
    """Points (x, y) of each object in pixels of the canvas; None where the network finds none."""
    proposals: Regions | None = None
    """The regions that the network looked at one by one; None where it does not."""


@runtime_checkable
class DetectionModel(Protocol):
    """A network that finds objects: what it looks at, and how boxes are read from what it says.

    It is a pure definition; its weights are handed to :meth:`candidates`.
    """

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class, in their order; empty where they have none."""
        ...

    @property
    def suppression(self) -> Suppression:
        """What is left out of the candidates unless somebody asks otherwise: thresholds, and how many remain."""
        ...

    @property
    def fill(self) -> int:
        """The value, 0 to 255, of those pixels of the canvas that show no image."""
        ...

    def placement(self, size: Size) -> Placement:
        """Where an image of this height and width lies on the canvas that the network looks at, upright and not mirrored.

        Images whose canvases have one size are looked at together.
        """
        ...

    def candidates(self, variables: PyTree, canvases: ImagesUint8) -> Candidates:
        """Looks at canvases. Runs under ``jit``; all that is done to pixels before the network belongs here.

        Args:
            variables: the network's.
            canvases: RGB (b, height, width, 3), of a size that :meth:`placement` gives.
        """
        ...


class CanvasPlaces(NamedTuple):
    """Where the images of a batch lie on their canvases, as arrays that a program takes. A pytree.

    ``x_image = factor · x_canvas + shift`` along each axis.
    """

    factor: Float[AnyArray, "b 2"]
    """Pixels of the image for a pixel of the canvas, along x and y."""
    shift: Float[AnyArray, "b 2"]
    """Where the canvas begins, in pixels of the image, x and y."""
    size: Float[AnyArray, "b 2"]
    """Width and height of the image."""

    @classmethod
    def of(cls, placements: Sequence[Placement]) -> "CanvasPlaces":
        """Of the placements of a detector.

        Raises:
            ValueError: one turns or mirrors its image.
        """
        back = [placement.inverse() for placement in placements]
        for one in back:
            if one.matrix[1] != 0 or one.matrix[2] != 0 or one.matrix[0] <= 0 or one.matrix[3] <= 0:
                raise ValueError(
                    f"CanvasPlaces: {one.inverse()} turns or mirrors its image, and a detector may only resize it."
                )
        rows = [((one.matrix[0], one.matrix[3]), one.shift, one.target[::-1]) for one in back]
        factor, shift, size = (np.array(column, np.float32).reshape(-1, 2) for column in zip(*rows, strict=True))
        return cls(factor, shift, size)

    def boxes(self, boxes: Float[Array, "b n 4"]) -> Float[Array, "b n 4"]:
        """Boxes of the canvases, in pixels of the images and cut off at their borders."""
        factor, shift = (jnp.tile(jnp.asarray(each), 2)[:, None] for each in (self.factor, self.shift))
        size = jnp.asarray(self.size)
        return jnp.asarray(clip_boxes(boxes * factor + shift, size[:, None, 1], size[:, None, 0]))

    def points(self, points: Float[Array, "b n p 2"]) -> Float[Array, "b n p 2"]:
        """Points of the canvases, in pixels of the images; they may lie outside."""
        return points * jnp.asarray(self.factor)[:, None, None] + jnp.asarray(self.shift)[:, None, None]


def with_channels(canvases: UInt8[AnyArray, "b h w _given"], channels: Literal[1, 3]) -> UInt8[Array, "b h w _wanted"]:
    """Canvases as a network has learned to see them: gray by ITU-R 601 luma, to the bit as Pillow has it, or in color.

    Args:
        canvases: (b, h, w, 3) in RGB, or (b, h, w, 1) in gray.
        channels: 1 for gray, 3 for RGB.

    Example:
        >>> with_channels(np.array([[[[255, 0, 0], [9, 9, 9]]]], np.uint8), 1).tolist()
        [[[[76], [9]]]]
    """
    canvases = jnp.asarray(canvases)
    if canvases.shape[-1] == channels:
        return canvases
    if channels == 3:
        return jnp.broadcast_to(canvases, (*canvases.shape[:-1], 3))
    parts = canvases.astype(jnp.uint32) * jnp.array([19595, 38470, 7471], jnp.uint32)
    return ((jnp.sum(parts, axis=-1, keepdims=True) + 0x8000) >> 16).astype(jnp.uint8)


def detect(
    model: DetectionModel,
    variables: PyTree,
    canvases: ImagesUint8,
    places: CanvasPlaces,
    suppression: Suppression | None = None,
    real: Bool[AnyArray, "b"] | None = None,
) -> PaddedDetections:
    """Finds objects: pixels, network, boxes, suppression, and the way back to the images, one program under ``jit``.

    Boxes compete on the canvas, where they are not yet cut off. What lies wholly beside its image is left out.

    Args:
        model: the detector.
        variables: its network's.
        canvases: (b, h, w, 3), RGB, each with its image on it.
        places: where those lie.
        suppression: what is left out; by default what the model says.
        real: which rows hold an image, in a batch that was filled up; None for all.

    Returns:
        Detections in pixels of the images, with landmarks where the network finds some.
    """
    return suppressed(model.candidates(variables, canvases), places, suppression or model.suppression, real)


def suppressed(
    candidates: Candidates, places: CanvasPlaces, suppression: Suppression, real: Bool[AnyArray, "b"] | None = None
) -> PaddedDetections:
    """What remains of candidates, in pixels of the images: the second half of :func:`detect`.

    Args:
        candidates: what a network found.
        places: where the images lie.
        suppression: what is left out.
        real: which rows hold an image; None for all.
    """
    found: Candidates = jax.tree.map(jnp.asarray, candidates)
    there = area(places.boxes(found.boxes)) > 0
    if real is not None:
        there &= jnp.asarray(real)[:, None]
    kept = suppression.select(found.boxes, found.scores, found.classes, there)
    boxes = jnp.where(kept.valid[..., None], places.boxes(kept.boxes), 0.0)
    landmarks = None
    if found.landmarks is not None:
        landmarks = jnp.where(kept.valid[..., None, None], places.points(kept.take(found.landmarks)), 0.0)
    return PaddedDetections(boxes, kept.scores, kept.take(found.classes), kept.valid, landmarks)
