"""Matching: for which object each anchor, cell or point of a network answers in training.

What a matcher is given has fixed shapes: the n places of the network, and the truth of one image in m rows of which the mask
says which count. What it returns has fixed shapes as well, so it runs in jitted code; ``jax.vmap`` makes it one for a batch.

A row of the truth whose box has no area or is not finite stands for no object. In NumPy arrays, whose values are known, it is
refused; in JAX arrays no place answers for it, and it counts as missed.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_array
from likeness.research.geometry.boxes import as_boxes, is_degenerate
from likeness.research.geometry.iou import pairwise
from likeness.research.types import AnyArray, Array, Bool, Float, Int, Shaped

__all__ = ["Assignment", "MaxIou", "as_truth"]


class Assignment(NamedTuple):
    """For which row of the truth each of the n places of a network answers. A pytree."""

    foreground: Bool[Array, "*b n"]
    """Whether it answers for an object."""
    ignored: Bool[Array, "*b n"]
    """Whether it is neither foreground nor background, and learns nothing."""
    truth: Int[Array, "*b n"]
    """For which row; 0 where it is no foreground."""
    quality: Float[Array, "*b n"]
    """How well it fits that row, from 0 to 1, as the matcher measures it; 0 where it is no foreground."""
    missed: Bool[Array, "*b m"]
    """Rows that count, and for which no place answers."""

    @property
    def background(self) -> Bool[AnyArray, "*b n"]:
        """Whether it answers that nothing is there."""
        return ~(self.foreground | self.ignored)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaxIou:
    """Each anchor answers for the object that it overlaps most, if that is enough.

    With u the highest IoU of an anchor with any object, it is foreground if u ≥ ``high``, background if u < ``low``, and
    ignored between them. Equal thresholds ignore nothing. Without an object every anchor is background. This is Detectron2's
    matcher.

    With ``allow_low_quality_matches``, the anchors of highest IoU with an object are foreground too, however low that is and
    all of them if several are equal. Such an anchor still answers for the object that it overlaps most itself, which may be
    another
    one, and then the first object is missed. An object that no anchor overlaps makes no foreground, where Detectron2 would
    take every anchor of the image.

    Ren et al., "Faster R-CNN", 2015, for which ``low=0.3, high=0.7`` propose regions and ``low=high=0.5`` classify them.

    Example:
        >>> import jax.numpy as jnp
        >>> anchors = jnp.array([[0.0, 0.0, 10.0, 10.0], [2.0, 0.0, 12.0, 10.0], [6.0, 0.0, 16.0, 10.0]])
        >>> boxes, mask = jnp.array([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 0.0, 0.0]]), jnp.array([True, False])
        >>> found = MaxIou(low=0.3, high=0.7)(anchors, boxes, mask)
        >>> print(found.foreground, found.ignored)
        [ True False False] [False  True False]
    """

    low: float = 0.3
    """Below this IoU an anchor is background."""

    high: float = 0.7
    """From this IoU on it is foreground."""

    allow_low_quality_matches: bool = False
    """Whether the best anchors of each object are foreground in any case. For region proposals, not for a second stage."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.high <= 1.0:
            raise ValueError(
                f"MaxIou(low={self.low}, high={self.high}): these are IoUs, from 0 to 1, and low must not be above high. Give "
                "low=0.3, high=0.7, say."
            )

    def __call__(
        self, anchors: Shaped[AnyArray, "..."], boxes: Shaped[AnyArray, "..."], mask: Shaped[AnyArray, "..."]
    ) -> Assignment:
        """The truth of one image, anchor by anchor.

        Args:
            anchors: (n, 4), ``xyxy``.
            boxes: (m, 4), the objects, ``xyxy``.
            mask: (m,), which rows are objects; what the others hold does not matter.

        Returns:
            The quality is the IoU.

        Raises:
            ValueError: another shape or dtype; a box without area in a NumPy array.
        """
        check_array("MaxIou", "anchors", anchors, ("n", 4), help="Match the anchors of one image; jax.vmap makes it a batch.")
        boxes, valid, mask = as_truth("MaxIou", boxes, mask)
        anchors = jax.lax.stop_gradient(as_boxes("MaxIou", "anchors", anchors))
        if not boxes.shape[0] or not anchors.shape[0]:
            return nothing_assigned(anchors.shape[0], mask)
        overlap = jnp.where(valid, pairwise(anchors, boxes), -1.0)
        best, truth = jnp.max(overlap, axis=1), jnp.argmax(overlap, axis=1).astype(jnp.int32)
        foreground = best >= self.high
        # What is not a number is no background, and neither trained nor compared.
        ignored = ~foreground & ~(best < self.low)
        if self.allow_low_quality_matches:
            highest = jnp.max(overlap, axis=0)
            of_an_object = jnp.any((overlap == highest) & (highest > 0), axis=1)
            foreground, ignored = foreground | of_an_object, ignored & ~of_an_object
        # An IoU of 0 satisfies high=0, but without an object there is none.
        foreground &= best >= 0
        return assignment_of(foreground, truth, best, mask, ignored)


