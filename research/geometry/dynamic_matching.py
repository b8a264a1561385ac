"""Dynamic matching: which points answer for an object depends on what the network predicts there.

A point may answer for an object if it lies in its box. An object smaller than the distance between points may hold none: the
point whose cell holds its midpoint may answer for it in any case.
"""

import abc
import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import (
    as_labels,
    check_array,
    check_count,
    check_finite_nonnegative,
    check_finite_positive,
)
from likeness.research.geometry.boxes import as_boxes, centers
from likeness.research.geometry.iou import pairwise
from likeness.research.geometry.matching import Assignment, as_truth, assignment_of, nothing_assigned
from likeness.research.types import AnyArray, Array, Bool, Float, Int, Shaped

_TINY = 1e-9
_BEYOND = 1e4
"""Above what any point costs, and small enough that float32 still tells costs apart that it is added to."""

__all__ = ["SimOta", "TaskAligned"]


class _Matcher(abc.ABC):
    """What both matchers are called with. Whether there is anything to match is asked here, and how it is matched there."""

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
        """The truth of one image, point by point.

        Args:
            points: (n, 2), x and y in pixels, the middles of cells.
            stride: (n,), the side of each cell.
            predicted: (n, 4), the box that each point predicts, ``xyxy``.
            logits: (n, K), a score for each class, whose sigmoid is its probability.
            boxes: (m, 4), the objects, ``xyxy``.
            classes: (m,), the class of each, from 0 to K - 1.
            mask: (m,), which rows are objects; what the others hold does not matter.

        Returns:
            No derivative flows through it.

        Raises:
            ValueError: another shape or dtype; a box without area in a NumPy array.
        """
        given = _Given.of(type(self).__name__, points, stride, predicted, logits, boxes, classes, mask)
        if not len(given.boxes) or not len(given.points):
            return nothing_assigned(len(given.points), given.mask)
        return self._matched(given)

    @abc.abstractmethod
    def _matched(self, given: "_Given") -> Assignment:
        """The points that answer, where there are points and rows for objects."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskAligned(_Matcher):
    """The points answer for an object at which classification and box agree best.

    With s the probability that a point gives the object's class and u the IoU of its box, it has the alignment

        t = s^α u^β,

    and of the points that may answer for an object the ``top`` of highest t do. One that several objects want goes to the
    object of highest IoU. The quality, which the class probability is trained towards, is t scaled so that an object's best
    point has the quality of the highest IoU that any of its points has: ``t / max t · max u``.

    Feng et al., "TOOD: task-aligned one-stage object detection", ICCV 2021.
    """

    top: int = 13
    """Points that answer for one object, at most."""

    alpha: float = 1.0
    """α, the exponent of the probability."""

    beta: float = 6.0
    """β, the exponent of the IoU."""

    def __post_init__(self) -> None:
        check_count("TaskAligned", "top", self.top)
        check_finite_nonnegative("TaskAligned", "alpha", self.alpha)
        check_finite_positive("TaskAligned", "beta", self.beta)

    def _matched(self, given: "_Given") -> Assignment:
        own = jnp.take(given.log_probabilities, given.classes, axis=1, mode="clip").T
        # Sums of logarithms, as u⁶ of a box that is far off would be 0 in float32.
        alignment = self.alpha * own + self.beta * jnp.log(jnp.maximum(given.overlap, _TINY))
        chosen = _highest(jnp.where(given.allowed, alignment, -jnp.inf), self.top)
        foreground, truth = _one_each(chosen, given.overlap)
        mine = chosen & (truth == jnp.arange(len(given.boxes))[:, None]) & foreground
        # Relative to the best point of the object.
        best = jnp.max(jnp.where(mine, alignment, -jnp.inf), axis=1, keepdims=True)
        highest = jnp.max(jnp.where(mine, given.overlap, 0.0), axis=1, keepdims=True)
        relative = jnp.where(mine, jnp.exp(jnp.where(mine, alignment - jnp.where(jnp.isfinite(best), best, 0.0), 0.0)), 0.0)
        return assignment_of(foreground, truth, jnp.sum(relative * highest, axis=0), given.mask)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimOta(_Matcher):
    """The points answer for an object at which its loss is least, the more of them the more boxes fit.

    With p the probabilities that a point gives to the classes, y the object's class as a one-hot row and u the IoU of the
    predicted box, a point costs

        BCE(√p, y) - λ log u

    and beyond all that if it does not lie both in the object's box and within ``radius`` strides of its center. Points in
    either may answer. Of these as many do as the sum of the ``candidates`` highest IoUs says, rounded down, and at least one:
    those that cost least. A point that several objects want goes to the one for which it costs least. The quality is the IoU.

    Ge et al., "YOLOX: exceeding YOLO series in 2021".
    """

    candidates: int = 10
    """Points whose IoUs are added up to say how many answer for an object."""

    radius: float = 2.5
    """In strides, from an object's center along each axis."""

    box_weight: float = 3.0
    """λ."""

    def __post_init__(self) -> None:
        check_count("SimOta", "candidates", self.candidates)
        check_finite_positive("SimOta", "radius", self.radius)
        check_finite_nonnegative("SimOta", "box_weight", self.box_weight)

    def _matched(self, given: "_Given") -> Assignment:
        away = jnp.abs(given.points - centers(given.boxes)[:, None])
        central = jnp.all(away < self.radius * given.stride[:, None], axis=-1) & given.valid[:, None]
        allowed = given.allowed | central
        # log √p, and log(1 - √p), which is finite for p = 1 in none of its forms but this one.
        log_root = given.log_probabilities / 2
        log_rest = jnp.log(jnp.maximum(-jnp.expm1(log_root), _TINY))
        own, own_rest = (jnp.take(each, given.classes, axis=1, mode="clip").T for each in (log_root, log_rest))
        classification = own_rest - own - jnp.sum(log_rest, axis=1)
        cost = classification - self.box_weight * jnp.log(given.overlap + 1e-8)
        cost = cost + jnp.where(given.inside & central, 0.0, _BEYOND)
        overlap = jnp.where(allowed, given.overlap, 0.0)
        most = min(self.candidates, len(given.points))
        wanted = jnp.maximum(jnp.floor(jnp.sum(jax.lax.top_k(overlap, most)[0], axis=1)), 1.0)
        chosen = _highest(jnp.where(allowed, -cost, -jnp.inf), most, wanted)
        foreground, truth = _one_each(chosen, -cost)
        quality = jnp.take_along_axis(given.overlap, truth[None], axis=0)[0]
        return assignment_of(foreground, truth, quality, given.mask)


