"""Softmax cross-entropy, with labels that may be smoothed."""

import dataclasses
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from likeness.research.checks import UncheckedEmbeddings, UncheckedLabels, as_labels, check_array
from likeness.research.types import Array, Float

__all__ = ["ClassificationLoss", "CrossEntropy"]


@runtime_checkable
class ClassificationLoss(Protocol):
    """A loss on scores of classes."""

    def __call__(self, logits: UncheckedEmbeddings, labels: UncheckedLabels) -> Float[Array, "b"]:
        """The loss of each example.

        Args:
            logits: (b, K), a score for each class.
            labels: (b,), the class of each example.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossEntropy:
    """How far the class probabilities p = softmax(z) are from the labels, for each example:

    ``-Σ_j q_j log p_j``,  ``q_j = (1 - s)[j = y] + s / K``

    with K classes, label y and smoothing s. It is at least the entropy of q, which is 0 without smoothing. Float32 inside. A
    label outside 0 … K - 1 gives NaN: under ``jit`` values are not known, so no error can be raised for it.

    Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, for the smoothing.

    Example:
        >>> loss = CrossEntropy()
        >>> print(f"{loss(jnp.array([[0.0, 0.0]]), jnp.array([1]))[0]:.4f}")  # log 2
        0.6931
    """

    smoothing: float = 0.0
    """s, the share of each label that is spread evenly over the classes."""

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise ValueError(
                f"CrossEntropy.smoothing is {self.smoothing}: give a share of at least 0 and below 1, such as 0.1."
            )

    def __call__(self, logits: UncheckedEmbeddings, labels: UncheckedLabels) -> Float[Array, "b"]:
        """The loss of each example.

        Args:
            logits: z, (b, K), a score for each class.
            labels: y, (b,), the class of each example.

        Raises:
            ValueError: another shape or dtype; a label that is known here and does not fit into 32 bits.
        """
        check_array("CrossEntropy", "logits", logits, ("b", "K"), help="Give a score for each class of each example.")
        labels = as_labels("CrossEntropy", labels, len(logits), "rows of logits")
        log_p = jax.nn.log_softmax(jnp.asarray(logits, jnp.float32), axis=-1)
        classes = log_p.shape[-1]
        known = jnp.where((labels >= 0) & (labels < classes), labels, classes)
        own = jnp.take_along_axis(log_p, known[:, None], axis=-1, mode="fill", fill_value=jnp.nan)[:, 0]
        return -(1 - self.smoothing) * own - self.smoothing * log_p.mean(axis=-1)