def as_truth(
    owner: str, boxes: Shaped[AnyArray, "..."], mask: Shaped[AnyArray, "..."]
) -> tuple[Float[Array, "m 4"], Bool[Array, "m"], Bool[Array, "m"]]:
    """The objects of one image, safe to compute with.

    Args:
        owner: who asks.
        boxes: (m, 4).
        mask: (m,), which rows count.

    Returns:
        The boxes, where rows that are no objects are 0 whatever they held; which rows are objects: they count and have an area;
        and the mask.

    Raises:
        ValueError: another shape or dtype; a row of a NumPy array counts and has no area, reversed corners or a coordinate that
            is not finite.
    """
    check_array(owner, "boxes", boxes, ("m", 4), help="Give one box xyxy for each row of the truth.")
    check_array(owner, "mask", mask, (boxes.shape[0],), "booleans", help="Say for each row of the truth whether it counts.")
    if isinstance(boxes, np.ndarray) and isinstance(mask, np.ndarray):
        wrong = np.flatnonzero(is_degenerate(boxes) & mask)
        if len(wrong):
            raise ValueError(
                f"{owner}: boxes number {wrong[0]} is {boxes[wrong[0]].tolist()}, which has no area, and the mask says that "
                "it is an object. Leave it out of the mask; an image without objects has a mask without any True."
            )
    given, counted = jax.lax.stop_gradient(jnp.asarray(boxes, jnp.float32)), jnp.asarray(mask)
    valid = counted & ~jnp.asarray(is_degenerate(given))
    return jnp.where(valid[:, None], given, 0.0), valid, counted


def assignment_of(
    foreground: Bool[Array, "n"],
    truth: Int[Array, "n"],
    quality: Float[Array, "n"],
    mask: Bool[Array, "m"],
    ignored: Bool[Array, "n"] | None = None,
) -> Assignment:
    """What a matcher returns, where nothing but foreground has a row or a quality."""
    rows = mask.shape[0]
    answered = jnp.zeros(rows, bool).at[jnp.where(foreground, truth, rows)].set(True, mode="drop")
    return Assignment(
        foreground=foreground,
        ignored=jnp.zeros_like(foreground) if ignored is None else ignored,
        truth=jnp.where(foreground, truth, 0).astype(jnp.int32),
        quality=jnp.where(foreground, quality, 0.0).astype(jnp.float32),
        missed=mask & ~answered,
    )


def nothing_assigned(places: int, mask: Bool[Array, "m"]) -> Assignment:
    """Where there are no objects, or no places."""
    return assignment_of(jnp.zeros(places, bool), jnp.zeros(places, jnp.int32), jnp.zeros(places), mask)
