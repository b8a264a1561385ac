"""YOLO with anchors on several levels, as the third version and its successors train it."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice, check_count, check_finite_nonnegative, check_finite_positive
from likeness.research.geometry.anchors import AnchorGrid, AnchorPyramid
from likeness.research.geometry.codecs import YoloV3
from likeness.research.geometry.ignored import places_on, without_background
from likeness.research.geometry.iou import pairwise
from likeness.research.geometry.midpoint_cells import CellCollision, CellPrecedence, MidpointCell
from likeness.research.losses.detection.box_regression import OverlapLoss
from likeness.research.losses.detection.terms import binary_cross_entropy, mean_over, squared_error, total
from likeness.research.losses.detection.truth import (
    as_batch,
    as_levels,
    assigned_boxes,
    assigned_classes,
    counts,
    matched,
    one_hot,
)
from likeness.research.types import AnyArray, Array, Float, Scalar, Shaped

YoloBoxTerm: TypeAlias = Literal["ciou", "giou", "squared"]
"""``ciou``, ``giou``: 1 minus the overlap. ``squared``: ``(2 - w h) / 2`` times the squared error of σ(t_x), σ(t_y), t_w and
t_h, w and h as shares of the image, as darknet has it."""

ObjectnessTarget: TypeAlias = Literal["one", "overlap"]
"""What a place that answers for an object says of it: 1, or the IoU of the box that it predicts."""

__all__ = ["ObjectnessTarget", "YoloBoxTerm", "YoloV3Loss"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class YoloV3Loss:
    """Objectness, box and classes of every anchor, each logistic:

        w_o Σ_obj BCE(σ(t_o), 1) + w_n Σ_noobj BCE(σ(t_o), 0) + w_b Σ_obj box + w_c Σ_obj Σ_c BCE(σ(s_c), [c = class])

    divided by the number of objects of the batch that have a place, or by 1 where there are none. An object belongs to the
    anchor of the highest IoU with its shape among those of all levels, in the cell of its midpoint. A place that answers for no
    object and whose box overlaps one with an IoU above ``ignore_threshold`` says nothing of objectness: it is nearly right.

    Redmon and Farhadi, "YOLOv3: an incremental improvement", 2018; Zheng et al., "Distance-IoU loss", AAAI 2020, for CIoU.
    """

    anchors: AnchorPyramid
    """The anchors of each level in pixels."""

    classes: int
    """Number of classes."""

    box: YoloBoxTerm = "ciou"
    """How boxes are compared."""

    objectness: ObjectnessTarget = "one"
    """What is learned where there is an object."""

    ignore_threshold: float = 0.5
    """An IoU; 1 ignores nothing."""

    object_weight: float = 1.0
    """w_o."""

    background_weight: float = 1.0
    """w_n."""

    box_weight: float = 2.0
    """w_b."""

    class_weight: float = 1.0
    """w_c."""

    scale: float = 1.0
    """How far beyond its cell a center may lie, see :class:`~likeness.research.geometry.codecs.YoloV3`."""

    precedence: CellPrecedence = "first"
    """Which of several objects has a place."""

    collision: CellCollision = "drop"
    """What becomes of the others."""

    def __post_init__(self) -> None:
        check_count("YoloV3Loss", "classes", self.classes)
        check_choice("YoloV3Loss", "box", self.box, YoloBoxTerm)
        check_choice("YoloV3Loss", "objectness", self.objectness, ObjectnessTarget)
        for name in ("object_weight", "background_weight", "box_weight", "class_weight"):
            check_finite_nonnegative("YoloV3Loss", name, getattr(self, name))
        if not 0.0 <= self.ignore_threshold <= 1.0:
            raise ValueError(f"YoloV3Loss(ignore_threshold={self.ignore_threshold}): an IoU lies from 0 to 1. Give 0.5, say.")
        check_choice("YoloV3Loss", "precedence", self.precedence, CellPrecedence)
        check_choice("YoloV3Loss", "collision", self.collision, CellCollision)
        check_finite_positive("YoloV3Loss", "scale", self.scale)
        # These check the anchors.
        self._matcher()
        self._codecs()

    def __call__(
        self,
        outputs: Sequence[Shaped[AnyArray, "..."]],
        boxes: Shaped[AnyArray, "..."],
        classes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
        ignored: Shaped[AnyArray, "..."] | None = None,
    ) -> Scalar:
        """The loss of a batch.

        Args:
            outputs: for each level (b, rows, columns, A, 5 + K): ``[t_o, t_x, t_y, t_w, t_h, s_1 … s_K]``.
            boxes: (b, m, 4), the objects, ``xyxy`` in pixels.
            classes: (b, m), from 0 to K - 1.
            mask: (b, m), which rows are objects; what the others hold does not matter.
            ignored: (b, m), which rows are neither to be found nor background, such as crowds and difficult objects: a place on
                one that answers for no other costs nothing; None: none.

        Raises:
            ValueError: another shape or dtype; a box without area or an unknown class in NumPy arrays.
        """
        return self.value_and_diagnostics(outputs, boxes, classes, mask, ignored)[0]

    def value_and_diagnostics(
        self,
        outputs: Sequence[Shaped[AnyArray, "..."]],
        boxes: Shaped[AnyArray, "..."],
        classes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
        ignored: Shaped[AnyArray, "..."] | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value, and its parts ``object_loss``, ``background_loss``, ``box_loss`` and ``class_loss`` before they are
            weighted, the numbers of ``objects``, of ``foreground`` places and of objects ``missed``, and the ``mean_iou`` of
            foreground boxes.
        """
        maps, found = self._as_outputs(outputs)
        truth = as_batch("YoloV3Loss", boxes, classes, mask, len(found), self.classes, ignored)
        assignment = matched(lambda own, real: self._matcher()(maps, own, real), truth.boxes, truth.mask)
        anchors = jnp.asarray(self.anchors(maps))
        predicted = self._decoded(maps, found[..., 1:5], anchors)
        true = assigned_boxes(assignment, truth, anchors)
        own = jnp.asarray(assignment.foreground)
        overlap = jnp.where(own, jax.lax.stop_gradient(1.0 - OverlapLoss(overlap="iou")(predicted, true, own)), 0.0)
        objectness, passed_over = found[..., 0], None
        if truth.ignored is not None:
            passed_over = without_background(assignment, places_on(truth.ignored, self._cells(maps))).ignored
            objectness = jnp.where(passed_over, 0.0, objectness)
        confidence = binary_cross_entropy(objectness, own.astype(jnp.float32) if self.objectness == "one" else overlap)
        counted = own | ~self._nearly_right(predicted, truth.boxes)
        counted = counted if passed_over is None else counted & ~passed_over
        scores = jnp.where(own[..., None], found[..., 5:], 0.0)
        classes_cost = binary_cross_entropy(scores, one_hot(assigned_classes(assignment, truth), self.classes))
        objects = jnp.sum(own, dtype=jnp.float32)
        parts = {
            "object": mean_over(jnp.where(own, confidence, 0.0), objects),
            "background": mean_over(jnp.where(counted & ~own, confidence, 0.0), objects),
            "box": mean_over(self._box_cost(maps, found[..., 1:5], predicted, true, anchors, own), objects),
            "class": mean_over(jnp.where(own[..., None], classes_cost, 0.0), objects),
        }
        weights = {
            "object": self.object_weight,
            "background": self.background_weight,
            "box": self.box_weight,
            "class": self.class_weight,
        }
        named = {f"{name}_loss": value for name, value in parts.items()} | counts(assignment, truth)
        named["mean_iou"] = mean_over(overlap, objects)
        return total(parts, weights), jax.lax.stop_gradient(named)

    def boxes(self, outputs: Sequence[Shaped[AnyArray, "..."]]) -> Float[Array, "b n 4"]:
        """The boxes that outputs say, ``xyxy`` in pixels, place by place as the anchors are listed.

        Args:
            outputs: for each level (b, rows, columns, A, 5 + K).
        """
        maps, found = self._as_outputs(outputs)
        return self._decoded(maps, found[..., 1:5], jnp.asarray(self.anchors(maps)))

    def _matcher(self) -> MidpointCell:
        return MidpointCell(levels=self.anchors.levels, precedence=self.precedence, collision=self.collision)

    def _codecs(self) -> list[YoloV3]:
        return [YoloV3(stride=level.stride, scale=self.scale) for level in self.anchors.levels]

    def _as_outputs(self, outputs: Sequence[AnyArray]) -> tuple[list[tuple[int, int]], Float[Array, "b n f"]]:
        axes = [(len(level.shapes), 5 + self.classes) for level in self.anchors.levels]
        return as_levels("YoloV3Loss", outputs, axes, "Give 5 + K numbers for each anchor of each cell.")

    def _cells(self, maps: list[tuple[int, int]]) -> Float[Array, "n 4"]:
        """The cell of each anchor."""
        grids = [
            AnchorGrid(shapes=((float(level.stride), float(level.stride)),) * len(level.shapes), stride=level.stride)
            for level in self.anchors.levels
        ]
        return jnp.asarray(AnchorPyramid(levels=tuple(grids))(maps))

    def _by_level(self, maps: list[tuple[int, int]]) -> list[slice]:
        ends = [0]
        for (rows, columns), level in zip(maps, self.anchors.levels, strict=True):
            ends.append(ends[-1] + rows * columns * len(level.shapes))
        return [slice(start, stop) for start, stop in itertools.pairwise(ends)]

    def _decoded(
        self, maps: list[tuple[int, int]], values: Float[Array, "b n 4"], anchors: Float[Array, "n 4"]
    ) -> Float[Array, "b n 4"]:
        pairs = zip(self._codecs(), self._by_level(maps), strict=True)
        return jnp.concatenate([jnp.asarray(codec.decode(values[:, at], anchors[at])) for codec, at in pairs], axis=1)

    def _nearly_right(self, predicted: Float[Array, "b n 4"], boxes: Float[Array, "b m 4"]) -> Array:
        """Whether a place predicts some object well enough."""
        if not boxes.shape[1]:
            return jnp.zeros(predicted.shape[:2], bool)
        return jnp.max(jax.vmap(pairwise)(jax.lax.stop_gradient(predicted), boxes), axis=2) > self.ignore_threshold

    def _box_cost(
        self,
        maps: list[tuple[int, int]],
        values: Float[Array, "b n 4"],
        predicted: Float[Array, "b n 4"],
        true: Float[Array, "b n 4"],
        anchors: Float[Array, "n 4"],
        own: Array,
    ) -> Float[Array, "b n"]:
        if self.box != "squared":
            return OverlapLoss(overlap=self.box)(predicted, true, own)
        pairs = zip(self._codecs(), self._by_level(maps), strict=True)
        target = jnp.concatenate([jnp.asarray(codec.encode(true[:, at], anchors[at])) for codec, at in pairs], axis=1)
        center = squared_error(jax.nn.sigmoid(values[..., :2]), jax.nn.sigmoid(target[..., :2]), own[..., None])
        size = squared_error(values[..., 2:], target[..., 2:], own[..., None])
        height, width = (extent * self.anchors.levels[0].stride for extent in maps[0])
        share = jnp.prod((true[..., 2:] - true[..., :2]) / jnp.array([width, height], jnp.float32), axis=-1)
        return jnp.sum(center + size, axis=-1) * (2.0 - jnp.clip(share, 0.0, 1.0)) / 2
