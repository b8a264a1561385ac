"""Selection rules: which triplets (anchor a, positive p, negative n) of a batch the triplet loss is made of.

A rule is asked twice. ``positives`` says which positives of each anchor take part. Then, for one of these
positives per anchor at a time, ``negatives`` says which negatives form a triplet with it. So no rule ever
holds more than a (b, b) matrix. ``d_ap`` and ``d_an`` are whatever distance the loss uses: squared L2, unless
it is told otherwise.

Four different rules are called "semi-hard"; papers and libraries that say the word mean one of these:

=====================  ===================================================================  =============
rule                   negatives of an anchor-positive pair                                 as in
=====================  ===================================================================  =============
``FaceNetSemiHard``    one in the band d_ap < d_an < d_ap + margin, random or hardest       FaceNet
``AddonsSemiHard``     the nearest with d_an > d_ap, else the farthest of all               TF Addons
``BandSemiHard``       all in the band d_ap < d_an <= d_ap + margin                         PML
``AnchorSemiHard``     farthest positive only: the nearest d_an > d_ap, else the farthest   TF Similarity
=====================  ===================================================================  =============

(PML is pytorch-metric-learning, TF is TensorFlow.) Equal distances are resolved by the lowest index, as
``argmin`` does.
"""

import abc
import dataclasses
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice
from likeness.research.distances import Distance
from likeness.research.types import Array, Bool, Float, PRNGKey, Scalar

Mask: TypeAlias = Bool[Array, "n m"]
Distances: TypeAlias = Float[Array, "n m"]
Column: TypeAlias = Float[Array, "n 1"]


class SelectionRule(abc.ABC):
    """What the triplet loss asks of a selection rule. Derive your own from it, as a frozen dataclass."""

    @property
    def needs_key(self) -> bool:
        """Whether the rule draws at random; no, unless yours says otherwise."""
        return False

    @abc.abstractmethod
    def positives(self, distances: Distances, positive: Mask) -> Mask:
        """The positives of each anchor (a row) that take part."""

    @abc.abstractmethod
    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        """The negatives of each anchor (a row) that form a triplet with the positive at distance ``d_ap``."""

    def check_distance(self, distance: Distance) -> None:
        """Raises ValueError for a loss's distance that the rule cannot work with; it takes any, unless yours says otherwise."""
        return


def first(mask: Mask) -> Mask:
    """The first True of each row, alone."""
    columns = jnp.arange(mask.shape[1], dtype=jnp.float32)
    return mask & (columns == jnp.min(jnp.where(mask, columns, jnp.inf), axis=1, keepdims=True))


def nearest(distances: Distances, mask: Mask) -> Mask:
    """The nearest of each row's candidates, alone; an empty row where there is none."""
    return first(mask & (distances == jnp.min(jnp.where(mask, distances, jnp.inf), axis=1, keepdims=True)))


def farthest(distances: Distances, mask: Mask) -> Mask:
    """The farthest of each row's candidates, alone; an empty row where there is none."""
    return first(mask & (distances == jnp.max(jnp.where(mask, distances, -jnp.inf), axis=1, keepdims=True)))


def uniformly(mask: Mask, key: PRNGKey | None) -> Mask:
    """One of each row's candidates, each with equal probability; an empty row where there is none."""
    if key is None:
        raise ValueError("This rule draws triplets at random and got no key: pass key=jax.random.key(...) to the loss.")
    place = jnp.cumsum(mask, axis=1, dtype=jnp.int32)
    count = place[:, -1]
    drawn = jnp.floor(jax.random.uniform(key, count.shape) * count).astype(jnp.int32)
    # The product may round up to the count itself.
    return mask & (place == jnp.minimum(drawn, count - 1)[:, None] + 1)


@dataclasses.dataclass(frozen=True)
class RandomTriplets(SelectionRule):
    """One negative drawn uniformly for each anchor-positive pair; most are already far enough and cost nothing."""

    @property
    def needs_key(self) -> bool:
        return True

    def positives(self, distances: Distances, positive: Mask) -> Mask:
        return positive

    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        return uniformly(negative, key)


@dataclasses.dataclass(frozen=True)
class BatchAll(SelectionRule):
    """Every triplet of the batch (Hermans et al. 2017, "batch all"; with ``mean_active``, "batch all ≠ 0")."""

    def positives(self, distances: Distances, positive: Mask) -> Mask:
        return positive

    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        return negative