@dataclasses.dataclass(frozen=True)
class _Given:
    """What both compare, without derivatives and with rows that are no objects made harmless."""

    points: Float[Array, "n 2"]
    stride: Float[Array, "n"]
    boxes: Float[Array, "m 4"]
    classes: Int[Array, "m"]
    valid: Bool[Array, "m"]
    mask: Bool[Array, "m"]
    log_probabilities: Float[Array, "n K"]
    overlap: Float[Array, "m n"]
    inside: Bool[Array, "m n"]
    allowed: Bool[Array, "m n"]

    @classmethod
    def of(
        cls,
        owner: str,
        points: AnyArray,
        stride: AnyArray,
        predicted: AnyArray,
        logits: AnyArray,
        boxes: AnyArray,
        classes: AnyArray,
        mask: AnyArray,
    ) -> "_Given":
        check_array(owner, "points", points, ("n", 2), help="Give x and y of each point.")
        count = points.shape[0]
        check_array(owner, "stride", stride, (count,), help="Give the side of the cell of each point.")
        check_array(owner, "predicted", predicted, (count, 4), help="Give the box that each point predicts.")
        check_array(owner, "logits", logits, (count, "K"), help="Give a score for each class at each point.")
        boxes, valid, mask = as_truth(owner, boxes, mask)
        classes = as_labels(owner, classes, boxes.shape[0], "boxes")
        points, stride, logits = (jax.lax.stop_gradient(jnp.asarray(each, jnp.float32)) for each in (points, stride, logits))
        predicted = jax.lax.stop_gradient(as_boxes(owner, "predicted", predicted))
        # A network that has diverged must not choose: what is not a number overlaps nothing.
        overlap = jnp.nan_to_num(pairwise(boxes, predicted), nan=0.0)
        low, high = points - boxes[:, None, :2], boxes[:, None, 2:] - points
        inside = jnp.all((low > 0) & (high > 0), axis=-1) & valid[:, None]
        away = jnp.abs(points - centers(boxes)[:, None]) * 2
        nearest = jnp.all(away <= stride[:, None], axis=-1) & valid[:, None]
        return cls(
            points=points,
            stride=stride,
            boxes=boxes,
            classes=classes,
            valid=valid,
            mask=mask,
            log_probabilities=jax.nn.log_sigmoid(jnp.nan_to_num(logits)),
            overlap=overlap,
            inside=inside,
            allowed=inside | nearest,
        )


def _highest(values: Float[Array, "m n"], most: int, wanted: Float[Array, "m"] | None = None) -> Bool[Array, "m n"]:
    """Marks in each row the highest values that are not -∞: ``most`` of them, or as many of these as wanted."""
    rows, columns = values.shape
    found, places = jax.lax.top_k(values, min(most, columns))
    kept = found > -jnp.inf
    if wanted is not None:
        kept &= jnp.arange(found.shape[1]) < wanted[:, None]
    places = jnp.where(kept, places, columns)
    marks = jnp.zeros((rows, columns), bool)
    return marks.at[jnp.arange(rows)[:, None], places].set(True, mode="drop")


def _one_each(chosen: Bool[Array, "m n"], preference: Float[Array, "m n"]) -> tuple[Bool[Array, "n"], Int[Array, "n"]]:
    """Whether a point was chosen, and by which row; of several by the one of highest preference."""
    truth = jnp.argmax(jnp.where(chosen, preference, -jnp.inf), axis=0).astype(jnp.int32)
    return jnp.any(chosen, axis=0), truth
