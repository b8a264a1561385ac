"""YuNet's faces: from images padded to multiples of 32 to boxes with five landmarks."""

import dataclasses
from typing import Any, cast

import jax
import jax.numpy as jnp

from likeness.research.detectors.protocol import Candidates
from likeness.research.encoders.yunet import STRIDES, YuNet
from likeness.research.geometry.padding import PadToMultiple
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.suppression import Suppression
from likeness.research.types import Array, Float, ImagesUint8, PyTree

__all__ = ["YuNetDetector"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class YuNetDetector:
    """Faces, and in each the eye on the left of the image, that on the right, the tip of the nose, and the mouth's corners.

    Each cell of the maps at strides s = 8, 16 and 32 speaks of one face. For the cell in column i and row j

        score = √(σ(class) · σ(objectness)),
        center = ((i, j) + offset) · s,   size = exp(size) · s,   landmark = ((i, j) + offset) · s.

    It was trained on faces of about 10 to 300 pixels, so that a large photograph is better shown smaller, or in slices.
    """

    network: YuNet = dataclasses.field(default_factory=YuNet)
    """The network."""
    longest: int | None = 1024
    """The most pixels of an image's longer side, to which a larger one shrinks; None shows every image as it is."""
    suppression: Suppression = Suppression(iou_threshold=0.45, score_threshold=0.6, max_detections=500, form="picks")
    """Overlap as its authors have it."""

    class_names: tuple[str, ...] = ("face",)
    """There is one class."""
    fill: int = 0
    """The padding is black."""

    def placement(self, size: Size) -> Placement:
        """In the upper left corner of a canvas whose sides are multiples of 32."""
        return PadToMultiple(multiple=STRIDES[-1], longest=self.longest).placement(size)

    def candidates(self, variables: PyTree, canvases: ImagesUint8) -> Candidates:
        """One for each cell of each map, those of the finest first."""
        images = jnp.asarray(canvases).astype(jnp.float32) / 255
        said = cast(dict[str, Array], self.network.apply(variables, images))
        levels = [self._level(stride, said) for stride in STRIDES]
        boxes, scores, landmarks = (jnp.concatenate(parts, axis=1) for parts in zip(*levels, strict=True))
        return Candidates(boxes, scores, jnp.zeros(scores.shape, jnp.int32), landmarks)

    def _level(self, stride: int, said: dict[str, Any]) -> tuple[Array, Array, Array]:
        heads = ("classes", "objectness", "boxes", "landmarks")
        classes, objectness, boxes, points = (said[f"{head}{stride}"] for head in heads)
        batch, rows, columns = classes.shape[:3]
        cells = cell_corners(rows, columns)
        scores = jnp.sqrt(jax.nn.sigmoid(classes[..., 0]) * jax.nn.sigmoid(objectness[..., 0]))
        center = (cells + boxes[..., :2]) * stride
        half = jnp.exp(boxes[..., 2:]) * (stride / 2)
        corners = jnp.concatenate([center - half, center + half], axis=-1)
        landmarks = (cells[:, :, None] + points.reshape(batch, rows, columns, -1, 2)) * stride
        flat = batch, rows * columns
        return corners.reshape(*flat, 4), scores.reshape(flat), landmarks.reshape(*flat, -1, 2)


def cell_corners(rows: int, columns: int) -> Float[Array, "rows columns 2"]:
    """The column and the row of each cell of a map, (x, y)."""
    x, y = jnp.meshgrid(jnp.arange(columns, dtype=jnp.float32), jnp.arange(rows, dtype=jnp.float32))
    return jnp.stack([x, y], axis=-1)
