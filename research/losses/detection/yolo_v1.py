"""The first YOLO: B boxes a cell, of which the best one learns, and one class a cell."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice, check_count, check_finite_nonnegative
from likeness.research.geometry.anchors import AnchorGrid
from likeness.research.geometry.codecs import YoloV1
from likeness.research.geometry.ignored import places_on
from likeness.research.geometry.iou import iou
from likeness.research.geometry.midpoint_cells import CellPrecedence, MidpointCell
from likeness.research.losses.detection.terms import as_outputs, mean_over, squared_error, total
from likeness.research.losses.detection.truth import as_batch, assigned_boxes, assigned_classes, counts, matched, one_hot
from likeness.research.types import AnyArray, Array, Float, Scalar, Shaped


@dataclasses.dataclass(frozen=True, kw_only=True)
class YoloV1Loss:
    """Sum-squared error of one object a cell at most:

        λ_coord Σ_obj [(x̂ - x)² + (ŷ - y)² + (√ŵ - √w)² + (√ĥ - √h)²] + Σ_obj (Ĉ - C)²
        + λ_noobj Σ_noobj Ĉ² + Σ_cells with an object Σ_c (p̂_c - p_c)²

    as a mean over images. An object belongs to the cell of its midpoint. Of the B boxes that the cell predicts the one of the
    highest IoU with the object learns it, the first of equal ones; C is that IoU, taken for a constant. All other boxes of the
    image are ``noobj``. x and y are from 0 to 1 in the cell; the network predicts the roots of width and height as shares of
    the image (:class:`~likeness.research.geometry.codecs.YoloV1`).

    Redmon et al., "You only look once: unified, real-time object detection", CVPR 2016.
    """

    stride: int
    """Side of a cell in pixels."""

    classes: int
    """Number of classes."""

    predictors: int = 2
    """B, boxes a cell."""

    coordinate_weight: float = 5.0
    """λ_coord."""

    background_weight: float = 0.5
    """λ_noobj."""

    precedence: CellPrecedence = "first"
    """Which of several objects has a cell."""

    def __post_init__(self) -> None:
        for name in ("stride", "classes", "predictors"):
            check_count("YoloV1Loss", name, getattr(self, name))
        for name in ("coordinate_weight", "background_weight"):
            check_finite_nonnegative("YoloV1Loss", name, getattr(self, name))
        check_choice("YoloV1Loss", "precedence", self.precedence, CellPrecedence)

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
            outputs: (b, rows, columns, 5 B + K): for each of B boxes ``[C, x, y, √w, √h]``, then the classes.
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
            weighted, and the numbers of ``objects``, of ``foreground`` cells and of objects ``missed``.
        """
        found, scores = self._as_outputs(outputs)
        images, rows, columns = found.shape[:3]
        truth = as_batch("YoloV1Loss", boxes, classes, mask, images, self.classes, ignored)
        assignment = matched(lambda own, real: self._matcher()([(rows, columns)], own, real), truth.boxes, truth.mask)
        cells = self._cells(rows, columns).reshape(-1, 4)
        codec = self._codec(rows, columns)
        true = assigned_boxes(assignment, truth, cells)
        present = jnp.asarray(assignment.foreground)[..., None]
        found = found.reshape(images, rows * columns, self.predictors, 5)
        decoded = jnp.asarray(codec.decode(jax.lax.stop_gradient(found[..., 1:]), cells[:, None]))
        overlap = jnp.where(present, iou(decoded, true[:, :, None]), 0.0)
        own = present & (jnp.arange(self.predictors) == jnp.argmax(overlap, axis=-1)[..., None])
        target = jnp.broadcast_to(jnp.asarray(codec.encode(true, cells))[:, :, None], found[..., 1:].shape)
        on_ignored = places_on(truth.ignored, cells)
        counted = jnp.ones_like(own) if on_ignored is None else own | ~on_ignored[..., None]
        confidence = squared_error(found[..., 0], jnp.where(own, overlap, 0.0), counted)
        wanted = one_hot(assigned_classes(assignment, truth), self.classes)
        scores = scores.reshape(images, rows * columns, self.classes)
        parts = {
            "object": mean_over(jnp.where(own, confidence, 0.0), images),
            "background": mean_over(jnp.where(own, 0.0, confidence), images),
            "box": mean_over(squared_error(found[..., 1:], target, own[..., None]), images),
            "class": mean_over(squared_error(scores, wanted, present), images),
        }
        weights = {"object": 1.0, "background": self.background_weight, "box": self.coordinate_weight, "class": 1.0}
        named = {f"{name}_loss": value for name, value in parts.items()}
        return total(parts, weights), jax.lax.stop_gradient(named | counts(assignment, truth))

    def boxes(self, outputs: Shaped[AnyArray, "..."]) -> Float[Array, "b n 4"]:
        """The boxes that outputs say, ``xyxy`` in pixels, cell by cell and predictor by predictor.

        Args:
            outputs: (b, rows, columns, 5 B + K).
        """
        found, _ = self._as_outputs(outputs)
        images, rows, columns = found.shape[:3]
        decoded = self._codec(rows, columns).decode(found[..., 1:], self._cells(rows, columns))
        return jnp.asarray(decoded).reshape(images, rows * columns * self.predictors, 4)

    def _matcher(self) -> MidpointCell:
        side = float(self.stride)
        return MidpointCell(levels=(AnchorGrid(shapes=((side, side),), stride=self.stride),), precedence=self.precedence)

    def _cells(self, rows: int, columns: int) -> Float[Array, "rows columns 1 4"]:
        return jnp.asarray(self._matcher().levels[0](rows, columns))

    def _codec(self, rows: int, columns: int) -> YoloV1:
        return YoloV1(width=columns * self.stride, height=rows * self.stride)

    def _as_outputs(self, outputs: AnyArray) -> tuple[Float[Array, "b rows columns B 5"], Float[Array, "b rows columns K"]]:
        shape = ("b", "rows", "columns", 5 * self.predictors + self.classes)
        found = as_outputs("YoloV1Loss", "outputs", outputs, shape, "Give 5 B + K numbers for each cell.")
        boxes, scores = found[..., : 5 * self.predictors], found[..., 5 * self.predictors :]
        return boxes.reshape(*found.shape[:3], self.predictors, 5), scores
