"""YOLO's third version as a head: anchors of several maps, with an objectness and classes that do not exclude each other."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from likeness.research.checks import check_count
from likeness.research.detectors.heads import Objects, strides_of
from likeness.research.detectors.protocol import Candidates
from likeness.research.encoders.detection_heads import PlaceHead
from likeness.research.geometry.anchors import AnchorGrid, AnchorPyramid
from likeness.research.geometry.midpoint_cells import MidpointCell
from likeness.research.geometry.placement import Size
from likeness.research.losses.detection.yolo_v3 import ObjectnessTarget, YoloBoxTerm, YoloV3Loss
from likeness.research.types import Array, Float, Scalar

__all__ = ["YoloHead"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class YoloHead:
    """Each place of each map says for each of its anchors ``[t_o, t_x, t_y, t_w, t_h, s_1 … s_K]``.

    The cost is that of :class:`~likeness.research.losses.YoloV3Loss`. A candidate is an anchor at a place with one of the
    classes, and its score ``σ(t_o) σ(s_c)``.

    Redmon and Farhadi, "YOLOv3: an incremental improvement", 2018.
    """

    maps: tuple[str, ...] = ("pyramid8",)
    """The encoder's activations that are read."""
    anchors: tuple[tuple[tuple[float, float], ...], ...]
    """For each map the width and height of its anchors in pixels, as many for each;
    :func:`~likeness.research.geometry.kmeans_anchors` finds some for boxes that there are."""
    width: int = 96
    """Channels of the two towers, one for objectness and boxes and one for classes."""
    depth: int = 1
    """3×3 convolutions of a tower."""
    prior: float = 0.02
    """Objectness of each anchor before anything is learned."""
    box: YoloBoxTerm = "ciou"
    """How boxes are compared."""
    objectness: ObjectnessTarget = "one"
    """What is learned of objectness where there is an object."""
    ignore_threshold: float = 0.5
    """Boxes with a higher IoU with an object that is not theirs say nothing of objectness."""
    scale: float = 1.0
    """How far beyond its cell a center may lie, see :class:`~likeness.research.geometry.YoloV3`."""
    object_weight: float = 1.0
    """Of objectness where there is an object."""
    background_weight: float = 1.0
    """Of objectness where there is none."""
    box_weight: float = 2.0
    """Of the boxes."""
    class_weight: float = 1.0
    """Of the classes."""

    def __post_init__(self) -> None:
        check_count("YoloHead", "width", self.width)
        if not self.maps or len(self.maps) != len(self.anchors) or len({len(own) for own in self.anchors}) != 1:
            raise ValueError(
                f"YoloHead: there are {len(self.maps)} maps and anchors {self.anchors}: name at least one map, and give for "
                "each as many anchors as for the others."
            )
        if not 0 < self.prior < 1:
            raise ValueError(f"YoloHead.prior is {self.prior}: give a probability between 0 and 1.")
        self._loss((1,) * len(self.maps), 1)

    def network(self, classes: int) -> nn.Module:
        """Two towers: objectness and box of each anchor, and its classes."""
        count = len(self.anchors[0])
        logit = math.log(self.prior / (1 - self.prior))
        # The anchor itself, in the middle of its cell, and each class as likely as not.
        boxes, labels = (logit, 0.0, 0.0, 0.0, 0.0) * count, (0.0,) * (count * classes)
        return PlaceHead(groups=(len(boxes), len(labels)), biases=(boxes, labels), width=self.width, depth=self.depth)

    def cost(self, said: Sequence[Array], size: Size, objects: Objects) -> tuple[Scalar, Mapping[str, Scalar]]:
        """What a batch costs, with the parts of it."""
        loss, truth = self._of(said, size), (objects.boxes, objects.classes, objects.mask)
        return loss.value_and_diagnostics(self._outputs(said), *truth, objects.ignored)

    def candidates(self, said: Sequence[Array], size: Size) -> Candidates:
        """One for each place, anchor and class."""
        outputs = self._outputs(said)
        boxes = self._of(said, size).boxes(outputs)
        flat = jnp.concatenate([one.reshape(len(boxes), -1, one.shape[-1]) for one in outputs], axis=1)
        scores = jax.nn.sigmoid(flat[..., :1]) * jax.nn.sigmoid(flat[..., 5:])
        images, places, count = scores.shape
        classes = jnp.broadcast_to(jnp.arange(count, dtype=jnp.int32), scores.shape)
        boxes = jnp.repeat(boxes, count, axis=1)
        return Candidates(boxes, scores.reshape(images, places * count), classes.reshape(images, places * count))

    def cells(self, strides: Sequence[int]) -> MidpointCell:
        """Which cell of which map and which anchor answers for an object."""
        loss = self._loss(tuple(strides), 1)
        return MidpointCell(levels=loss.anchors.levels, precedence=loss.precedence, collision=loss.collision)

    def _outputs(self, said: Sequence[Array]) -> list[Float[Array, "b rows columns a n"]]:
        """Both groups of an anchor side by side."""
        count = len(self.anchors[0])
        parts = [[half.reshape(*half.shape[:3], count, -1) for half in jnp.split(one, [5 * count], axis=-1)] for one in said]
        return [jnp.concatenate(halves, axis=-1) for halves in parts]

    def _of(self, said: Sequence[Array], size: Size) -> YoloV3Loss:
        return self._loss(strides_of("YoloHead", said, size), said[0].shape[-1] // len(self.anchors[0]) - 5)

    def _loss(self, strides: tuple[int, ...], classes: int) -> YoloV3Loss:
        grids = [AnchorGrid(shapes=own, stride=stride) for own, stride in zip(self.anchors, strides, strict=True)]
        return YoloV3Loss(
            anchors=AnchorPyramid(levels=tuple(grids)),
            classes=classes,
            box=self.box,
            objectness=self.objectness,
            ignore_threshold=self.ignore_threshold,
            scale=self.scale,
            object_weight=self.object_weight,
            background_weight=self.background_weight,
            box_weight=self.box_weight,
            class_weight=self.class_weight,
        )
