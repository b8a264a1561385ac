"""What all losses on the pairs of a batch share: distances, who belongs together, and a miner."""

import abc
import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from likeness.research.checks import UncheckedEmbeddings, as_embeddings, check_members
from likeness.research.distances import Distance
from likeness.research.losses.metric.pair_mining import AllPairs, Miner
from likeness.research.losses.metric.pairs import (
    LabelsOrSame,
    mark_nan,
    masked_mean,
    positives_and_negatives,
    without_padding,
)
from likeness.research.losses.metric.protocol import DistanceLoss
from likeness.research.types import Array, Bool, Float, PRNGKey, PyTree, Scalar


class MinedPairs(NamedTuple):
    """Distances of n anchors to m references, and the pairs that take part in a loss."""

    distances: Float[Array, "n m"]
    positive: Bool[Array, "n m"]
    negative: Bool[Array, "n m"]
    anchors: Bool[Array, "n"]
    """Which rows have a pair at all, before mining: those that a mean over images is taken over."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairLoss(DistanceLoss):
    """A loss that sees the distances of anchors to references and two masks, and nothing else of a batch.

    So it takes whatever says which pairs belong together, goes with any miner, and works on a memory of earlier batches
    (:class:`~likeness.research.losses.metric.cross_batch_memory.CrossBatchMemory`), whose references are more than its
    anchors. Derive your own with ``of_pairs``.

    Everything is float32, and nothing is larger than (n, m). An embedding that is not finite makes the value NaN. A batch
    without the pairs that a loss is made of costs 0 and has gradient 0.
    """

    distance: Distance
    """How embeddings are compared."""

    miner: Miner = AllPairs()
    """Which pairs of the batch take part."""

    def __post_init__(self) -> None:
        owner = type(self).__name__
        check_members(owner, "distance", self.distance, Distance, "SquaredEuclidean()")
        check_members(owner, "miner", self.miner, Miner, "a miner of likeness.research.losses, such as MultiSimilarityMiner()")
        self.miner.check_distance(self.distance)

    @property
    def needs_key(self) -> bool:
        """Whether anything is drawn at random."""
        return self.miner.needs_key

    @abc.abstractmethod
    def of_pairs(self, params: PyTree, pairs: MinedPairs, key: PRNGKey | None) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of pairs, and what to watch beside it.

        Args:
            params: the loss's own weights.
            pairs: of a batch, differentiable in the distances.
            key: for a loss that draws at random.
        """

    def of_masks(
        self,
        params: PyTree,
        distances: Float[Array, "n m"],
        positive: Bool[Array, "n m"],
        negative: Bool[Array, "n m"],
        key: PRNGKey | None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of the pairs that are mined among those given; see :meth:`of_pairs`.

        Raises:
            ValueError: something is drawn at random and there is no key.
        """
        if self.needs_key and key is None:
            raise ValueError(
                f"{type(self).__name__}({self._draws}) draws at random and got no key: pass key=jax.random.key(...)."
            )
        for_miner = None if key is None or not self.miner.needs_key else jax.random.fold_in(key, 1)
        anchors = jnp.any(positive | negative, axis=1)
        mined = self.miner.mined(jax.lax.stop_gradient(distances), positive, negative, for_miner)
        value, diagnostics = self.of_pairs(params, MinedPairs(distances, *mined, anchors), key)
        watched = {
            "mean_positive_distance": masked_mean(distances, positive),
            "mean_negative_distance": masked_mean(distances, negative),
        }
        return value, jax.lax.stop_gradient({**watched, **diagnostics})

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value and float32 scalars: the mean distance of all positive and of all negative pairs of the batch, and what
            :meth:`of_pairs` says.

        Raises:
            ValueError: embeddings, labels or masks of another shape or dtype; something is drawn at random and there is no key.
        """
        owner = type(self).__name__
        embeddings = without_padding(as_embeddings(owner, embeddings), labels_or_same, owner)
        positive, negative = positives_and_negatives(labels_or_same, len(embeddings), owner)
        value, diagnostics = self.of_masks(params, self.distance.pairwise(embeddings), positive, negative, key)
        return mark_nan(value, embeddings), diagnostics

    @property
    def _draws(self) -> str:
        return f"miner={self.miner}"


def masked_logsumexp(values: Float[Array, "n m"], mask: Bool[Array, "n m"]) -> Float[Array, "n"]:
    """``log Σ exp`` of each row's values under the mask; -∞, with gradient 0, where there is none."""
    found = jnp.any(mask, axis=1)
    # A row of nothing but -∞ has no derivative.
    sums = jax.nn.logsumexp(jnp.where(mask | ~found[:, None], values, -jnp.inf), axis=1)
    return jnp.where(found, sums, -jnp.inf)
