"""Who is the same person as whom in a batch, and how the pairs of a batch are weighted."""

from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.checks import as_labels_or_same
from likeness.research.types import AnyArray, Array, Bool, Float, Shaped

LabelsOrSame: TypeAlias = Shaped[AnyArray, "..."]
"""Integer labels ``(b,)``, equal for the same person, or a boolean same-person mask ``(b, b)``. What is neither is refused in a
sentence, for which the type is wider than that."""

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
    given = as_labels_or_same(owner, labels_or_same, count)
    if given.ndim == 1:
        return given[:, None] == given[None, :]
    return given | jnp.eye(len(given), dtype=bool)


def positives_and_negatives(
    labels_or_same: LabelsOrSame, count: int | None = None, owner: str = "positives_and_negatives"
) -> tuple[Bool[Array, "b b"], Bool[Array, "b b"]]:
    """Masks of the positives (same person, another image) and of the negatives (another person) of every anchor.

    The arguments and errors are those of :func:`same_person`.
    """
    same = same_person(labels_or_same, count, owner)
    return same & ~jnp.eye(len(same), dtype=bool), ~same


def all_pair_weights(same: Bool[Array, "b b"]) -> Float[Array, "b b"]:
    """Weights of the pairs i < j that sum to one half over same and to one half over different pairs.

    A batch holds many more different pairs than same ones; unbalanced, "always different" would be nearly
    right. When only one kind is present it weighs 1; when there is no pair at all every weight is 0.
    """
    upper = jnp.triu(jnp.ones(same.shape, bool), k=1)
    kinds = [jnp.where(mask, 1.0, 0.0) for mask in (upper & same, upper & ~same)]
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
        same = same_person(labels_or_same, count, owner)
        return same, all_pair_weights(same)
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
