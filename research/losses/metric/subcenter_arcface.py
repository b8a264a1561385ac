"""Sub-center ArcFace: several centers a class, so that mislabelled images find one of their own."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from likeness.research.checks import check_count
from likeness.research.distances import unit
from likeness.research.losses.metric.arcface import ArcFace
from likeness.research.types import Array, Float


@dataclasses.dataclass(frozen=True, kw_only=True)
class SubcenterArcFace(ArcFace):
    """ArcFace where each class has K centers and ``cos θ_j`` is the largest of the cosines to them.

    An image need only be near one of its class's centers. In noisy data one center of a class gathers the clean images, and
    the others the wrong and the hard ones. The rows ``K j … K j + K - 1`` of the centers are those of class j.

    Deng et al., "Sub-center ArcFace: boosting face recognition by large-scale noisy web faces", 2020.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = SubcenterArcFace(classes=2, subcenters=2, scale=1.0, margin=0.0)
        >>> centers = jnp.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
        >>> # The image lies on the second center of class 0, cosine 1; the best of class 1 has cosine 0.
        >>> print(f"{loss({'centers': centers}, jnp.array([[0.0, 2.0]]), jnp.array([0])):.4f}")  # log(1 + exp(0 - 1))
        0.3133
    """

    subcenters: int = 3
    """K, at least 1; with 1 it is ArcFace. The paper takes 3; 10 were no better."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("SubcenterArcFace", "subcenters", self.subcenters)

    @property
    def centers_per_class(self) -> int:
        """K."""
        return self.subcenters

    def class_cosines(self, units: Float[Array, "b d"], centers: Float[Array, "n d_of_class"]) -> Float[Array, "b n"]:
        """The largest of the cosines to a class's centers; centers that tie share the gradient."""
        every = unit(centers.reshape(len(centers), self.subcenters, -1))
        # One matrix for the k-th centers of all classes: a maximum over a last axis of 3 would take longer than the products.
        of_each = (jnp.matmul(units, every[:, k].T, precision=jax.lax.Precision.HIGHEST) for k in range(self.subcenters))
        return functools.reduce(jnp.maximum, of_each)
