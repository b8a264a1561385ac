"""The supervised contrastive loss: all positives of an anchor against everything else in the batch."""

import dataclasses

import jax.numpy as jnp

from likeness.research.checks import check_finite_positive
from likeness.research.distances import Cosine, Distance
from likeness.research.losses.metric.pair_loss import MinedPairs, PairLoss, masked_logsumexp
from likeness.research.losses.metric.pairs import masked_mean
from likeness.research.types import PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class SupCon(PairLoss):
    """Supervised contrastive loss, with the sum over positives outside of the logarithm.

    ``-1/|P_i| Σ_{p∈P_i} log( exp(-d_ip/T) / Σ_{a∈P_i∪N_i} exp(-d_ia/T) )``, averaged over the anchors i that have a positive;
    P_i are the anchor's positives and N_i its negatives. With the cosine distance, -d/T differs from the paper's similarity
    z·z/T by a constant, which cancels.

    - All embeddings equal: the logarithm of the number of positives and negatives of an anchor.
    - One person: the same formula, over positives alone. (pytorch-metric-learning returns 0 there.)
    - Nobody twice, or one image: 0.

    Khosla et al., "Supervised contrastive learning", 2020, equation 2.

    Example:
        >>> print(f"{SupCon()(jnp.ones((4, 2)), jnp.array([0, 0, 1, 1])):.4f}")  # log 3
        1.0986
    """

    temperature: float = 0.1
    """T, in units of the distance."""

    distance: Distance = Cosine()
    """d."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_finite_positive("SupCon", "temperature", self.temperature)

    def of_pairs(self, params: PyTree, pairs: MinedPairs, key: PRNGKey | None) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of pairs.

        Returns:
            The value, and ``anchors``, how many have a positive.
        """
        logits = -pairs.distances / self.temperature
        found = jnp.any(pairs.positive, axis=1)
        every = jnp.where(found, masked_logsumexp(logits, pairs.positive | pairs.negative), 0.0)
        counts = jnp.sum(jnp.where(pairs.positive, 1.0, 0.0), axis=1)
        own = jnp.sum(jnp.where(pairs.positive, logits, 0.0), axis=1) / jnp.maximum(counts, 1.0)
        return masked_mean(every - own, found), {"anchors": jnp.sum(jnp.where(found, 1.0, 0.0))}
