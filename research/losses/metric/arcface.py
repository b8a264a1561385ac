"""ArcFace: a margin added to the angle to one's own class center."""

import dataclasses
import math

from likeness.research.checks import check_finite_nonnegative
from likeness.research.losses.metric.angular_margin import moved_cosine
from likeness.research.losses.metric.margin_head import AngularHead, CenterCosines
from likeness.research.types import Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArcFace(AngularHead):
    """Softmax over s cos θ_j, with ``s cos(θ_y + m)`` for one's own class.

    The logit's slope by the cosine is s sin(θ + m) / sin θ: at cos θ = 0.6, 79.2 for s = 64. ``gradient="straight_through"``
    takes it as s, as InsightFace trains. Beyond θ + m = π the margin goes on as a straight line, see
    :func:`~likeness.research.losses.metric.angular_margin.moved_cosine`.

    Deng et al., "ArcFace: additive angular margin loss for deep face recognition", 2019.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = ArcFace(classes=2, scale=1.0)
        >>> print(f"{loss({'centers': jnp.eye(2)}, jnp.eye(2), jnp.array([0, 1])):.4f}")  # log(1 + exp(0 - cos 0.5))
        0.3477
    """

    margin: float = 0.5
    """m, in radians, from 0 to below π."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_angle(type(self).__name__, "margin", self.margin)

    def costs(
        self, params: PyTree, state: PyTree, cosines: CenterCosines, key: PRNGKey | None
    ) -> tuple[Float[Array, "b"], PyTree, dict[str, Scalar]]:
        """Cross-entropy with cos(θ_y + m) for the own class."""
        target = moved_cosine(cosines.own, self.margin, gradient=self.gradient)
        return self.softmax_costs(target, cosines.all, cosines.other), state, {}


def check_angle(owner: str, field: str, value: float) -> None:
    """Raises ValueError unless a field holds an angle from 0 to below π, in radians."""
    check_finite_nonnegative(owner, field, value)
    if value >= math.pi:
        raise ValueError(f"{owner}({field}={value}): {field} is an angle in radians and must be below π. Give 0.5, say.")
