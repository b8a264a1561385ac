"""The multi-similarity loss: pairs weigh by how wrong they are, and by how wrong their anchor's other pairs are."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_finite_nonnegative, check_finite_positive
from likeness.research.distances import Cosine, Distance
from likeness.research.losses.metric.pair_loss import MinedPairs, PairLoss, masked_logsumexp
from likeness.research.losses.metric.pairs import masked_mean
from likeness.research.types import PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiSimilarity(PairLoss):
    """``1/α log(1 + Σ_p exp(α (d_ip - δ))) + 1/β log(1 + Σ_n exp(-β (d_in - δ)))``, averaged over the anchors.

    δ is a distance that positives should be below and negatives above. In the paper's terms the similarity is S = 1 - d, with
    the cosine distance d, and δ = 1 - λ. The mean is over all anchors that have a pair, whether the miner leaves them one or
    not. The paper trains with its own miner, :class:`~likeness.research.losses.metric.pair_mining.MultiSimilarityMiner`.

    - All embeddings equal: ``1/α log(1 + |P| exp(-α δ)) + 1/β log(1 + |N| exp(β δ))``.
    - An anchor without positives costs its second term alone, and one without negatives its first; one image costs 0.

    Wang et al., "Multi-similarity loss with general pair weighting for deep metric learning", 2019.

    Example:
        >>> loss = MultiSimilarity(alpha=1.0, beta=1.0, threshold=0.0)
        >>> print(f"{loss(jnp.ones((2, 2)), jnp.array([0, 0])):.4f}")  # log(1 + 1)
        0.6931
    """

    alpha: float = 2.0
    """α, of positives, per unit of the distance."""

    beta: float = 50.0
    """β, of negatives."""

    threshold: float = 0.5
    """δ, in units of the distance."""

    distance: Distance = Cosine()
    """d."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_finite_positive("MultiSimilarity", "alpha", self.alpha)
        check_finite_positive("MultiSimilarity", "beta", self.beta)
        check_finite_nonnegative("MultiSimilarity", "threshold", self.threshold)

    def of_pairs(self, params: PyTree, pairs: MinedPairs, key: PRNGKey | None) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of pairs.

        Returns:
            The value, and how many pairs the miner left, ``positives_an_anchor`` and ``negatives_an_anchor``.
        """
        beyond = pairs.distances - self.threshold
        pull = jax.nn.softplus(masked_logsumexp(self.alpha * beyond, pairs.positive)) / self.alpha
        push = jax.nn.softplus(masked_logsumexp(-self.beta * beyond, pairs.negative)) / self.beta
        kept = {
            "positives_an_anchor": masked_mean(jnp.sum(jnp.where(pairs.positive, 1.0, 0.0), axis=1), pairs.anchors),
            "negatives_an_anchor": masked_mean(jnp.sum(jnp.where(pairs.negative, 1.0, 0.0), axis=1), pairs.anchors),
        }
        return masked_mean(pull + push, pairs.anchors), kept
