"""Landmarks: whether there is a face, say, and where its points are."""

import dataclasses
import math
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import check_array, check_choice, check_finite_nonnegative, check_finite_positive
from likeness.research.losses.detection.terms import as_outputs, binary_cross_entropy, mean_over, squared_error, total
from likeness.research.types import AnyArray, Array, Float, Scalar, Shaped

LandmarkTerm: TypeAlias = Literal["squared", "l1", "wing"]
"""What a difference x of a coordinate costs. ``squared``: x², the course's. ``l1``: |x|. ``wing``: ``w log(1 + |x| / ε)`` for
|x| < w and |x| minus a constant beyond, which cares more for small errors."""

PresenceTerm: TypeAlias = Literal["squared", "logistic"]
"""``squared``: ``(ŷ - p)²``, the course's. ``logistic``: binary cross-entropy of the logit ŷ."""

__all__ = ["LandmarkLoss", "LandmarkTerm", "PresenceTerm"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LandmarkLoss:
    """The loss of vectors ``[p, l_1x, l_1y, … l_Lx, l_Ly]``: whether an object is there, and its L points as shares of the
    image.

    ``w_p presence(ŷ_1, p) + p w_l Σ_k (f(l̂_kx - l_kx) + f(l̂_ky - l_ky))`` over the points that are known. The value is the
    mean over the batch, and 0 of an empty one. Without an object, and for points that are not known, the targets do not matter.

    For ``wing``, Feng et al., "Wing loss for robust facial landmark localisation with convolutional neural networks", CVPR
    2018.

    Example:
        >>> import jax.numpy as jnp
        >>> target = jnp.array([[1.0, 0.2, 0.4], [0.0, jnp.nan, jnp.nan]])
        >>> print(f"{LandmarkLoss(presence='squared')(jnp.zeros((2, 3)), target):.2f}")  # half of 1 + 0.04 + 0.16
        0.60
    """

    term: LandmarkTerm = "squared"
    """f."""

    presence: PresenceTerm = "logistic"
    """How p is compared."""

    presence_weight: float = 1.0
    """w_p."""

    landmark_weight: float = 1.0
    """w_l."""

    wing_width: float = 0.04
    """w, as a share of the image."""

    wing_curvature: float = 0.008
    """ε, as a share of the image."""

    def __post_init__(self) -> None:
        check_choice("LandmarkLoss", "term", self.term, LandmarkTerm)
        check_choice("LandmarkLoss", "presence", self.presence, PresenceTerm)
        for name in ("presence_weight", "landmark_weight"):
            check_finite_nonnegative("LandmarkLoss", name, getattr(self, name))
        for name in ("wing_width", "wing_curvature"):
            check_finite_positive("LandmarkLoss", name, getattr(self, name))

    def __call__(
        self,
        outputs: Shaped[AnyArray, "..."],
        targets: Shaped[AnyArray, "..."],
        known: Shaped[AnyArray, "..."] | None = None,
    ) -> Scalar:
        """The loss of a batch.

        Args:
            outputs: (b, 1 + 2 L).
            targets: of the same shape.
            known: (b, L), booleans, which points of an object are annotated; None for all.

        Raises:
            ValueError: another shape or dtype.
        """
        return self.value_and_diagnostics(outputs, targets, known)[0]

    def value_and_diagnostics(
        self,
        outputs: Shaped[AnyArray, "..."],
        targets: Shaped[AnyArray, "..."],
        known: Shaped[AnyArray, "..."] | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and its parts: ``presence_loss`` over all images, and ``landmark_loss`` and the mean distance
        ``landmark_error``, as a share of the image, over the points that count."""
        help = "Give [p, l_1x, l_1y, …] for each image."
        found = as_outputs("LandmarkLoss", "outputs", outputs, ("b", "n"), help)
        if found.shape[1] < 3 or not found.shape[1] % 2:
            raise ValueError(f"LandmarkLoss: outputs of {found.shape[1]} components are not one and two for each point. {help}")
        target = jax.lax.stop_gradient(as_outputs("LandmarkLoss", "targets", targets, found.shape, help))
        count, points = len(found), found.shape[1] // 2
        counted = (target[:, :1] > 0.5) & jnp.ones((1, points), bool)
        if known is not None:
            check_array("LandmarkLoss", "known", known, (count, points), "booleans", "Say of each point whether it is known.")
            counted &= jnp.asarray(known)
        if self.presence == "squared":
            presence = squared_error(found[:, 0], target[:, 0], jnp.ones(count, bool))
        else:
            presence = binary_cross_entropy(found[:, 0], target[:, 0])
        own, true = (each[:, 1:].reshape(count, points, 2) for each in (found, target))
        difference = jnp.where(counted[..., None], own, 0.0) - jnp.where(counted[..., None], true, 0.0)
        landmarks = jnp.sum(self._cost(difference), axis=2)
        parts = {"presence": mean_over(presence, count), "landmark": mean_over(landmarks, count)}
        value = total(parts, {"presence": self.presence_weight, "landmark": self.landmark_weight})
        number = jnp.sum(jnp.where(counted, 1.0, 0.0))
        distance = jnp.linalg.norm(jax.lax.stop_gradient(difference), axis=2)
        diagnostics = {
            "presence_loss": parts["presence"],
            "landmark_loss": mean_over(landmarks, number),
            "landmark_error": mean_over(distance, number),
        }
        return value, jax.lax.stop_gradient(diagnostics)

    def _cost(self, difference: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        match self.term:
            case "squared":
                return difference * difference
            case "l1":
                return jnp.abs(difference)
            case "wing":
                size = jnp.abs(difference)
                near = self.wing_width * jnp.log1p(size / self.wing_curvature)
                constant = self.wing_width - self.wing_width * math.log1p(self.wing_width / self.wing_curvature)
                return jnp.where(size < self.wing_width, near, size - constant)
