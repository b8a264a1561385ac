"""The contrastive loss: pull pairs of one person together, push others apart up to a margin."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from likeness.research.checks import UncheckedEmbeddings, as_embeddings, check_choice, check_finite_positive
from likeness.research.losses.distances import pairwise_squared_distances, safe_sqrt, squared_distance
from likeness.research.losses.metric.pairs import LabelsOrSame, Pairs, consecutive_rows, pair_diagnostics, weighted_pairs
from likeness.research.types import AnyArray, Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contrastive:
    """Contrastive loss with D = |x - y|, not squared, and margin m.

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

    euclidean: ClassVar[bool] = True
    """Its distance orders pairs as the Euclidean one does."""

    margin: float = 1.0
    """m, in units of the unsquared distance: different people farther apart than this cost nothing."""

    pairs: Pairs = "all"
    """``all``: every pair i < j of the batch, same and different weighing one half each. ``consecutive``:
    rows 2i and 2i+1."""

    def __post_init__(self) -> None:
        check_finite_positive("Contrastive", "margin", self.margin)
        check_choice("Contrastive", "pairs", self.pairs, Pairs)

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """The loss has no weights of its own."""
        return {}

    def __call__(self, embeddings: UncheckedEmbeddings, labels_or_same: LabelsOrSame) -> Scalar:
        """The loss of a batch."""
        return self.value_and_diagnostics({}, embeddings, labels_or_same)[0]

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
        embeddings = as_embeddings("Contrastive", embeddings)
        if self.pairs == "all":
            squared = pairwise_squared_distances(embeddings)
        else:
            squared = squared_distance(*consecutive_rows(embeddings))
        same, weights = weighted_pairs(self.pairs, labels_or_same, len(embeddings), "Contrastive")
        distances = safe_sqrt(squared)
        shortfall = jnp.maximum(self.margin - distances, 0.0)
        value = jnp.sum(weights * 0.5 * jnp.where(same, squared, shortfall * shortfall))
        different = (weights > 0) & ~same
        active = jnp.sum(jnp.where(different & (shortfall > 0), 1.0, 0.0))
        diagnostics = pair_diagnostics(distances, same, weights > 0)
        diagnostics["active_fraction"] = active / jnp.maximum(jnp.sum(jnp.where(different, 1.0, 0.0)), 1.0)
        return value, jax.lax.stop_gradient(diagnostics)

    def distance(
        self, params: PyTree, first: Float[AnyArray, "... d"], second: Float[AnyArray, "... d"]
    ) -> Float[Array, "..."]:
        """Euclidean distance of two embeddings; leading shapes broadcast. Smaller is more alike."""
        return safe_sqrt(squared_distance(first, second))