@dataclasses.dataclass(frozen=True)
class BatchHard(SelectionRule):
    """For each anchor its farthest positive and its nearest negative: one triplet an anchor (Hermans et al.
    2017).

    The paper uses it with unsquared distances, unnormalized embeddings and the soft margin:
    ``Triplet(margin=0.0, penalty="softplus", distance=Euclidean(), rule=BatchHard())``. Mislabeled images are the
    hardest of all.
    """

    def positives(self, distances: Distances, positive: Mask) -> Mask:
        return farthest(distances, positive)

    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        return nearest(distances, negative)


@dataclasses.dataclass(frozen=True)
class FaceNetSemiHard(SelectionRule):
    """Semi-hard as FaceNet: for each anchor-positive pair **one** negative in the band.

    The band is d_ap < d_an < d_ap + margin. Pairs whose band is empty are left out. (Schroff et al. 2015,
    section 3.2. The well-known open implementations of FaceNet train with :class:`MarginViolating` instead.)
    """

    choice: Literal["random", "hardest"] = "random"
    """Which negative of the band: a uniformly random one, or the nearest to the anchor."""

    def __post_init__(self) -> None:
        check_choice("FaceNetSemiHard", "choice", self.choice, Literal["random", "hardest"])

    @property
    def needs_key(self) -> bool:
        return self.choice == "random"

    def positives(self, distances: Distances, positive: Mask) -> Mask:
        return positive

    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        band = negative & (distances > d_ap) & (distances < d_ap + margin)
        return uniformly(band, key) if self.choice == "random" else nearest(distances, band)


@dataclasses.dataclass(frozen=True)
class AddonsSemiHard(SelectionRule):
    """Semi-hard as TensorFlow Addons: for each pair the nearest negative with d_an > d_ap, however far.

    Where every negative is nearer than the positive it takes the farthest negative, so every pair has exactly
    one triplet and ``reduction="mean"`` divides by the number of anchor-positive pairs, as
    ``triplet_semihard_loss`` does.
    """

    def positives(self, distances: Distances, positive: Mask) -> Mask:
        return positive

    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        return _beyond_else_farthest(d_ap, distances, negative)


@dataclasses.dataclass(frozen=True)
class BandSemiHard(SelectionRule):
    """Semi-hard as pytorch-metric-learning: for each anchor-positive pair **all** negatives in the band.

    The band is d_ap < d_an <= d_ap + margin. That library's
    ``TripletMarginMiner(type_of_triplets="semihard")`` works on unsquared distances and averages over the
    non-zero terms: ``Triplet(distance=Euclidean(), reduction="mean_active", rule=BandSemiHard())``.
    """

    def positives(self, distances: Distances, positive: Mask) -> Mask:
        return positive

    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        # The difference, not d_ap + margin, is what that library compares; they round differently.
        gap = distances - d_ap
        return negative & (gap > 0) & (gap <= margin)


@dataclasses.dataclass(frozen=True)
class AnchorSemiHard(SelectionRule):
    """Semi-hard as TensorFlow Similarity: **one triplet an anchor**.

    Its farthest positive with the nearest negative beyond that. Where no negative is farther than the
    farthest positive it takes the farthest ("easiest") negative.
    """

    def positives(self, distances: Distances, positive: Mask) -> Mask:
        return farthest(distances, positive)

    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        return _beyond_else_farthest(d_ap, distances, negative)


@dataclasses.dataclass(frozen=True)
class MarginViolating(SelectionRule):
    """For each anchor-positive pair one random negative with d_an - d_ap < margin, hard ones included.

    Pairs that no negative violates are left out. Introduced by VGG Face (Parkhi et al. 2015); the open
    implementations of FaceNet and OpenFace train with it too.
    """

    @property
    def needs_key(self) -> bool:
        return True

    def positives(self, distances: Distances, positive: Mask) -> Mask:
        return positive

    def negatives(
        self, d_ap: Column, distances: Distances, negative: Mask, margin: Scalar | float, key: PRNGKey | None
    ) -> Mask:
        return uniformly(negative & (distances - d_ap < margin), key)


def _beyond_else_farthest(d_ap: Column, distances: Distances, negative: Mask) -> Mask:
    beyond = negative & (distances > d_ap)
    found = jnp.any(beyond, axis=1, keepdims=True)
    return jnp.where(found, nearest(distances, beyond), farthest(distances, negative))
