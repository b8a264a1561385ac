"""The contrastive loss: pull pairs of one person together, push others apart up to a margin."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import UncheckedEmbeddings, as_embeddings, check_choice, check_finite_positive
from likeness.research.distances import Distance, Euclidean, SquaredEuclidean, safe_sqrt
from likeness.research.losses.metric.pair_loss import MinedPairs, PairLoss
from likeness.research.losses.metric.pair_mining import AllPairs
from likeness.research.losses.metric.pairs import (
    LabelsOrSame,
    Pairs,
    all_pair_weights,
    consecutive_rows,
    pair_diagnostics,
    weighted_pairs,
    without_padding,
)
from likeness.research.types import Array, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contrastive(PairLoss):
    """Contrastive loss with a distance D, ``|x - y|`` unless another is given, and margin m.

    ``½ D²`` for the same person and ``½ [m - D]₊²`` for different ones; the batch's value is the weighted
    mean over its pairs.

    When all embeddings are equal every same pair costs 0 and every different pair ½ m². A batch without any
    pair costs 0.

    Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping", 2006.

    Example:
        >>> import jax.numpy as jnp
        >>> embeddings = jnp.array([[0.0], [1.0], [1.5]])
        >>> # half of ½, for the same pair, and half of the mean of 0 and ⅛
        >>> print(Contrastive(margin=1.0, pairs="all")(embeddings, jnp.array([0, 0, 1])))
        0.28125
    """

    margin: float = 1.0
    """m, in units of the distance: different people farther apart than this cost nothing."""

    distance: Distance = Euclidean()
    """D. It is squared, so it must never be negative."""

    pairs: Pairs = "all"
    """``all``: every pair i < j of the batch, same and different weighing one half each. ``consecutive``:
    rows 2i and 2i+1."""

    def __post_init__(self) -> None:
        check_finite_positive("Contrastive", "margin", self.margin)
        check_choice("Contrastive", "pairs", self.pairs, Pairs)
        super().__post_init__()
        if self.pairs == "consecutive" and self.miner != AllPairs():
            raise ValueError(
                f'Contrastive(pairs="consecutive", miner={self.miner!r}): consecutive rows are the pairs, and there is nothing '
                'to mine. Use pairs="all".'
            )
        if self.distance.lowest < 0.0:
            raise ValueError(
                f"Contrastive(distance={self.distance!r}): the loss squares distances, so that of two embeddings must never be "
                f"negative, and nothing says so of {type(self.distance).__name__}. Give Euclidean() or Cosine(); a class of "
                "your own says it by `lowest = 0.0`."
            )

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value and float32 scalars: ``pairs``, ``active_fraction`` (of the different pairs, those
            nearer than the margin), and the mean distance of the positive and of the negative pairs.

        Raises:
            ValueError: embeddings or labels of another shape or dtype; consecutive pairs of a batch of odd size.
        """
        if self.pairs == "all" and self.miner != AllPairs():
            return super().value_and_diagnostics(params, embeddings, labels_or_same, key)
        embeddings = without_padding(as_embeddings("Contrastive", embeddings), labels_or_same, "Contrastive")
        # The square of a root has lost digits: Euclid's distance is the root of its square.
        rooted = type(self.distance) is Euclidean
        measure = SquaredEuclidean() if rooted else self.distance
        measured = measure.pairwise(embeddings) if self.pairs == "all" else measure.paired(*consecutive_rows(embeddings))
        distances, squared = (safe_sqrt(measured), measured) if rooted else (measured, measured * measured)
        same, weights = weighted_pairs(self.pairs, labels_or_same, len(embeddings), "Contrastive")
        value, active = self._weighted(distances, squared, same, weights)
        diagnostics = pair_diagnostics(distances, same, weights > 0)
        diagnostics["active_fraction"] = active
        return value, jax.lax.stop_gradient(diagnostics)

    def of_pairs(self, params: PyTree, pairs: MinedPairs, key: PRNGKey | None) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of pairs, positive and negative ones weighing one half each.

        Returns:
            The value, ``pairs``, and ``active_fraction``, as :meth:`value_and_diagnostics` does; a pair that is there both ways
            round counts twice.
        """
        weights = all_pair_weights(pairs.positive, pairs.negative)
        value, active = self._weighted(pairs.distances, jnp.square(pairs.distances), pairs.positive, weights)
        return value, {"pairs": jnp.sum(jnp.where(weights > 0, 1.0, 0.0)), "active_fraction": active}

    def _weighted(self, distances: Array, squared: Array, same: Array, weights: Array) -> tuple[Scalar, Scalar]:
        """The loss of pairs, and the share of the different ones that cost something."""
        shortfall = jnp.maximum(self.margin - distances, 0.0)
        value = jnp.sum(weights * 0.5 * jnp.where(same, squared, shortfall * shortfall))
        different = (weights > 0) & ~same
        active = jnp.sum(jnp.where(different & (shortfall > 0), 1.0, 0.0))
        return value, active / jnp.maximum(jnp.sum(jnp.where(different, 1.0, 0.0)), 1.0)
