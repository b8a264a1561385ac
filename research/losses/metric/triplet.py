"""The triplet loss of FaceNet, with every rule for choosing the triplets that the field uses."""

import dataclasses
import math
from typing import Literal

import jax
import jax.numpy as jnp

from likeness.research.checks import UncheckedEmbeddings, as_embeddings, check_choice, check_finite_nonnegative, check_members
from likeness.research.distances import Distance, SquaredEuclidean
from likeness.research.losses.metric.mining import BatchAll, SelectionRule
from likeness.research.losses.metric.pairs import LabelsOrSame, mark_nan, masked_mean, positives_and_negatives
from likeness.research.losses.metric.protocol import DistanceLoss
from likeness.research.losses.metric.triplet_terms import Penalty, triplet_terms
from likeness.research.types import PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Triplet(DistanceLoss):
    """Triplet loss: an anchor must be nearer to its positive than to its negative, by a margin.

    ``J = Σ [d(a, p) - d(a, n) + α]₊`` over the triplets that ``rule`` selects; d is ``distance``, ``|x - y|²``
    unless another is given.

    - All embeddings equal, at 0 or elsewhere: every selected term is α (``log(1 + exp α)`` with soft-plus), never 0, though the
      gradient vanishes; see :class:`~likeness.research.losses.metric.collapse.CollapseMonitor`. Only the rules that look for
      negatives strictly beyond the positive (``FaceNetSemiHard``, ``BandSemiHard``) find none there, select nothing and cost 0.
    - No triplet (one person, nobody twice, one image, an empty batch): 0.
    - An embedding that is not finite: NaN, even if no selected triplet has it.

    The value and the gradient need O(b²) memory. Everything is float32 whatever the embeddings' dtype. It can be differentiated
    in reverse and in forward mode. Equal embeddings are exactly 0 apart and ties of whole numbers are ties in batches up to
    b · b · d = 2²⁰; in larger ones rounding decides, see
    :func:`~likeness.research.distances.pairwise_squared_distances`.

    Schroff, Kalenichenko and Philbin, "FaceNet: a unified embedding for face recognition and clustering",
    2015; Hermans, Beyer and Leibe, "In defense of the triplet loss for person re-identification", 2017.

    Example:
        >>> import jax.numpy as jnp
        >>> embeddings = jnp.array([[0.0], [1.0], [1.5]])
        >>> labels = jnp.array([0, 0, 1])
        >>> # anchor 0: [1 - 2.25 + 0.2]₊ = 0; anchor 1: [1 - 0.25 + 0.2]₊ = 0.95
        >>> print(f"{Triplet(margin=0.2)(embeddings, labels):.2f}")
        0.95
    """

    margin: float = 0.2
    """α, in units of the distance. Hermans' soft margin is soft-plus with 0."""

    penalty: Penalty = "hinge"
    """``hinge``: [x]₊. ``softplus``: log(1 + exp x), which keeps pulling after the margin is met."""

    distance: Distance = SquaredEuclidean()
    """d. Any will do: only differences of distances count."""

    reduction: Literal["sum", "mean", "mean_active"] = "sum"
    """``sum`` is the definition. ``mean``: over the selected triplets. ``mean_active``: over those whose term
    is above 0 (with soft-plus that is all of them)."""

    rule: SelectionRule = dataclasses.field(default_factory=BatchAll)
    """Which triplets of the batch."""

    def __post_init__(self) -> None:
        check_finite_nonnegative("Triplet", "margin", self.margin)
        check_choice("Triplet", "penalty", self.penalty, Penalty)
        check_choice("Triplet", "reduction", self.reduction, Literal["sum", "mean", "mean_active"])
        check_members("Triplet", "distance", self.distance, Distance, "SquaredEuclidean()")
        check_members("Triplet", "rule", self.rule, SelectionRule, "a rule of likeness.research.losses, such as BatchHard()")

    def value_and_diagnostics(
        self,
        params: PyTree,
        embeddings: UncheckedEmbeddings,
        labels_or_same: LabelsOrSame,
        key: PRNGKey | None = None,
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss and what to watch beside it.

        Returns:
            The value and float32 scalars: ``triplets`` (selected), ``active_fraction`` (of these, with a term
            above 0), ``loss_per_triplet`` (equal to :attr:`collapsed_value` when training has collapsed), and
            the mean distance of all positive and of all negative pairs of the batch.

        Raises:
            ValueError: embeddings or labels of another shape or dtype; the rule draws at random and there is no key.
        """
        if self.rule.needs_key and key is None:
            raise ValueError(
                f"Triplet(rule={self.rule}) draws triplets at random and got no key: pass key=jax.random.key(...)."
            )
        embeddings = as_embeddings("Triplet", embeddings)
        positive, negative = positives_and_negatives(labels_or_same, len(embeddings), "Triplet")
        distances = self.distance.pairwise(embeddings)
        key = key if self.rule.needs_key else None
        terms = triplet_terms(self.rule, self.penalty, self.margin, distances, positive, negative, key)
        count = {"sum": 1.0, "mean": terms.selected, "mean_active": terms.active}[self.reduction]
        value = mark_nan(terms.total / jnp.maximum(count, 1.0), embeddings)
        diagnostics = {
            "triplets": terms.selected,
            "active_fraction": terms.active / jnp.maximum(terms.selected, 1.0),
            "loss_per_triplet": terms.total / jnp.maximum(terms.selected, 1.0),
            "mean_positive_distance": masked_mean(distances, positive),
            "mean_negative_distance": masked_mean(distances, negative),
        }
        return value, jax.lax.stop_gradient(diagnostics)

    @property
    def collapsed_value(self) -> float:
        """The term of every triplet when all embeddings are equal: α, or log(1 + exp α)."""
        return self.margin if self.penalty == "hinge" else math.log1p(math.exp(self.margin))
