"""Distance-weighted negatives: drawn so that all distances are about equally likely."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_count, check_finite_nonnegative, check_finite_positive, check_members
from likeness.research.distances import Cosine, Distance, Euclidean, SquaredEuclidean, safe_sqrt
from likeness.research.losses.metric.mining import Column, Distances, Mask, SelectionRule, first
from likeness.research.types import Array, Float, PRNGKey, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistanceWeighted(SelectionRule):
    """For each anchor-positive pair one negative, drawn with a probability inverse to how common its distance is.

    Of points spread evenly over the unit sphere in n dimensions the Euclidean distance d has the density
    ``q(d) ∝ d^(n-2) (1 - d²/4)^((n-3)/2)``: in many dimensions nearly all are about √2 apart, so uniform draws see hardly
    anything else, and the hardest negatives alone are noise. A negative is drawn with weight ``1 / q(max(d, cutoff))``. Those
    at ``nonzero_loss_cutoff`` or beyond, which would cost nothing, are not drawn; an anchor that has no others has no triplet.

    Embeddings must have unit length, and the loss's distance must be ``distance``.

    Wu, Manmatha, Smola and Krähenbühl, "Sampling matters in deep embedding learning", 2017.

    Example:
        >>> from likeness.research.losses import Triplet
        >>> Triplet(margin=0.2, rule=DistanceWeighted(dimension=128)).rule.needs_key
        True
    """

    dimension: int = 128
    """n, of the embeddings."""

    cutoff: float = 0.5
    """A smaller Euclidean distance is weighed as this one, above 0: the nearest would be drawn for ever, and their gradient is
    noise."""

    nonzero_loss_cutoff: float = 1.4
    """Negatives at this Euclidean distance or beyond are not drawn. Two points of the sphere are at most 2 apart."""

    distance: Distance = SquaredEuclidean()
    """That of the loss: SquaredEuclidean(), Euclidean() or Cosine(), from which Euclid's follows."""

    def __post_init__(self) -> None:
        check_count("DistanceWeighted", "dimension", self.dimension, least=2)
        check_finite_positive("DistanceWeighted", "cutoff", self.cutoff)
        check_finite_nonnegative("DistanceWeighted", "nonzero_loss_cutoff", self.nonzero_loss_cutoff)
        check_members("DistanceWeighted", "distance", self.distance, Distance, "SquaredEuclidean()")
        if self.cutoff >= self.nonzero_loss_cutoff or self.nonzero_loss_cutoff > 2.0:
            raise ValueError(
                f"DistanceWeighted draws between cutoff={self.cutoff} and nonzero_loss_cutoff={self.nonzero_loss_cutoff}: the "
                "first must be below the second, and that at most 2, the diameter of the unit sphere."
            )
        if not isinstance(self.distance, SquaredEuclidean | Euclidean | Cosine):
            raise ValueError(
                f"DistanceWeighted(distance={self.distance!r}): of it no Euclidean distance is known. Give SquaredEuclidean(), "
                "Euclidean() or Cosine(), the loss's own."
            )

    @property
    def needs_key(self) -> bool:
        """Yes."""
        return True

    def check_distance(self, distance: Distance) -> None:
        """Raises ValueError unless it is the rule's own."""
        if distance != self.distance:
            raise ValueError(
                f"DistanceWeighted(distance={self.distance!r}) is asked about distances by {distance!r}: give the rule and its "
                "loss the same."
            )

    def positives(self, distances: Distances, positive: Mask) -> Mask:
        return positive

    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        if key is None:
            raise ValueError("DistanceWeighted draws at random and got no key: pass key=jax.random.key(...) to the loss.")
        weights = self.weights(distances, negative)
        sums = jnp.cumsum(weights, axis=1)
        total = sums[:, -1:]
        # The product may round up to the total, beyond which there is nothing.
        drawn = jnp.minimum(jax.random.uniform(key, total.shape) * total, jnp.nextafter(total, 0.0))
        return first((weights > 0) & (sums > drawn))

    def weights(self, distances: Distances, negative: Mask) -> Float[Array, "n m"]:
        """What each negative is drawn by, relative to the largest of its anchor; 0 for what is not drawn."""
        if isinstance(self.distance, Euclidean):
            between = distances
        else:
            between = safe_sqrt(jnp.maximum(distances, 0.0) * (2.0 if isinstance(self.distance, Cosine) else 1.0))
        drawable = negative & (between < self.nonzero_loss_cutoff)
        d = jnp.clip(between, self.cutoff, 1.9999)
        n = float(self.dimension)
        logarithms = (2.0 - n) * jnp.log(d) - 0.5 * (n - 3.0) * jnp.log1p(-0.25 * d * d)
        largest = jnp.max(jnp.where(drawable, logarithms, -jnp.inf), axis=1, keepdims=True)
        return jnp.where(drawable, jnp.exp(logarithms - jnp.where(drawable, largest, 0.0)), 0.0)
