"""FastestDet's objects: from images stretched to 352×352 to boxes of COCO's 80 classes."""

import dataclasses
from typing import cast

import jax
import jax.numpy as jnp

from likeness.research.detectors.protocol import Candidates
from likeness.research.detectors.yunet import cell_corners
from likeness.research.encoders.fastestdet import FastestDet
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.suppression import Suppression
from likeness.research.geometry.transforms import Resize
from likeness.research.types import Array, ImagesUint8, PyTree

__all__ = ["COCO_CATEGORY_IDS", "COCO_CLASSES", "FastestDetDetector"]

_NAMES = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,"
    "bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,"
    "snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,"
    "fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"
    "refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
)

COCO_CLASSES = tuple(_NAMES.split(","))
"""The names of COCO's 80 classes, in their order."""

COCO_CATEGORY_IDS = tuple(number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83))
"""COCO's own id of each class: from 1 to 90, with holes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FastestDetDetector:
    """Objects of COCO's classes, one for each cell of a map of 22×22.

    For the cell in column i and row j of a map of w×h, in shares of the image,

        score = σ(objectness)^0.6 · (max_k softmax(classes)_k)^0.4,
        center = ((i + tanh x) / w, (j + tanh y) / h),   size = σ(size).
    """

    network: FastestDet = FastestDet()
    """The network."""
    size: Size = (352, 352)
    """The canvas, to which every image is stretched whatever its proportions, multiples of 32; the published weights were
    trained on 352×352."""
    suppression: Suppression = Suppression(iou_threshold=0.45, score_threshold=0.65, max_detections=100, form="picks")
    """Thresholds as its author has them."""
    class_names: tuple[str, ...] = COCO_CLASSES
    """The names of the network's classes."""
    category_ids: tuple[int, ...] = COCO_CATEGORY_IDS
    """What COCO's files call the classes."""
    fill: int = 0
    """Nothing of the canvas shows no image."""

    def __post_init__(self) -> None:
        for field in ("class_names", "category_ids"):
            if len(getattr(self, field)) != self.network.classes:
                raise ValueError(
                    f"FastestDetDetector: the network tells {self.network.classes} classes apart, and there are "
                    f"{len(getattr(self, field))} {field}: give one for each."
                )

    def placement(self, size: Size) -> Placement:
        """All of the canvas."""
        return Resize(size=self.size).placement(size)

    def candidates(self, variables: PyTree, canvases: ImagesUint8) -> Candidates:
        """One for each cell."""
        images = jnp.asarray(canvases).astype(jnp.float32) / 255
        said = cast(dict[str, Array], self.network.apply(variables, images))
        objectness, boxes, classes = (said[head] for head in ("objectness", "boxes", "classes"))
        batch, rows, columns = objectness.shape[:3]
        # Two quick reductions: XLA's argmax is one slow one on a CPU.
        highest = jnp.max(classes, axis=-1, keepdims=True)
        numbers = jnp.arange(self.network.classes, dtype=jnp.int32)
        best = jnp.min(jnp.where(classes == highest, numbers, self.network.classes - 1), axis=-1)
        likeliest = 1 / jnp.sum(jnp.exp(classes - highest), axis=-1)
        scores = jax.nn.sigmoid(objectness[..., 0]) ** 0.6 * likeliest**0.4
        # The canvas in pixels, along x and y.
        height, width = canvases.shape[1:3]
        cell, whole = (jnp.array(each, jnp.float32) for each in ((width / columns, height / rows), (width, height)))
        center = (cell_corners(rows, columns) + jnp.tanh(boxes[..., :2])) * cell
        half = jax.nn.sigmoid(boxes[..., 2:]) * whole / 2
        corners = jnp.concatenate([center - half, center + half], axis=-1)
        flat = batch, rows * columns
        return Candidates(corners.reshape(*flat, 4), scores.reshape(flat), best.reshape(flat))
