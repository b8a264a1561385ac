"""Localization as a head: one object of an image, whether it is there, its box, its class, and perhaps its landmarks."""

import dataclasses
from collections.abc import Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from likeness.research.checks import check_finite_nonnegative
from likeness.research.detectors.heads import Objects
from likeness.research.detectors.protocol import Candidates
from likeness.research.encoders.detection_heads import WholeHead
from likeness.research.errors import UserError
from likeness.research.geometry.codecs import ImageRelative
from likeness.research.geometry.placement import Size
from likeness.research.losses.detection.landmarks import LandmarkLoss
from likeness.research.losses.detection.localization import (
    CourseLocalizationLoss,
    LogisticLocalizationLoss,
    localization_targets,
)
from likeness.research.types import Array, Float, Scalar

__all__ = ["LocalizationHead"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalizationHead:
    """``[p_c, b_x, b_y, b_h, b_w, c_1 … c_K]`` of the one object of an image, as shares of the image, and its landmarks.

    Where an image has several objects, the first is meant. The score of the one candidate is p_c, cut off at 0 and 1, or its
    logistic function if it was learned by that.
    """

    map: str = "stage8"
    """The encoder's activation that is read, all of it."""
    width: int = 256
    """Numbers of the hidden layer."""
    points: int = 0
    """Landmarks of the object."""
    loss: CourseLocalizationLoss | LogisticLocalizationLoss = LogisticLocalizationLoss(box_weight=20.0)
    """How p_c, the box and the class are compared."""
    landmarks: LandmarkLoss = LandmarkLoss(term="wing", presence_weight=0.0)
    """How landmarks are."""
    landmark_weight: float = 1.0
    """Of the landmarks in the cost."""

    def __post_init__(self) -> None:
        check_finite_nonnegative("LocalizationHead", "landmark_weight", self.landmark_weight)
        if self.points < 0 or self.width < 1:
            raise ValueError(f"{self}: give 0 or more points, and a width of at least 1.")

    @property
    def maps(self) -> tuple[str, ...]:
        """The one map."""
        return (self.map,)

    def network(self, classes: int) -> nn.Module:
        """A hidden layer and the numbers."""
        logistic = isinstance(self.loss, LogisticLocalizationLoss)
        own = (0.0 if logistic else 0.5, 0.5, 0.5, 0.3, 0.3, *[0.0 if logistic else 1 / classes] * classes)
        return WholeHead(biases=(*own, *[0.5] * (2 * self.points)), width=self.width)

    def cost(self, said: Sequence[Array], size: Size, objects: Objects) -> tuple[Scalar, Mapping[str, Scalar]]:
        """What a batch costs, with the parts of it.

        Raises:
            UserError: the data have no landmarks, or another number of them.
        """
        (values,) = said
        boxes, labels, mask = objects.boxes[:, 0], objects.classes[:, 0], objects.mask[:, 0]
        classes = values.shape[-1] - 5 - 2 * self.points
        targets = localization_targets(boxes, labels, mask, *size, classes)
        value, parts = self.loss.value_and_diagnostics(values[:, : 5 + classes], targets)
        if not self.points:
            return value, parts
        if objects.points is None or objects.points.shape[2] != self.points:
            have = 0 if objects.points is None else objects.points.shape[2]
            raise UserError(
                f"LocalizationHead.points is {self.points}, and objects of these data have {have} landmarks: set it to that."
            )
        there = jnp.where(mask[:, None, None], objects.points[:, 0] / jnp.array([size[1], size[0]], jnp.float32), 0.0)
        presence = jnp.asarray(mask, jnp.float32)[:, None]
        places = jnp.concatenate([presence, there.reshape(len(values), -1)], axis=1)
        own = jnp.concatenate([values[:, :1], values[:, 5 + classes :]], axis=1)
        more, others = self.landmarks.value_and_diagnostics(own, places)
        return value + self.landmark_weight * more, {**others, **parts}

    def candidates(self, said: Sequence[Array], size: Size) -> Candidates:
        """One."""
        (values,) = said
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

    def _landmarks(self, values: Float[Array, "b n"], size: Size) -> Float[Array, "b 1 p 2"]:
        return values.reshape(len(values), 1, self.points, 2) * jnp.array([size[1], size[0]], jnp.float32)
