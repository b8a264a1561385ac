"""The course's YOLO: the squared error of localization in every cell of a grid and for every anchor."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_array, check_choice, check_count, check_finite_nonnegative
from likeness.research.geometry.anchors import AnchorGrid
from likeness.research.geometry.codecs import CellRelative
from likeness.research.geometry.ignored import places_on
from likeness.research.geometry.matching import Assignment
from likeness.research.geometry.midpoint_cells import CellCollision, CellPrecedence, MidpointCell
from likeness.research.losses.detection.terms import as_outputs, mean_over, squared_error, total
from likeness.research.losses.detection.truth import (
    Truth,
    as_batch,
    assigned_boxes,
    assigned_classes,
    counts,
    matched,
    one_hot,
)
from likeness.research.types import AnyArray, Array, Bool, Float, Scalar, Shaped


@dataclasses.dataclass(frozen=True, kw_only=True)
class CourseYoloLoss:
    """In each of n × n cells and for each of A anchors ``Σ_i (ŷ_i - y_i)²`` if ``p_c = 1``, and ``(ŷ_1 - y_1)²`` if ``p_c =
    0``.

    y is ``[p_c, b_x, b_y, b_h, b_w, c_1 … c_K]``: an object belongs to the cell of its midpoint and there to the anchor of the
    highest IoU with its shape; b_x and b_y are from 0 to 1 in the cell, and b_h and b_w are in cells and may exceed 1. The
    value is the sum over places, weighted part by part, as a mean over images. Weights of 1 are the course's plain formula.

    - An image without objects, and a batch of only padding, cost what their p_c costs.
    - An object that has no place, because it collides with another or has no area, counts as ``missed`` in the diagnostics.
    """

    anchors: AnchorGrid
    """The shapes of the A anchors in pixels, and the side of a cell as the stride."""

    classes: int
    """K."""

    object_weight: float = 1.0
    """Of p_c where there is an object."""

    background_weight: float = 1.0
    """Of p_c where there is none."""

    box_weight: float = 1.0
    """Of the four numbers of the box."""

    class_weight: float = 1.0
    """Of the classes."""

    precedence: CellPrecedence = "first"
    """Which of several objects has a place, see :class:`~likeness.research.geometry.midpoint_cells.MidpointCell`."""

    collision: CellCollision = "drop"
    """What becomes of the others."""

    def __post_init__(self) -> None:
        check_count("CourseYoloLoss", "classes", self.classes)
        for name in ("object_weight", "background_weight", "box_weight", "class_weight"):
            check_finite_nonnegative("CourseYoloLoss", name, getattr(self, name))
        check_choice("CourseYoloLoss", "precedence", self.precedence, CellPrecedence)
        check_choice("CourseYoloLoss", "collision", self.collision, CellCollision)
        # These check the anchors.
        self._matcher()

    def __call__(
        self,
        outputs: Shaped[AnyArray, "..."],
        boxes: Shaped[AnyArray, "..."],
        classes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
        ignored: Shaped[AnyArray, "..."] | None = None,
    ) -> Scalar:
        """The loss of a batch.

        Args:
            outputs: ŷ, (b, rows, columns, A, 5 + K).
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
        outputs: Shaped[AnyArray, "..."],
        boxes: Shaped[AnyArray, "..."],
        classes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
        ignored: Shaped[AnyArray, "..."] | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value, and its parts ``object_loss``, ``background_loss``, ``box_loss`` and ``class_loss`` before they are
            weighted, and the numbers of ``objects``, of ``foreground`` places and of objects ``missed``.
        """
        found = self._as_outputs(outputs)
        images, rows, columns = found.shape[:3]
        truth = as_batch("CourseYoloLoss", boxes, classes, mask, images, self.classes, ignored)
        assignment = self._assigned(truth, rows, columns)
        on_ignored = places_on(truth.ignored, self._cells(rows, columns).reshape(-1, 4))
        value, parts = self._cost(found, self._encoded(truth, assignment, rows, columns), on_ignored)
        return value, jax.lax.stop_gradient(parts | counts(assignment, truth))

    def of_targets(self, outputs: Shaped[AnyArray, "..."], targets: Shaped[AnyArray, "..."]) -> Scalar:
        """The loss of a batch whose targets are given as a tensor.

        Args:
            outputs: ŷ, (b, rows, columns, A, 5 + K).
            targets: y, of the same shape. What they hold beside a p_c of 0 does not matter.

        Raises:
            ValueError: another shape or dtype.
        """
        found = self._as_outputs(outputs)
        target = as_outputs("CourseYoloLoss", "targets", targets, found.shape, "Give [p_c, b_x, b_y, b_h, b_w, c_1 …].")
        return self._cost(found, jax.lax.stop_gradient(target))[0]

    def targets(
        self,
        boxes: Shaped[AnyArray, "..."],
        classes: Shaped[AnyArray, "..."],
        mask: Shaped[AnyArray, "..."],
        rows: int,
        columns: int,
    ) -> Float[Array, "b rows columns A n"]:
        """The tensor y, 0 where it is undefined.

        Args:
            boxes: (b, m, 4), the objects, ``xyxy`` in pixels.
            classes: (b, m).
            mask: (b, m).
            rows: of cells.
            columns: of cells.

        Raises:
            ValueError: another shape or dtype; a box without area or an unknown class in NumPy arrays.
        """
        check_array("CourseYoloLoss", "boxes", boxes, ("b", "m", 4))
        truth = as_batch("CourseYoloLoss", boxes, classes, mask, boxes.shape[0], self.classes)
        return self._encoded(truth, self._assigned(truth, rows, columns), rows, columns)

    def boxes(self, outputs: Shaped[AnyArray, "..."]) -> Float[Array, "b n 4"]:
        """The boxes that outputs say, ``xyxy`` in pixels, place by place.

        Args:
            outputs: (b, rows, columns, A, 5 + K).
        """
        found = self._as_outputs(outputs)
        images, rows, columns, anchors, _ = found.shape
        decoded = CellRelative().decode(found[..., 1:5], self._cells(rows, columns))
        return jnp.asarray(decoded).reshape(images, rows * columns * anchors, 4)

    def _matcher(self) -> MidpointCell:
        return MidpointCell(levels=(self.anchors,), precedence=self.precedence, collision=self.collision)

    def _cells(self, rows: int, columns: int) -> Float[Array, "rows columns 1 4"]:
        side = float(self.anchors.stride)
        return jnp.asarray(AnchorGrid(shapes=((side, side),), stride=self.anchors.stride)(rows, columns))

    def _as_outputs(self, outputs: AnyArray) -> Float[Array, "b rows columns A n"]:
        shape = ("b", "rows", "columns", len(self.anchors.shapes), 5 + self.classes)
        return as_outputs("CourseYoloLoss", "outputs", outputs, shape, "Give 5 + K numbers for each anchor of each cell.")

    def _assigned(self, truth: Truth, rows: int, columns: int) -> Assignment:
        return matched(lambda boxes, mask: self._matcher()([(rows, columns)], boxes, mask), truth.boxes, truth.mask)

    def _encoded(self, truth: Truth, assignment: Assignment, rows: int, columns: int) -> Float[Array, "b rows columns A n"]:
        images, anchors = truth.boxes.shape[0], len(self.anchors.shapes)
        cells = jnp.broadcast_to(self._cells(rows, columns), (rows, columns, anchors, 4)).reshape(-1, 4)
        boxes = CellRelative().encode(assigned_boxes(assignment, truth, cells), cells)
        classes = one_hot(assigned_classes(assignment, truth), self.classes)
        present = assignment.foreground[..., None]
        vector = [present.astype(jnp.float32), jnp.where(present, jnp.concatenate([boxes, classes], axis=-1), 0.0)]
        return jnp.concatenate(vector, axis=-1).reshape(images, rows, columns, anchors, 5 + self.classes)

    def _cost(
        self, found: Array, target: Array, on_ignored: Bool[Array, "b n"] | None = None
    ) -> tuple[Scalar, dict[str, Scalar]]:
        present = target[..., 0] > 0.5
        found_one, target_one = found[..., 0], target[..., 0]
        counted = jnp.ones_like(present) if on_ignored is None else present | ~on_ignored.reshape(*present.shape[:3], 1)
        one = squared_error(found_one, target_one, counted)
        rest = squared_error(found[..., 1:], target[..., 1:], present[..., None])
        images = len(found)
        parts = {
            "object": mean_over(jnp.where(present, one, 0.0), images),
            "background": mean_over(jnp.where(present, 0.0, one), images),
            "box": mean_over(rest[..., :4], images),
            "class": mean_over(rest[..., 4:], images),
        }
        weights = {
            "object": self.object_weight,
            "background": self.background_weight,
            "box": self.box_weight,
            "class": self.class_weight,
        }
        return total(parts, weights), {f"{name}_loss": value for name, value in parts.items()}
