"""The triplet loss of FaceNet, with every rule for choosing the triplets that the field uses."""

import dataclasses
import math
from typing import Literal

import jax.numpy as jnp

from likeness.research.checks import check_choice, check_finite_nonnegative, check_members
from likeness.research.distances import Distance, SquaredEuclidean
from likeness.research.losses.metric.mining import BatchAll, SelectionRule
from likeness.research.losses.metric.pair_loss import MinedPairs, PairLoss
from likeness.research.losses.metric.triplet_terms import Penalty, triplet_terms
from likeness.research.types import PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Triplet(PairLoss):
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
    """Which triplets of the pairs that ``miner`` leaves."""

    def __post_init__(self) -> None:
        check_finite_nonnegative("Triplet", "margin", self.margin)
        check_choice("Triplet", "penalty", self.penalty, Penalty)
        check_choice("Triplet", "reduction", self.reduction, Literal["sum", "mean", "mean_active"])
        super().__post_init__()
        check_members("Triplet", "rule", self.rule, SelectionRule, "a rule of likeness.research.losses, such as BatchHard()")
        self.rule.check_distance(self.distance)

    @property
    def needs_key(self) -> bool:
        """Whether the rule or the miner draws at random."""
        return self.rule.needs_key or self.miner.needs_key

    @property
    def _draws(self) -> str:
        return f"rule={self.rule}" if self.rule.needs_key else super()._draws

    def of_pairs(self, params: PyTree, pairs: MinedPairs, key: PRNGKey | None) -> tuple[Scalar, dict[str, Scalar]]:
        """The loss of the triplets that ``rule`` selects of pairs, and what to watch beside it.

        Returns:
            The value and float32 scalars: ``triplets`` (selected), ``active_fraction`` (of these, with a term
            above 0), and ``loss_per_triplet`` (equal to :attr:`collapsed_value` when training has collapsed).
        """
        key = key if self.rule.needs_key else None
        terms = triplet_terms(self.rule, self.penalty, self.margin, *pairs[:3], key)
        count = {"sum": 1.0, "mean": terms.selected, "mean_active": terms.active}[self.reduction]
        diagnostics = {
            "triplets": terms.selected,
            "active_fraction": terms.active / jnp.maximum(terms.selected, 1.0),
            "loss_per_triplet": terms.total / jnp.maximum(terms.selected, 1.0),
        }
        return terms.total / jnp.maximum(count, 1.0), diagnostics

    @property
    def collapsed_value(self) -> float:
        """The term of every triplet when all embeddings are equal: α, or log(1 + exp α)."""
        return self.margin if self.penalty == "hinge" else math.log1p(math.exp(self.margin))
