"""Non-maximum suppression: of boxes that overlap, only the surest remains."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import (
    UncheckedFlags,
    UncheckedLabels,
    UncheckedNumbers,
    check_array,
    check_choice,
    check_count,
    check_finite_positive,
)
from likeness.research.geometry import greedy
from likeness.research.geometry.boxes import UncheckedBoxes, as_boxes
from likeness.research.geometry.detections import PaddedDetections
from likeness.research.geometry.greedy import Form, Share
from likeness.research.types import Array, Bool, Float, Int, Shaped

Method: TypeAlias = Literal["hard", "soft_linear", "soft_gaussian", "merge"]
"""What happens to a box that overlaps a surer one."""

_FEW = 512
"""So many boxes are picked one by one on a CPU, however many are wanted."""
_MATRIX = 1024
"""On accelerators, the most boxes that are compared each with each at once."""

__all__ = ["Method", "Selected", "Suppression"]


class Selected(NamedTuple):
    """The boxes that remain of each image, in k rows of which only the valid ones count, in falling order of score.

    A pytree.
    """

    indices: Int[Array, "*b k"]
    """Where each was among the boxes that were given; 0 in the other rows."""
    boxes: Float[Array, "*b k 4"]
    """``xyxy``. As they were given, but for merged ones."""
    scores: Float[Array, "*b k"]
    """As they were given, but for soft suppression, which makes them smaller."""
    valid: Bool[Array, "*b k"]

    def take(self, values: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """What belongs to the boxes that remain, such as their classes or landmarks; 0 in the other rows.

        Args:
            values: (…, n, …), one row for each box that was given.

        Returns:
            (…, k, …).
        """
        more = values.ndim - self.indices.ndim
        indices, valid = (jnp.expand_dims(each, tuple(range(-more, 0))) for each in (self.indices, self.valid))
        return jnp.where(valid, jnp.take_along_axis(values, indices, axis=self.indices.ndim - 1), jnp.zeros((), values.dtype))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suppression:
    """Greedy suppression: choose the box of the highest score, drop those that overlap it by more than a threshold, and repeat.

    A definition that is called on boxes and scores, under ``jit`` or not. The result has a fixed number of rows and a mask.
    Everything is float32 whatever the dtype of the boxes and scores.

    - *Which overlap is too much.* IoU is computed in float32. By default it is compared as torchvision does: dropped is what
      exceeds the threshold as a double, that is what exceeds the threshold rounded *down* to float32. So an IoU of exactly 1/5,
      which float32 rounds up, exceeds a threshold of 0.2, and an IoU of exactly 9/10, which it rounds down, does not exceed
      0.9. With ``inclusive``, dropped is what reaches the threshold, and both are rounded to the nearest float32, so that an
      IoU that equals the threshold always reaches it.
    - *Which score is enough.* One above ``score_threshold`` as float32: a score of 0.6 is not above 0.6.
    - *Order.* Of equal scores the first box counts as the surer. The result is in falling order of score.
    - *Classes.* Boxes of different classes do not compete. Their numbers are compared; boxes are not moved apart by an offset,
      which loses digits.
    - *What is no box.* One with a NaN, an infinite coordinate or reversed corners is never chosen, nor is a score of NaN or -∞.
      Reversed corners in a NumPy array are an error, since there they can be named. A box without area overlaps nothing.

    Gradients flow to the boxes and scores that were chosen as if the choice were fixed.

    Bodla et al., "Soft-NMS", ICCV 2017.

    Example:
        >>> boxes = jnp.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30]])
        >>> found = Suppression(max_detections=2)(boxes, jnp.array([0.8, 0.9, 0.3]))
        >>> print(found.boxes[found.valid])
        [[ 1.  0. 11. 10.]
         [20. 20. 30. 30.]]
    """

    iou_threshold: float = 0.5
    """Above which overlap boxes are taken for one object. Gaussian suppression does not use it."""
    score_threshold: float | None = None
    """What scores this or less is left out, also after soft suppression; None lets every finite score pass."""
    max_detections: int | None = 100
    """How many remain at most, and how many rows the result has; None for as many as there are boxes."""
    inclusive: bool = False
    """Drop what reaches the threshold, too."""
    class_agnostic: bool = False
    """Let boxes of all classes compete."""
    method: Method = "hard"
    """``hard`` drops a box; ``soft_linear`` multiplies its score by 1 - IoU where that is above the threshold, and
    ``soft_gaussian`` by exp(-IoU² / σ); ``merge`` enlarges the surer one to hold it."""
    sigma: float = 0.5
    """σ, of Gaussian suppression."""
    overlap: Share = "iou"
    """How overlap is measured. ``ios``, the intersection over the smaller, also finds boxes inside of others, as at seams
    of slices."""
    form: Form | Literal["auto"] = "auto"
    """How the choice is computed, which changes nothing but the time. ``auto`` takes what is quickest for the platform and the
    number of boxes. Soft suppression and merging know ``picks`` only."""

    def __post_init__(self) -> None:
        if not 0 <= self.iou_threshold <= 1:
            raise ValueError(
                f"Suppression(iou_threshold={self.iou_threshold!r}): iou_threshold must lie in [0, 1]. Give 0.5, say."
            )
        if self.score_threshold is not None and math.isnan(self.score_threshold):
            raise ValueError("Suppression(score_threshold=nan): no score is above NaN. Give None to let all pass.")
        if self.max_detections is not None:
            check_count("Suppression", "max_detections", self.max_detections)
        check_choice("Suppression", "method", self.method, Method)
        check_finite_positive("Suppression", "sigma", self.sigma)
        check_choice("Suppression", "overlap", self.overlap, Share)
        check_choice("Suppression", "form", self.form, Literal["auto", "picks", "rows", "tiles", "matrix"])
        if self.method != "hard" and self.form not in ("auto", "picks"):
            raise ValueError(
                f"Suppression(method={self.method!r}, form={self.form!r}): only hard suppression has this form. "
                "Give form='auto'."
            )

    @classmethod
    def course(cls) -> "Suppression":
        """The two thresholds of the course: discard what scores 0.6 or less, and drop what overlaps by 0.5 or more."""
        return cls(iou_threshold=0.5, score_threshold=0.6, inclusive=True)

    def __call__(
        self,
        boxes: UncheckedBoxes,
        scores: UncheckedNumbers,
        classes: UncheckedLabels | None = None,
        mask: UncheckedFlags | None = None,
    ) -> PaddedDetections:
        """The detections that remain.

        Args:
            boxes: (…, n, 4) in ``xyxy``; each leading index is an image.
            scores: (…, n).
            classes: (…, n), integers from 0 on; None if there is one class.
            mask: (…, n), False where there is no box; None if all rows hold one. What is masked may hold anything.

        Returns:
            min(max_detections, n) rows for each image.

        Raises:
            ValueError: the arrays are not of these shapes and kinds, or the corners of a box in a NumPy array are reversed.
        """
        kept = self.select(boxes, scores, classes, mask)
        numbers = jnp.zeros(kept.valid.shape, jnp.int32) if classes is None else kept.take(jnp.asarray(classes, jnp.int32))
        return PaddedDetections(kept.boxes, kept.scores, numbers, kept.valid)

    def select(
        self,
        boxes: UncheckedBoxes,
        scores: UncheckedNumbers,
        classes: UncheckedLabels | None = None,
        mask: UncheckedFlags | None = None,
    ) -> Selected:
        """As calling it, with the indices of the boxes that remain, by which landmarks or masks are found.

        Args:
            boxes: as in :meth:`__call__`.
            scores: likewise.
            classes: likewise.
            mask: likewise.
        """
        given = boxes if mask is None or isinstance(boxes, jax.Array) else np.where(np.asarray(mask)[..., None], boxes, 0.0)
        corners = as_boxes("Suppression", "boxes", given)
        if corners.ndim < 2:
            raise ValueError("Suppression: boxes must be numbers of shape (n, 4), and are one box. Give `boxes[None]`.")
        shape = corners.shape[:-1]
        check_array("Suppression", "scores", scores, shape, "numbers", "Give one for each box.")
        if classes is not None:
            check_array("Suppression", "classes", classes, shape, "integers", "Give one for each box.")
        if mask is not None:
            check_array("Suppression", "mask", mask, shape, "booleans", "Give one for each box.")
        numbers = None if classes is None or self.class_agnostic else jnp.asarray(classes, jnp.int32)
        there = None if mask is None else jnp.asarray(mask)
        return _suppress(self, corners, jnp.asarray(scores, jnp.float32), numbers, there)


def bound(threshold: float, *, inclusive: bool) -> np.float32:
    """The least IoU in float32 that is too much.

    Args:
        threshold: a double.
        inclusive: whether the threshold itself is too much.
    """
    nearest = np.float32(threshold)
    if inclusive:
        return nearest
    above = nearest if float(nearest) > threshold else np.nextafter(nearest, np.float32(np.inf))
    # Smaller numbers are 0 to a processor that flushes them, and 0 is no overlap.
    return max(above, np.finfo(np.float32).tiny)


@functools.partial(jax.jit, static_argnums=0)
def _suppress(
    how: Suppression,
    boxes: Float[Array, "*b n 4"],
    scores: Float[Array, "*b n"],
    classes: Int[Array, "*b n"] | None,
    mask: Bool[Array, "*b n"] | None,
) -> Selected:
    one = functools.partial(choose, how, bound(how.iou_threshold, inclusive=how.inclusive))
    for _ in range(scores.ndim - 1):
        one = jax.vmap(one)
    return one(boxes, scores, classes, mask)


def choose(
    how: Suppression,
    least_overlap: Float[Array, ""] | np.float32,
    boxes: Float[Array, "n 4"],
    scores: Float[Array, "n"],
    classes: Int[Array, "n"] | None,
    mask: Bool[Array, "n"] | None,
) -> Selected:
    """What remains of one image.

    Args:
        how: all but the threshold of overlap.
        least_overlap: what is too much, which may be traced.
        boxes: in ``xyxy``.
        scores: one for each.
        classes: one for each, or None where all compete.
        mask: which there are, or None if all.
    """
    least = jnp.float32(-jnp.inf if how.score_threshold is None else how.score_threshold)
    held, held_scores = jax.lax.stop_gradient((boxes, scores))
    count = len(scores) if how.max_detections is None else min(how.max_detections, len(scores))
    alive = jnp.all(jnp.isfinite(held), axis=-1) & jnp.all(held[:, 2:] >= held[:, :2], axis=-1) & (held_scores > least)
    alive = alive if mask is None else alive & mask
    held, held_scores = jnp.where(alive[:, None], held, 0.0), jnp.where(alive, held_scores, -jnp.inf)
    if not count:
        return Selected(jnp.zeros(0, jnp.int32), boxes[:0], scores[:0], alive)
    limit = jnp.asarray(least_overlap, jnp.float32)
    form = _form(how, len(scores), count)
    if form == "picks":
        columns = greedy.columns_of(held, classes)
        decay = _decay(how, limit)
        merge = how.method == "merge"
        picked = greedy.picks(columns, held_scores, least, limit, count, how.overlap, decay, hulls=merge)
        indices, valid = picked.indices, picked.valid
    else:
        order = jnp.argsort(-held_scores, stable=True)
        columns = greedy.columns_of(held[order], None if classes is None else classes[order])
        remain = {"rows": greedy.rows, "tiles": greedy.tiles, "matrix": greedy.matrix}[form]
        picked = None
        indices, valid = greedy.first(remain(columns, alive[order], limit, how.overlap), order, count)
    kept = Selected(indices, boxes, scores, valid)
    found, sure = kept.take(boxes), kept.take(scores)
    if picked is not None and how.method == "merge":
        found = picked.hulls
    elif picked is not None and how.method != "hard":
        sure = picked.scores
    return Selected(indices, found, sure, valid)


def _decay(how: Suppression, limit: Array) -> Callable[[Array], Array] | None:
    match how.method:
        case "soft_linear":
            return lambda overlap: jnp.where(overlap >= limit, 1.0 - overlap, 1.0)
        case "soft_gaussian":
            return lambda overlap: jnp.exp(-(overlap**2) / how.sigma)
        case _:
            return None


def _form(how: Suppression, size: int, count: int) -> Form:
    if how.form != "auto":
        return how.form
    if how.method != "hard":
        return "picks"
    if jax.default_backend() == "cpu":
        return "picks" if size <= _FEW or 8 * count <= size else "rows"
    return "matrix" if size <= _MATRIX else "tiles"
