"""A detector without anchors: every point says how far the sides of a box are, and how likely each class is."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice, check_count, check_finite_nonnegative, check_members
from likeness.research.geometry.anchors import AnchorGrid, AnchorPyramid
from likeness.research.geometry.boxes import area, centers
from likeness.research.geometry.codecs import PointDistances
from likeness.research.geometry.dynamic_matching import TaskAligned
from likeness.research.geometry.ignored import places_on, without_background
from likeness.research.geometry.matching import Assignment
from likeness.research.losses.detection.box_regression import OverlapLoss, OverlapTerm
from likeness.research.losses.detection.quality_focal import QualityFocalLoss
from likeness.research.losses.detection.terms import as_outputs, binary_cross_entropy, mean_over, total
from likeness.research.losses.detection.truth import (
    Truth,
    as_batch,
    as_levels,
    assigned_boxes,
    assigned_classes,
    counts,
    matched,
    one_hot,
)
from likeness.research.types import AnyArray, Array, Float, Scalar, Shaped

ScoreTerm: TypeAlias = Literal["quality_focal", "cross_entropy"]
"""``quality_focal``: :class:`~.quality_focal.QualityFocalLoss`. ``cross_entropy``: binary cross-entropy with the same "
"targets."""

__all__ = ["AnchorFreeLoss", "DynamicMatcher", "ScoreTerm"]


