"""The quality focal loss: a class score that is trained towards how well the box fits."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.losses.detection.terms import as_outputs, binary_cross_entropy
from likeness.research.types import AnyArray, Array, Float, Shaped


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualityFocalLoss:
    """``|y - σ(z)|^β BCE(σ(z), y)`` of each entry, with a target y from 0 to 1.

    y is the quality of a foreground place in the column of its class, such as the IoU of its box, and 0 in all others. With
    whole targets and β = 2 it is the focal loss without α. The least that an entry can cost is 0, at ``σ(z) = y``.

    Li et al., "Generalized focal loss: learning qualified and distributed bounding boxes for dense object detection", 2020.

    Example:
        >>> import jax.numpy as jnp
        >>> print(QualityFocalLoss()(jnp.array([0.0, 0.0]), jnp.array([0.5, 1.0])))  # 0 and 0.5² · log 2
        [0.        0.1732868]
    """

    beta: float = 2.0
    """β, at least 1: by how much an entry that is nearly right counts less."""

    def __post_init__(self) -> None:
        # Below 1 the derivative has no bound where an entry is right.
        if not 1.0 <= self.beta < float("inf"):
            raise ValueError(f"QualityFocalLoss(beta={self.beta}): beta must be a finite number, at least 1. Give 2.0, say.")

    def __call__(self, logits: Shaped[AnyArray, "..."], targets: Shaped[AnyArray, "..."]) -> Float[Array, "*shape"]:
        """The loss of each entry.

        Args:
            logits: z, of any shape.
            targets: y, from 0 to 1, of the same shape.

        Raises:
            ValueError: another shape or dtype.
        """
        shape = tuple(logits.shape)
        z = as_outputs("QualityFocalLoss", "logits", logits, shape, "Give a score for each class of each place.")
        y = as_outputs("QualityFocalLoss", "targets", targets, shape, "Give a quality from 0 to 1 for each logit.")
        return jnp.abs(y - jax.nn.sigmoid(z)) ** self.beta * binary_cross_entropy(z, y)
