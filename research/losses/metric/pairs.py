"""Who is the same person as whom in a batch, and how the pairs of a batch are weighted."""

from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import as_labels_or_same, check_array
from likeness.research.types import AnyArray, Array, Bool, Float, Shaped


class PairMasks(NamedTuple):
    """Which pairs of a batch are to be brought together and which apart; a pair in neither mask takes no part.

    For what labels cannot say: several labels an image, pairs about which nothing is known, several sources in one batch. Rows
    are anchors. The diagonal of ``positive`` takes no part, and a pair in both masks is a positive.

    Example:
        >>> import jax.numpy as jnp
        >>> from likeness.research.losses import Triplet
        >>> several = jnp.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]])  # labels of three images
        >>> share = several @ several.T > 0
        >>> masks = PairMasks(positive=share, negative=~share)
        >>> print(f"{Triplet(margin=0.2)(jnp.array([[0.0], [1.0], [1.5]]), masks):.2f}")
        0.95
    """

    positive: Shaped[AnyArray, "..."]
    """(b, b) booleans."""
    negative: Shaped[AnyArray, "..."]
    """(b, b) booleans."""


class Padded(NamedTuple):
    """A batch filled up to a fixed size: rows that are not ``valid`` take no part, whatever they hold.

    Example:
        >>> import jax.numpy as jnp
        >>> from likeness.research.losses import Triplet
        >>> embeddings = jnp.array([[0.0], [1.0], [1.5], [jnp.nan]])
        >>> padded = Padded(jnp.array([0, 0, 1, 0]), valid=jnp.array([True, True, True, False]))
        >>> print(f"{Triplet(margin=0.2)(embeddings, padded):.2f}")
        0.95
    """

    labels_or_same: Shaped[AnyArray, "..."]
    """Integer labels ``(b,)``, or a boolean same-person mask ``(b, b)``."""
    valid: Shaped[AnyArray, "..."]
    """(b,) booleans."""


LabelsOrSame: TypeAlias = Shaped[AnyArray, "..."] | PairMasks | Padded
"""Integer labels ``(b,)``, equal for the same person, or a boolean same-person mask ``(b, b)``; either of them :class:`Padded`;
or :class:`PairMasks`. What is none of these is refused in a sentence, for which the type is wider than that."""

Pairs: TypeAlias = Literal["all", "consecutive"]
"""``all``: every pair i < j of the batch, same and different pairs weighing one half each, whatever their
numbers. ``consecutive``: rows 2i and 2i+1 are a pair, as a sampler of pairs delivers them; every pair weighs
the same."""


def same_person(labels_or_same: LabelsOrSame, count: int | None = None, owner: str = "same_person") -> Bool[Array, "b b"]:
    """The mask ``same[i, j]``: are examples i and j the same person?

    Args:
        labels_or_same: integer labels ``(b,)``, equal for the same person, or the boolean mask ``(b, b)``
            itself, for relations that labels cannot express. The diagonal of a mask does not matter: it is
            taken as True.
        count: b, how many examples there are; None for as many as there are labels.
        owner: whose labels they are, for the error.

    Raises:
        ValueError: neither labels ``(b,)`` nor a mask ``(b, b)``.

    Example:
        >>> import jax.numpy as jnp
        >>> print(same_person(jnp.array([7, 7, 3])).astype(int))
        [[1 1 0]
         [1 1 0]
         [0 0 1]]
    """
    if isinstance(labels_or_same, PairMasks | Padded):
        raise ValueError(
            f"{owner} must know of each pair whether it is one person: give labels of shape (b,) or a same-person mask of "
            f"booleans of shape (b, b), and not {type(labels_or_same).__name__}, by which some pairs take no part."
        )
    given = as_labels_or_same(owner, labels_or_same, count)
    if given.ndim == 1:
        return given[:, None] == given[None, :]
    return given | jnp.eye(len(given), dtype=bool)


def positives_and_negatives(
    labels_or_same: LabelsOrSame, count: int | None = None, owner: str = "positives_and_negatives"
) -> tuple[Bool[Array, "b b"], Bool[Array, "b b"]]:
    """Masks of the positives (same person, another image) and of the negatives (another person) of every anchor.

    Args:
        labels_or_same: of the batch.
        count: b, how many examples there are; None for as many as there are labels.
        owner: whose labels they are, for the error.

    Raises:
        ValueError: labels, masks or ``valid`` of another shape or dtype.
    """
    if isinstance(labels_or_same, PairMasks):
        count = len(labels_or_same.positive) if count is None else count
        for name, mask in labels_or_same._asdict().items():
            check_array(owner, f"the {name} pairs of the same-person masks", mask, (count, count), "booleans")
        positive = jnp.asarray(labels_or_same.positive) & ~jnp.eye(count, dtype=bool)
        return positive, jnp.asarray(labels_or_same.negative) & ~positive & ~jnp.eye(count, dtype=bool)
    if isinstance(labels_or_same, Padded):
        positive, negative = positives_and_negatives(labels_or_same.labels_or_same, count, owner)
        both = valid_rows(labels_or_same, len(positive), owner)
        among = both[:, None] & both[None, :]
        return positive & among, negative & among
    same = same_person(labels_or_same, count, owner)
    return same & ~jnp.eye(len(same), dtype=bool), ~same