@runtime_checkable
class DynamicMatcher(Protocol):
    """A matcher that looks at what the network predicts, for one image."""

    def __call__(
        self,
        points: Shaped[AnyArray, "..."],
        stride: Shaped[AnyArray, "..."],
        predicted: Shaped[AnyArray, "..."],
        logits: Shaped[AnyArray, "..."],
        boxes: Shaped[AnyArray, "..."],
        classes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
    ) -> Assignment:
        """The truth point by point, as :class:`~likeness.research.geometry.dynamic_matching.TaskAligned` returns it."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnchorFreeLoss:
    """Scores trained towards the quality of a point's box, and boxes by their overlap:

        ( w_s Σ_points Σ_c score(s_c, q [c = class]) + w_b Σ_foreground q (1 - overlap) ) / max(1, Σ_foreground q)

    over the batch. ``matcher`` says which points answer for which object and what their quality q is. Distances are the
    outputs through ``softplus``, in sides of the cell, so a point always lies in the box that it predicts.

    With P landmarks a third part joins the sum, ``w_l Σ_foreground q Σ_k (|x̂_k - x_k| + |ŷ_k - y_k|) / (P √area)``, in sides of
    the object's box; the outputs are how far each is from the point, in sides of the cell.

    Without any object the scores' part alone is left, a sum that is divided by 1.

    Li et al., "Generalized focal loss", 2020, and Feng et al., "TOOD", ICCV 2021.
    """

    strides: tuple[int, ...]
    """The side of a cell on each level, in pixels."""

    classes: int
    """Number of classes."""

    matcher: DynamicMatcher = TaskAligned()
    """Which points answer for an object."""

    overlap: OverlapTerm = "ciou"
    """By which overlap boxes are compared."""

    score: ScoreTerm = "quality_focal"
    """How scores are compared."""

    score_weight: float = 1.0
    """w_s."""

    box_weight: float = 2.0
    """w_b."""

    points: int = 0
    """P, landmarks of an object."""

    landmark_weight: float = 1.0
    """w_l."""

    def __post_init__(self) -> None:
        check_count("AnchorFreeLoss", "classes", self.classes)
        check_choice("AnchorFreeLoss", "overlap", self.overlap, OverlapTerm)
        check_choice("AnchorFreeLoss", "score", self.score, ScoreTerm)
        check_members("AnchorFreeLoss", "matcher", self.matcher, DynamicMatcher, "TaskAligned() or SimOta()")
        check_count("AnchorFreeLoss", "points", self.points, least=0)
        for name in ("score_weight", "box_weight", "landmark_weight"):
            check_finite_nonnegative("AnchorFreeLoss", name, getattr(self, name))
        if not self.strides:
            raise ValueError("AnchorFreeLoss.strides is empty: give the stride of at least one level, such as (8,).")
        for stride in self.strides:
            check_count("AnchorFreeLoss", "strides", stride)

    def __call__(
        self,
        outputs: Sequence[Shaped[AnyArray, "..."]],
        boxes: Shaped[AnyArray, "..."],
        classes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
        landmarks: Shaped[AnyArray, "..."] | None = None,
        ignored: Shaped[AnyArray, "..."] | None = None,
    ) -> Scalar:
        """The loss of a batch.

        Args:
            outputs: for each level (b, rows, columns, 4 + K + 2 P): left, top, right and bottom before ``softplus``, a logit
                for each class, and x and y of each landmark.
            boxes: (b, m, 4), the objects, ``xyxy`` in pixels.
            classes: (b, m), from 0 to K - 1.
            mask: (b, m), which rows are objects; what the others hold does not matter.
            landmarks: (b, m, P, 2), in pixels; needed if there are any.
            ignored: (b, m), which rows are neither to be found nor background, such as crowds and difficult objects: a point on
                one that answers for no other costs nothing; None: none.

        Raises:
            ValueError: another shape or dtype; a box without area or an unknown class in NumPy arrays.
        """
        return self.value_and_diagnostics(outputs, boxes, classes, mask, landmarks, ignored)[0]

    def value_and_diagnostics(
        self,
        outputs: Sequence[Shaped[AnyArray, "..."]],
        boxes: Shaped[AnyArray, "..."],
        classes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
        landmarks: Shaped[AnyArray, "..."] | None = None,
        ignored: Shaped[AnyArray, "..."] | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value, and its parts ``score_loss``, ``box_loss`` and, of landmarks, ``landmark_loss`` before they are weighted,
            the numbers of ``objects``, of ``foreground`` points and of objects ``missed``, and the ``mean_quality`` of
            foreground points.
        """
        maps, found = self._as_outputs(outputs)
        truth = as_batch("AnchorFreeLoss", boxes, classes, mask, len(found), self.classes, ignored)
        cells = self._cells(maps)
        predicted, logits = self._decoded(found, cells), found[..., 4 : 4 + self.classes]
        points, stride = centers(cells), cells[:, 2] - cells[:, 0]
        given = truth.boxes, truth.classes, truth.mask
        assignment = matched(lambda *each: self.matcher(points, stride, *each), predicted, logits, *given)
        quality = assignment.quality
        target = quality[..., None] * one_hot(assigned_classes(assignment, truth), self.classes)
        cost = QualityFocalLoss() if self.score == "quality_focal" else binary_cross_entropy
        if truth.ignored is None:
            scores = cost(logits, target)
        else:
            learned = ~without_background(assignment, places_on(truth.ignored, cells)).ignored[..., None]
            scores = jnp.where(learned, cost(jnp.where(learned, logits, 0.0), target), 0.0)
        true = assigned_boxes(assignment, truth, cells)
        apart = OverlapLoss(overlap=self.overlap)(predicted, true, assignment.foreground)
        weight = jnp.sum(quality)
        parts = {"score": mean_over(scores, weight), "box": mean_over(quality * apart, weight)}
        if self.points:
            off = self._off(found, cells, landmarks, assignment, truth, true)
            parts["landmark"] = mean_over(quality * off, weight)
        named = {f"{name}_loss": value for name, value in parts.items()} | counts(assignment, truth)
        named["mean_quality"] = mean_over(quality, named["foreground"])
        value = total(parts, {"score": self.score_weight, "box": self.box_weight, "landmark": self.landmark_weight})
        return value, jax.lax.stop_gradient(named)

    def boxes(self, outputs: Sequence[Shaped[AnyArray, "..."]]) -> Float[Array, "b n 4"]:
        """The boxes that outputs say, ``xyxy`` in pixels, point by point, level after level.

        Args:
            outputs: for each level (b, rows, columns, 4 + K + 2 P).
        """
        maps, found = self._as_outputs(outputs)
        return self._decoded(found, self._cells(maps))

    def scores(self, outputs: Sequence[Shaped[AnyArray, "..."]]) -> Float[Array, "b n K"]:
        """The probability of each class at each point.

        Args:
            outputs: for each level (b, rows, columns, 4 + K + 2 P).
        """
        return jax.nn.sigmoid(self._as_outputs(outputs)[1][..., 4 : 4 + self.classes])

    def landmarks(self, outputs: Sequence[Shaped[AnyArray, "..."]]) -> Float[Array, "b n P 2"]:
        """The landmarks of the object that each point means, (x, y) in pixels.

        Args:
            outputs: for each level (b, rows, columns, 4 + K + 2 P).
        """
        maps, found = self._as_outputs(outputs)
        return self._landmarks(found, self._cells(maps))

    def _as_outputs(self, outputs: Sequence[AnyArray]) -> tuple[list[tuple[int, int]], Float[Array, "b n f"]]:
        axes = [(4 + self.classes + 2 * self.points,)] * len(self.strides)
        return as_levels("AnchorFreeLoss", outputs, axes, "Give 4 + K + 2 P numbers for each point.")

    def _cells(self, maps: Sequence[tuple[int, int]]) -> Float[Array, "n 4"]:
        grids = [AnchorGrid(shapes=((float(s), float(s)),), stride=s) for s in self.strides]
        return jnp.asarray(AnchorPyramid(levels=tuple(grids))(maps))

    def _decoded(self, found: Float[Array, "b n f"], cells: Float[Array, "n 4"]) -> Float[Array, "b n 4"]:
        return jnp.asarray(PointDistances().decode(jax.nn.softplus(found[..., :4]), cells))

    def _landmarks(self, found: Float[Array, "b n f"], cells: Float[Array, "n 4"]) -> Float[Array, "b n P 2"]:
        said = found[..., 4 + self.classes :].reshape(*found.shape[:2], self.points, 2)
        return jnp.asarray(centers(cells))[:, None] + said * (cells[:, 2] - cells[:, 0])[:, None, None]

    def _off(
        self,
        found: Float[Array, "b n f"],
        cells: Float[Array, "n 4"],
        landmarks: AnyArray | None,
        assignment: Assignment,
        truth: Truth,
        boxes: Float[Array, "b n 4"],
    ) -> Float[Array, "b n"]:
        """How far landmarks are off, in sides of the object's box; 0 where a point answers for no object."""
        shape = (*truth.mask.shape, self.points, 2)
        help = f"Give (x, y) of {self.points} landmarks for each row of truth."
        if landmarks is None:
            raise ValueError(f"AnchorFreeLoss: landmarks are missing. {help}")
        true = as_outputs("AnchorFreeLoss", "landmarks", landmarks, shape, help)
        if not shape[1]:
            return jnp.zeros(found.shape[:2])
        true = jnp.take_along_axis(jax.lax.stop_gradient(true), assignment.truth[..., None, None], axis=1)
        own = assignment.foreground[..., None, None]
        difference = jnp.where(own, self._landmarks(found, cells), 0.0) - jnp.where(own, true, 0.0)
        side = jnp.sqrt(jnp.maximum(area(boxes), 1.0))
        return jnp.sum(jnp.abs(difference), axis=(2, 3)) / (self.points * side)
