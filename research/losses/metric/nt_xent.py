"""NT-Xent: each positive pair against its anchor's negatives, as SimCLR trains."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_finite_positive
from likeness.research.distances import Cosine, Distance
from likeness.research.losses.metric.pair_loss import MinedPairs, PairLoss, masked_logsumexp
from likeness.research.types import PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class NTXent(PairLoss):
    """Normalized temperature-scaled cross-entropy, also known as InfoNCE and, with labels, as the multi-class N-pair loss.

    ``-log( exp(-d_ip/T) / (exp(-d_ip/T) + Σ_{n∈N_i} exp(-d_in/T)) )``, averaged over all positive pairs (i, p), both ways
    round. An anchor's other positives are in no denominator, which is where it differs from
    :class:`~likeness.research.losses.metric.supcon.SupCon`. In SimCLR the two augmented views of an image are one "person".

    - All embeddings equal: the mean over positive pairs of log(1 + |N_i|).
    - One person, nobody twice, or one image: 0. (``optax.losses.ntxent`` is NaN where an image has no positive;
      pytorch-metric-learning returns 0.)

    Chen et al., "A simple framework for contrastive learning of visual representations", 2020; Sohn, "Improved deep metric
    learning with multi-class N-pair loss objective", 2016.

    Example:
        >>> print(f"{NTXent()(jnp.ones((4, 2)), jnp.array([0, 0, 1, 1])):.4f}")  # log(1 + 2)
        1.0986
    """

    temperature: float = 0.1
    """T, in units of the distance."""

    distance: Distance = Cosine()
    """d."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_finite_positive("NTXent", "temperature", self.temperature)

    def of_pairs(self, params: PyTree, pairs: MinedPairs, key: PRNGKey | None) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of pairs.

        Returns:
            The value, and ``positive_pairs``, how many there are.
        """
        logits = -pairs.distances / self.temperature
        negatives = masked_logsumexp(logits, pairs.negative)
        opposed = jnp.isfinite(negatives)
        costs = jax.nn.softplus(jnp.where(opposed, negatives, 0.0)[:, None] - logits)
        counted = pairs.positive & opposed[:, None]
        # A pair without negatives costs log 1, and counts.
        total, count = jnp.sum(jnp.where(counted, costs, 0.0)), jnp.sum(jnp.where(pairs.positive, 1.0, 0.0))
        return total / jnp.maximum(count, 1.0), {"positive_pairs": count}
