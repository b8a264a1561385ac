"""The circle loss: each similarity is pulled by as much as it falls short of its own optimum."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_finite_nonnegative, check_finite_positive
from likeness.research.distances import Cosine, Distance
from likeness.research.losses.metric.pair_loss import MinedPairs, PairLoss, masked_logsumexp
from likeness.research.losses.metric.pairs import masked_mean
from likeness.research.types import PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Circle(PairLoss):
    """``log(1 + Σ_n exp(γ a_n (s_n - m)) Σ_p exp(-γ a_p (s_p - 1 + m)))`` of an anchor's cosines s, averaged over the anchors.

    ``a_p = [1 + m - s_p]₊`` and ``a_n = [s_n + m]₊`` weigh the pairs and are held fixed in the derivative. So a positive that
    is near already is hardly pulled, whatever the negatives are; the decision boundary in the (s_n, s_p) plane is a circle. The
    mean is over the anchors that have both a positive and a negative.

    - All embeddings equal: s = 1, and the cost is log(1 + |N| |P| exp(γ (1 - m²) - γ m²)), about γ (1 - 2 m²).
    - One person, nobody twice, or one image: 0.

    Sun et al., "Circle loss: a unified perspective of pair similarity optimization", 2020; the loss of pairs, which takes each
    image as anchor, and its values for faces.

    Example:
        >>> loss = Circle(margin=0.25, gamma=1.0)
        >>> x = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> # Two anchors: s_p = 1, a_p = ¼, and s_n = 0, a_n = ¼: log(1 + exp(-1/16) exp(-1/16)).
        >>> print(f"{loss(x, jnp.array([0, 0, 1])):.4f}")
        0.6326
    """

    margin: float = 0.25
    """m, from 0 to 1: positives should be above the cosine 1 - m, negatives below m."""

    gamma: float = 256.0
    """γ, the scale. The paper takes 256 for faces, 128 for people on foot and 80, with m = 0.4, for things."""

    distance: Distance = dataclasses.field(default=Cosine(), init=False)
    """No choice: the optima 1 and 0 are those of a cosine, which is 1 minus this distance."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_finite_nonnegative("Circle", "margin", self.margin)
        check_finite_positive("Circle", "gamma", self.gamma)

    def of_pairs(self, params: PyTree, pairs: MinedPairs, key: PRNGKey | None) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of pairs.

        Returns:
            The value, and ``anchors``, how many have both kinds of pair.
        """
        d = pairs.distances
        fixed = jax.lax.stop_gradient(d)
        pull = self.gamma * jnp.maximum(self.margin + fixed, 0.0) * (d - self.margin)
        push = self.gamma * jnp.maximum(1.0 + self.margin - fixed, 0.0) * (1.0 - self.margin - d)
        both = jnp.any(pairs.positive, axis=1) & jnp.any(pairs.negative, axis=1)
        sums = masked_logsumexp(pull, pairs.positive) + masked_logsumexp(push, pairs.negative)
        costs = jax.nn.softplus(jnp.where(both, sums, 0.0))
        return masked_mean(costs, both), {"anchors": jnp.sum(jnp.where(both, 1.0, 0.0))}