def valid_rows(labels_or_same: LabelsOrSame, count: int, owner: str) -> Bool[Array, "b"]:
    """Which rows take part: all, unless it is said.

    Raises:
        ValueError: ``valid`` of another shape or dtype.
    """
    if not isinstance(labels_or_same, Padded):
        return jnp.ones((count,), bool)
    check_array(owner, "`valid` beside the labels", labels_or_same.valid, (count,), "booleans", "Say so of each row.")
    return jnp.asarray(labels_or_same.valid)


def without_padding(embeddings: Float[Array, "b d"], labels_or_same: LabelsOrSame, owner: str) -> Float[Array, "b d"]:
    """The embeddings, at 0 in the rows that take no part."""
    if not isinstance(labels_or_same, Padded):
        return embeddings
    return jnp.where(valid_rows(labels_or_same, len(embeddings), owner)[:, None], embeddings, 0.0)


def all_pair_weights(positive: Bool[Array, "n m"], negative: Bool[Array, "n m"]) -> Float[Array, "n m"]:
    """Weights of pairs that sum to one half over the positive and to one half over the negative ones.

    A batch holds many more different pairs than same ones; unbalanced, "always different" would be nearly
    right. When only one kind is present it weighs 1; when there is no pair at all every weight is 0.
    """
    kinds = [jnp.where(mask, 1.0, 0.0) for mask in (positive, negative)]
    counts = [jnp.sum(kind) for kind in kinds]
    present = sum(jnp.where(count > 0, 1.0, 0.0) for count in counts)
    scale = 1.0 / jnp.maximum(present, 1.0)
    return scale * sum(kind / jnp.maximum(count, 1.0) for kind, count in zip(kinds, counts, strict=True))


def consecutive_rows(embeddings: Float[Array, "b d"]) -> tuple[Float[Array, "p d"], Float[Array, "p d"]]:
    """First and second members of the pairs (0, 1), (2, 3), ... as float32 rows."""
    if len(embeddings) % 2:
        raise ValueError(
            f'pairs="consecutive" reads rows 2i and 2i+1 as a pair, but the batch has {len(embeddings)} rows; draw batches '
            'of an even size from a sampler of pairs, or use pairs="all".'
        )
    members = embeddings.astype(jnp.float32).reshape(-1, 2, embeddings.shape[1])
    return members[:, 0], members[:, 1]


def weighted_pairs(
    pairs: Pairs, labels_or_same: LabelsOrSame, count: int | None = None, owner: str = "weighted_pairs"
) -> tuple[Bool[Array, "..."], Float[Array, "..."]]:
    """For each pair of the batch: is it the same person, and how much does it weigh?

    Args:
        pairs: which pairs.
        labels_or_same: of the batch.
        count: b, how many examples there are; None for as many as there are labels.
        owner: the loss, for the error.

    Returns:
        Two arrays: ``(b, b)``, with weights above the diagonal only, for all pairs; ``(b/2,)`` for consecutive ones.

    Raises:
        ValueError: neither labels ``(b,)`` nor a mask ``(b, b)``.
    """
    if pairs == "all":
        positive, negative = positives_and_negatives(labels_or_same, count, owner)
        upper = jnp.triu(jnp.ones(positive.shape, bool), k=1)
        return positive, all_pair_weights(upper & positive, upper & negative)
    if isinstance(labels_or_same, PairMasks | Padded):
        raise ValueError(
            f'{owner}(pairs="consecutive") takes labels or a same-person mask, and no {type(labels_or_same).__name__}, by '
            'which some pairs take no part. Use pairs="all".'
        )
    given = as_labels_or_same(owner, labels_or_same, count)
    same = given[0::2] == given[1::2] if given.ndim == 1 else jnp.diagonal(given, offset=1)[0::2]
    return same, jnp.full(same.shape, 1.0 / max(len(same), 1), jnp.float32)


def masked_mean(values: Float[Array, "..."], mask: Bool[Array, "..."]) -> Float[Array, ""]:
    """Mean of the values under the mask; 0 when nothing is."""
    count = jnp.sum(jnp.where(mask, 1.0, 0.0))
    return jnp.sum(jnp.where(mask, values, 0.0)) / jnp.maximum(count, 1.0)


def pair_diagnostics(
    distances: Float[Array, "..."], same: Bool[Array, "..."], counted: Bool[Array, "..."]
) -> dict[str, Float[Array, ""]]:
    """Number of pairs and mean distance of the positive and of the negative ones, among those counted."""
    return {
        "pairs": jnp.sum(jnp.where(counted, 1.0, 0.0)),
        "mean_positive_distance": masked_mean(distances, counted & same),
        "mean_negative_distance": masked_mean(distances, counted & ~same),
    }


def mark_nan(value: Float[Array, ""], embeddings: Float[Array, "b d"]) -> Float[Array, ""]:
    """NaN if any embedding is not finite, else the value.

    Selection works by comparisons, which are false for NaN: a diverged encoder would otherwise show a loss of
    0.
    """
    return jnp.where(jnp.all(jnp.isfinite(jax.lax.stop_gradient(embeddings))), value, jnp.nan)
