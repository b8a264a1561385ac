"""ElasticFace: a margin drawn anew for each image."""

import dataclasses
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice, check_finite_nonnegative
from likeness.research.losses.metric.angular_margin import moved_cosine
from likeness.research.losses.metric.margin_head import AngularHead, CenterCosines
from likeness.research.types import Array, Float, PRNGKey, PyTree, Scalar

MarginOn: TypeAlias = Literal["angle", "cosine"]
Assigned: TypeAlias = Literal["at_random", "by_distance"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ElasticFace(AngularHead):
    """ArcFace or CosFace with a margin m_i drawn from a normal distribution for each image i of each batch.

    ``s cos(θ_y + m_i)`` (``on="angle"``) or ``s (cos θ_y - m_i)`` (``on="cosine"``) for one's own class,
    ``m_i ~ N(margin, deviation²)``. Fixed margins ask the same of all classes; drawn ones leave room for some to spread more.
    Draws are kept below π and, on the angle, above -π; otherwise they are not clipped.

    ``assigned="by_distance"`` is ElasticFace+: the batch's draws are given out by rank, the largest to the image that is
    farthest from its center. (The authors' code indexes the sorted draws by the sorting permutation, not by its inverse, which
    gives them out in another order.)

    Boutros et al., "ElasticFace: elastic margin loss for deep face recognition", 2022.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> loss = ElasticFace(classes=2, scale=1.0, deviation=0.0)
        >>> value = loss({"centers": jnp.eye(2)}, jnp.eye(2), jnp.array([0, 1]), jax.random.key(0))
        >>> print(f"{value:.4f}")  # ArcFace's, log(1 + exp(0 - cos 0.5))
        0.3477
    """

    on: MarginOn = "angle"
    """What the margin moves. On the cosine ``gradient`` makes no difference, as the slope is 1."""

    margin: float = 0.5
    """The mean, at least 0: 0.5 radians on the angle, 0.35 on the cosine."""

    deviation: float = 0.05
    """The standard deviation, at least 0, in the same units."""

    assigned: Assigned = "at_random"
    """Which image gets which draw."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("ElasticFace", "on", self.on, MarginOn)
        check_choice("ElasticFace", "assigned", self.assigned, Assigned)
        for name in ("margin", "deviation"):
            check_finite_nonnegative("ElasticFace", name, getattr(self, name))

    @property
    def needs_key(self) -> bool:
        """Yes: margins are drawn."""
        return True

    def costs(
        self, params: PyTree, state: PyTree, cosines: CenterCosines, key: PRNGKey | None
    ) -> tuple[Float[Array, "b"], PyTree, dict[str, Scalar]]:
        """Cross-entropy with each image's own margin."""
        assert key is not None
        # Centers are drawn by the key itself.
        margins = self.margin + self.deviation * jax.random.normal(jax.random.fold_in(key, 1), cosines.own.shape)
        margins = jnp.clip(margins, -3.1, 3.1)
        if self.assigned == "by_distance":
            # Padding, and what was drawn for it, comes last in both orders.
            nearest_first = jnp.argsort(jnp.where(cosines.valid, -jax.lax.stop_gradient(cosines.own), jnp.inf))
            ascending = jnp.sort(jnp.where(cosines.valid, margins, jnp.inf))
            margins = jnp.zeros_like(margins).at[nearest_first].set(jnp.where(jnp.isfinite(ascending), ascending, 0.0))
        own, angle = cosines.own, self.on == "angle"
        target = moved_cosine(own, margins, gradient=self.gradient) if angle else own - margins
        return self.softmax_costs(target, cosines.all, cosines.other), state, {}
