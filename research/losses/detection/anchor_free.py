"""A detector without anchors: every point says how far the sides of a box are, and how likely each class is."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice, check_count, check_finite_nonnegative, check_members
from likeness.research.geometry.anchors import AnchorGrid, AnchorPyramid
from likeness.research.geometry.boxes import centers
from likeness.research.geometry.codecs import PointDistances
from likeness.research.geometry.dynamic_matching import TaskAligned
from likeness.research.geometry.matching import Assignment
from likeness.research.losses.detection.box_regression import OverlapLoss, OverlapTerm
from likeness.research.losses.detection.quality_focal import QualityFocalLoss
from likeness.research.losses.detection.terms import binary_cross_entropy, mean_over, total
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

    def __post_init__(self) -> None:
        check_count("AnchorFreeLoss", "classes", self.classes)
        check_choice("AnchorFreeLoss", "overlap", self.overlap, OverlapTerm)
        check_choice("AnchorFreeLoss", "score", self.score, ScoreTerm)
        check_members("AnchorFreeLoss", "matcher", self.matcher, DynamicMatcher, "TaskAligned() or SimOta()")
        for name in ("score_weight", "box_weight"):
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
    ) -> Scalar:
        """The loss of a batch.

        Args:
            outputs: for each level (b, rows, columns, 4 + K): left, top, right and bottom before ``softplus``, and a logit for
                each class.
            boxes: (b, m, 4), the objects, ``xyxy`` in pixels.
            classes: (b, m), from 0 to K - 1.
            mask: (b, m), which rows are objects; what the others hold does not matter.

        Raises:
            ValueError: another shape or dtype; a box without area or an unknown class in NumPy arrays.
        """
        return self.value_and_diagnostics(outputs, boxes, classes, mask)[0]

    def value_and_diagnostics(
        self,
        outputs: Sequence[Shaped[AnyArray, "..."]],
        boxes: Shaped[AnyArray, "..."],
        classes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value, and its parts ``score_loss`` and ``box_loss`` before they are weighted, the numbers of ``objects``, of
            ``foreground`` points and of objects ``missed``, and the ``mean_quality`` of foreground points.
        """
        maps, found = self._as_outputs(outputs)
        truth = as_batch("AnchorFreeLoss", boxes, classes, mask, len(found), self.classes)
        cells = self._cells(maps)
        predicted, logits = self._decoded(found, cells), found[..., 4:]
        points, stride = centers(cells), cells[:, 2] - cells[:, 0]
        assignment = matched(lambda *each: self.matcher(points, stride, *each), predicted, logits, *truth)
        quality = assignment.quality
        target = quality[..., None] * one_hot(assigned_classes(assignment, truth), self.classes)
        cost = QualityFocalLoss() if self.score == "quality_focal" else binary_cross_entropy
        scores = cost(logits, target)
        true = assigned_boxes(assignment, truth, cells)
        apart = OverlapLoss(overlap=self.overlap)(predicted, true, assignment.foreground)
        weight = jnp.sum(quality)
        parts = {"score": mean_over(scores, weight), "box": mean_over(quality * apart, weight)}
        named = {f"{name}_loss": value for name, value in parts.items()} | counts(assignment, truth)
        named["mean_quality"] = mean_over(quality, named["foreground"])
        value = total(parts, {"score": self.score_weight, "box": self.box_weight})
        return value, jax.lax.stop_gradient(named)

    def boxes(self, outputs: Sequence[Shaped[AnyArray, "..."]]) -> Float[Array, "b n 4"]:
        """The boxes that outputs say, ``xyxy`` in pixels, point by point, level after level.

        Args:
            outputs: for each level (b, rows, columns, 4 + K).
        """
        maps, found = self._as_outputs(outputs)
        return self._decoded(found, self._cells(maps))

    def scores(self, outputs: Sequence[Shaped[AnyArray, "..."]]) -> Float[Array, "b n K"]:
        """The probability of each class at each point.

        Args:
            outputs: for each level (b, rows, columns, 4 + K).
        """
        return jax.nn.sigmoid(self._as_outputs(outputs)[1][..., 4:])

    def _as_outputs(self, outputs: Sequence[AnyArray]) -> tuple[list[tuple[int, int]], Float[Array, "b n f"]]:
        axes = [(4 + self.classes,)] * len(self.strides)
        return as_levels("AnchorFreeLoss", outputs, axes, "Give 4 + K numbers for each point.")

    def _cells(self, maps: Sequence[tuple[int, int]]) -> Float[Array, "n 4"]:
        grids = [AnchorGrid(shapes=((float(s), float(s)),), stride=s) for s in self.strides]
        return jnp.asarray(AnchorPyramid(levels=tuple(grids))(maps))

    def _decoded(self, found: Float[Array, "b n f"], cells: Float[Array, "n 4"]) -> Float[Array, "b n 4"]:
        return jnp.asarray(PointDistances().decode(jax.nn.softplus(found[..., :4]), cells))
