"""Localization as a head: one object of an image, whether it is there, its box, its class, and perhaps its landmarks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice, check_finite_nonnegative
from likeness.research.detectors.heads import Objects, landmarks_of
from likeness.research.detectors.protocol import Candidates
from likeness.research.encoders.detection_heads import Vote, VoteHead, WholeHead
from likeness.research.geometry.codecs import ImageRelative
from likeness.research.geometry.placement import Size
from likeness.research.losses.detection.landmarks import LandmarkLoss
from likeness.research.losses.detection.localization import (
    CourseLocalizationLoss,
    LogisticLocalizationLoss,
    localization_targets,
)
from likeness.research.types import AnyArray, Array, Bool, Float, Scalar

Reading: TypeAlias = Literal["dense", "votes"]
"""How numbers are read off a map. ``dense``: a layer of all its places, as in the course's network. ``votes``: each place says
where the sides of the box and the landmarks are from there, and how much it is to be believed
(:class:`~likeness.research.encoders.VoteHead`)."""

_SIDES: tuple[tuple[Vote, ...], ...] = (("number",), ("x",), ("y",), ("x",), ("y",))
"""p_c, and the left, upper, right and lower side of the box: each is seen best at another place."""

_SURE = 1e4
"""A logit whose logistic function is 1 in float32."""

_CLASS: tuple[Vote, ...] = ("number",)
_POINT: tuple[Vote, ...] = ("x", "y")

__all__ = ["LocalizationHead"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalizationHead:
    """``[p_c, b_x, b_y, b_h, b_w, c_1 … c_K]`` of the one object of an image, as shares of the image, and its landmarks.

    Where an image has several objects, the first is meant. One that has none but ignored ones says nothing of p_c. The score of
    the one candidate is p_c, cut off at 0 and 1, or its logistic function if it was learned by that.
    """

    map: str = "stage8"
    """The encoder's activation that is read, all of it."""
    reading: Reading = "dense"
    """How numbers are read off it."""
    width: int = 256
    """Numbers of the hidden layer, or channels of the votes' tower."""
    points: int = 0
    """Landmarks of the object."""
    loss: CourseLocalizationLoss | LogisticLocalizationLoss = LogisticLocalizationLoss(box_weight=20.0)
    """How p_c, the box and the class are compared."""
    landmarks: LandmarkLoss = LandmarkLoss(term="wing", presence_weight=0.0)
    """How landmarks are."""
    landmark_weight: float = 1.0
    """Of the landmarks in the cost."""

    def __post_init__(self) -> None:
        check_choice("LocalizationHead", "reading", self.reading, Reading)
        check_finite_nonnegative("LocalizationHead", "landmark_weight", self.landmark_weight)
        if self.points < 0 or self.width < 1:
            raise ValueError(f"{self}: give 0 or more points, and a width of at least 1.")

    @property
    def maps(self) -> tuple[str, ...]:
        """The one map."""
        return (self.map,)

    def network(self, classes: int) -> nn.Module:
        """A layer that reads all places, or votes of each."""
        logistic = isinstance(self.loss, LogisticLocalizationLoss)
        own = (0.0 if logistic else 0.5, 0.5, 0.5, 0.3, 0.3, *[0.0 if logistic else 1 / classes] * classes)
        points = [0.5] * (2 * self.points)
        if self.reading == "dense":
            return WholeHead(biases=(*own, *points), width=self.width)
        groups = (*_SIDES, _CLASS * classes, *[_POINT] * self.points)
        return VoteHead(groups=groups, biases=(own[0], 0.35, 0.35, 0.65, 0.65, *own[5:], *points), width=self.width)

    def cost(self, said: Sequence[Array], size: Size, objects: Objects) -> tuple[Scalar, Mapping[str, Scalar]]:
        """What a batch costs, with the parts of it.

        Raises:
            UserError: the data have no landmarks, or another number of them.
        """
        values = self._values(said)
        objects, skipped = _first_to_be_found(objects)
        if skipped is not None:
            # What costs nothing where nothing is there.
            nothing = -_SURE if isinstance(self.loss, LogisticLocalizationLoss) else 0.0
            values = values.at[:, 0].set(jnp.where(skipped, nothing, values[:, 0]))
        boxes, labels, mask = objects.boxes[:, 0], objects.classes[:, 0], objects.mask[:, 0]
        classes = values.shape[-1] - 5 - 2 * self.points
        targets = localization_targets(boxes, labels, mask, *size, classes)
        value, parts = self.loss.value_and_diagnostics(values[:, : 5 + classes], targets)
        if not self.points:
            return value, parts
        given = landmarks_of("LocalizationHead", objects, self.points)
        there = jnp.where(mask[:, None, None], given[:, 0] / jnp.array([size[1], size[0]], jnp.float32), 0.0)
        presence = jnp.asarray(mask, jnp.float32)[:, None]
        places = jnp.concatenate([presence, there.reshape(len(values), -1)], axis=1)
        own = jnp.concatenate([values[:, :1], values[:, 5 + classes :]], axis=1)
        more, others = self.landmarks.value_and_diagnostics(own, places)
        return value + self.landmark_weight * more, {**others, **parts}

    def candidates(self, said: Sequence[Array], size: Size) -> Candidates:
        """One."""
        values = self._values(said)
        classes = values.shape[-1] - 5 - 2 * self.points
        frame = jnp.array([0.0, 0.0, size[1], size[0]])
        # A width or height below 0 is none.
        relative = jnp.concatenate([values[:, 1:3], jnp.maximum(values[:, 3:5], 0.0)], axis=1)
        boxes = jnp.asarray(ImageRelative().decode(relative, frame))
        logistic = isinstance(self.loss, LogisticLocalizationLoss)
        scores = jax.nn.sigmoid(values[:, 0]) if logistic else jnp.clip(values[:, 0], 0, 1)
        likeliest = jnp.argmax(values[:, 5 : 5 + classes], axis=1).astype(jnp.int32)
        landmarks = self._landmarks(values[:, 5 + classes :], size) if self.points else None
        return Candidates(boxes[:, None], scores[:, None], likeliest[:, None], landmarks)

    def _values(self, said: Sequence[Array]) -> Float[Array, "b n"]:
        """The vector, of votes with the center and the size of the box in place of its sides."""
        (values,) = said
        if self.reading == "dense":
            return values
        low, high = values[:, 1:3], values[:, 3:5]
        return jnp.concatenate([values[:, :1], (low + high) / 2, (high - low)[:, ::-1], values[:, 5:]], axis=1)

    def _landmarks(self, values: Float[Array, "b n"], size: Size) -> Float[Array, "b 1 p 2"]:
        return values.reshape(len(values), 1, self.points, 2) * jnp.array([size[1], size[0]], jnp.float32)


def _first_to_be_found(objects: Objects) -> tuple[Objects, Bool[Array, "b"] | None]:
    """Objects with the first that is to be found in front, and which images have none but ignored ones; None if nobody says."""
    if objects.ignored is None:
        return objects, None
    mask, ignored = jnp.asarray(objects.mask), jnp.asarray(objects.ignored)
    first = jnp.argmax(mask, axis=1)

    def taken(rows: AnyArray) -> Array:
        return jnp.take_along_axis(jnp.asarray(rows), first.reshape(-1, *(1,) * (rows.ndim - 1)), axis=1)

    points = None if objects.points is None else taken(objects.points)
    front = Objects(taken(objects.boxes), taken(objects.classes), taken(mask), points)
    return front, jnp.any(ignored, axis=1) & ~jnp.any(mask, axis=1)
