"""MagFace: the margin grows with the embedding's length, and length is pulled up where an image is easy."""

import dataclasses

import jax.numpy as jnp

from likeness.research.checks import check_finite_nonnegative, check_finite_positive
from likeness.research.losses.metric.angular_margin import moved_cosine
from likeness.research.losses.metric.arcface import check_angle
from likeness.research.losses.metric.margin_head import AngularHead, CenterCosines
from likeness.research.losses.metric.pairs import masked_mean
from likeness.research.types import Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class MagFace(AngularHead):
    """ArcFace with ``cos(θ_y + m(a))`` for one's own class and ``λ g(a)`` added, a the embedding's length.

    a is clipped to [l_a, u_a]; ``m(a) = l_m + (u_m - l_m) (a - l_a) / (u_a - l_a)`` and ``g(a) = 1/a + a/u_a²``, which falls
    up to u_a and so makes embeddings longer, against the margin that grows with them: an easy image affords the length, and
    length is a measure of quality in use. The gradient goes through m and g, and by length is 0 where a is clipped.

    - **The encoder must not scale its embeddings to unit length**, as ``normalize=True`` does: all would count as l_a long, and
      this is ArcFace with margin l_m.
    - ``gradient="straight_through"`` takes the slope by cos θ as 1 and that by m(a) as 0.

    Meng et al., "MagFace: a universal representation for face recognition and quality assessment", 2021; the defaults are
    its authors'.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = MagFace(classes=2, scale=1.0, weight=0.0)
        >>> # Lengths of 10: the margin is 0.45.
        >>> print(f"{loss({'centers': jnp.eye(2)}, 10 * jnp.eye(2), jnp.array([0, 1])):.4f}")  # log(1 + exp(0 - cos 0.45))
        0.3410
    """

    shortest: float = 10.0
    """l_a, above 0."""
    longest: float = 110.0
    """u_a, above l_a."""
    smallest_margin: float = 0.45
    """l_m, in radians, from 0 to below π."""
    largest_margin: float = 0.8
    """u_m, in radians, from l_m to below π."""
    weight: float = 35.0
    """λ, of the lengths' own cost."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("shortest", "longest"):
            check_finite_positive("MagFace", name, getattr(self, name))
        for name in ("smallest_margin", "largest_margin"):
            check_angle("MagFace", name, getattr(self, name))
        check_finite_nonnegative("MagFace", "weight", self.weight)
        if self.shortest >= self.longest or self.smallest_margin > self.largest_margin:
            raise ValueError(
                f"MagFace: lengths run from {self.shortest} to {self.longest} and margins from {self.smallest_margin} to "
                f"{self.largest_margin}. Give shortest below longest, and smallest_margin at most largest_margin."
            )

    def costs(
        self, params: PyTree, state: PyTree, cosines: CenterCosines, key: PRNGKey | None
    ) -> tuple[Float[Array, "b"], PyTree, dict[str, Scalar]]:
        """Cross-entropy with cos(θ_y + m(a)) for the own class, and λ g(a)."""
        lengths = jnp.clip(cosines.lengths, self.shortest, self.longest)
        slope = (self.largest_margin - self.smallest_margin) / (self.longest - self.shortest)
        margin = self.smallest_margin + slope * (lengths - self.shortest)
        target = moved_cosine(cosines.own, margin, gradient=self.gradient)
        regularizer = 1.0 / lengths + lengths / self.longest**2
        watched = {"mean_length": masked_mean(cosines.lengths, cosines.valid)}
        return self.softmax_costs(target, cosines.all, cosines.other) + self.weight * regularizer, state, watched
