"""Miners: which pairs of a batch a loss is made of. Any of them goes with any pair or triplet loss.

A miner sees the distances of anchors (rows) to references (columns) and the masks of positive and negative pairs, and returns
masks with fewer pairs. A :class:`~likeness.research.losses.metric.mining.SelectionRule` chooses triplets instead;
:class:`TripletPairs` makes a miner of it, so that the four kinds of semi-hard, distance-weighted and easy-positive mining go
with losses of pairs too.
"""

import abc
import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_finite_nonnegative, check_members
from likeness.research.distances import Distance
from likeness.research.losses.metric.mining import FaceNetSemiHard, SelectionRule
from likeness.research.types import Array, Bool, Float, PRNGKey


class Miner(abc.ABC):
    """What a pair loss asks of its miner. Derive your own from it, as a frozen dataclass."""

    @property
    def needs_key(self) -> bool:
        """Whether the miner draws at random; no, unless yours says otherwise."""
        return False

    def check_distance(self, distance: Distance) -> None:
        """Raises ValueError for a distance that the miner cannot work with; it takes any, unless yours says otherwise."""
        return

    @abc.abstractmethod
    def mined(
        self,
        distances: Float[Array, "n m"],
        positive: Bool[Array, "n m"],
        negative: Bool[Array, "n m"],
        key: PRNGKey | None,
    ) -> tuple[Bool[Array, "n m"], Bool[Array, "n m"]]:
        """The positive and the negative pairs that take part, some of those given. No gradient goes through the choice.

        Args:
            distances: row i holds the distances of anchor i.
            positive: pairs of one person.
            negative: pairs of two.
            key: for a miner that draws at random.
        """


@dataclasses.dataclass(frozen=True)
class AllPairs(Miner):
    """Every pair of the batch."""

    def mined(
        self,
        distances: Float[Array, "n m"],
        positive: Bool[Array, "n m"],
        negative: Bool[Array, "n m"],
        key: PRNGKey | None,
    ) -> tuple[Bool[Array, "n m"], Bool[Array, "n m"]]:
        return positive, negative


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiSimilarityMiner(Miner):
    """An anchor's negatives that are nearer than its farthest positive, and its positives that are farther than its nearest
    negative, each but for ε.

    A positive is kept if ``d_ap + ε > min_n d_an``, a negative if ``d_an - ε < max_p d_ap``. An anchor without positives keeps
    no negative, and one without negatives no positive.

    Wang et al., "Multi-similarity loss with general pair weighting for deep metric learning", 2019, equations 11 and 12, of
    which the similarity is 1 minus the cosine distance.

    Example:
        >>> import jax.numpy as jnp
        >>> distances = jnp.array([[0.0, 0.3, 0.2, 0.9]])
        >>> positive, negative = jnp.array([[False, True, False, False]]), jnp.array([[False, False, True, True]])
        >>> print(MultiSimilarityMiner().mined(distances, positive, negative, None)[1])
        [[False False  True False]]
    """

    epsilon: float = 0.1
    """ε, at least 0, in units of the loss's distance."""

    def __post_init__(self) -> None:
        check_finite_nonnegative("MultiSimilarityMiner", "epsilon", self.epsilon)

    def mined(
        self,
        distances: Float[Array, "n m"],
        positive: Bool[Array, "n m"],
        negative: Bool[Array, "n m"],
        key: PRNGKey | None,
    ) -> tuple[Bool[Array, "n m"], Bool[Array, "n m"]]:
        nearest = jnp.min(jnp.where(negative, distances, jnp.inf), axis=1, keepdims=True, initial=jnp.inf)
        farthest = jnp.max(jnp.where(positive, distances, -jnp.inf), axis=1, keepdims=True, initial=-jnp.inf)
        return positive & (distances + self.epsilon > nearest), negative & (distances - self.epsilon < farthest)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TripletPairs(Miner):
    """The pairs of the triplets that a selection rule chooses, each pair once however many triplets it is in.

    pytorch-metric-learning counts a pair as often as it is in a triplet where its loss sums over pairs.

    Example:
        >>> import jax.numpy as jnp
        >>> from likeness.research.losses import BatchHard
        >>> distances = jnp.array([[0.0, 0.1, 0.3, 0.2, 0.9]])
        >>> positive = jnp.array([[False, True, True, False, False]])
        >>> negative = jnp.array([[False, False, False, True, True]])
        >>> for mask in TripletPairs(rule=BatchHard()).mined(distances, positive, negative, None):
        ...     print(mask)
        [[False False  True False False]]
        [[False False False  True False]]
    """

    rule: SelectionRule = dataclasses.field(default_factory=FaceNetSemiHard)
    """Which triplets."""

    margin: float = 0.2
    """For rules that go by one, in units of the loss's distance."""

    def __post_init__(self) -> None:
        check_finite_nonnegative("TripletPairs", "margin", self.margin)
        check_members(
            "TripletPairs", "rule", self.rule, SelectionRule, "a rule of likeness.research.losses, such as BatchHard()"
        )

    @property
    def needs_key(self) -> bool:
        """Whether the rule draws at random."""
        return self.rule.needs_key

    def check_distance(self, distance: Distance) -> None:
        """Raises ValueError for a distance that the rule cannot work with."""
        self.rule.check_distance(distance)

    def mined(
        self,
        distances: Float[Array, "n m"],
        positive: Bool[Array, "n m"],
        negative: Bool[Array, "n m"],
        key: PRNGKey | None,
    ) -> tuple[Bool[Array, "n m"], Bool[Array, "n m"]]:
        if not distances.size:
            return positive, negative
        positive = self.rule.positives(distances, positive)
        columns = jnp.arange(distances.shape[1], dtype=jnp.float32)
        places = jnp.where(positive, columns, jnp.inf)
        rounds = jnp.max(jnp.sum(positive, axis=1, dtype=jnp.int32), initial=0)

        # As in the triplet loss: the first positive of every anchor, then the second of every anchor, …
        def add(k: Array, so_far: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            previous, positives, negatives = so_far
            place = jnp.min(jnp.where(places > previous[:, None], places, jnp.inf), axis=1)
            at = columns == place[:, None]
            d_ap = jnp.sum(jnp.where(at, distances, 0.0), axis=1, keepdims=True)
            left = (place < jnp.inf)[:, None]
            round_key = None if key is None else jax.random.fold_in(key, k)
            chosen = self.rule.negatives(d_ap, distances, negative & left, self.margin, round_key) & left
            return place, positives | (at & jnp.any(chosen, axis=1, keepdims=True)), negatives | chosen

        before = jnp.full((len(distances),), -1.0, jnp.float32)
        none = jnp.zeros(distances.shape, bool)
        return jax.lax.fori_loop(0, rounds, add, (before, none, none))[1:]
