"""The focal loss: binary cross-entropy in which what is easy counts little."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_finite_nonnegative
from likeness.research.losses.detection.terms import as_outputs
from likeness.research.types import AnyArray, Array, Float, Shaped


@dataclasses.dataclass(frozen=True, kw_only=True)
class FocalLoss:
    """``-α_t (1 - p_t)^γ log p_t`` of each entry, with p_t the probability σ(z) that is given to what is true.

    α_t is α for foreground, ``y = 1``, and 1 - α for background. With γ = 0 and α = ½ it is half the binary cross-entropy.
    RetinaNet divides the sum over all anchors by the number of foreground anchors, or by 1 where there are none.

    Lin et al., "Focal loss for dense object detection", ICCV 2017.

    Example:
        >>> import jax.numpy as jnp
        >>> print(FocalLoss()(jnp.array([0.0]), jnp.array([1.0])))  # 0.25 · 0.5² · log 2
        [0.0433217]
    """

    alpha: float = 0.25
    """α, the weight of foreground, from 0 to 1."""

    gamma: float = 2.0
    """γ, by how much an entry that is nearly right counts less."""

    def __post_init__(self) -> None:
        check_finite_nonnegative("FocalLoss", "gamma", self.gamma)
        if not 0.0 <= self.alpha <= 1.0:
            raise ValueError(f"FocalLoss(alpha={self.alpha}): alpha is the weight of foreground, from 0 to 1. Give 0.25, say.")

    def __call__(self, logits: Shaped[AnyArray, "..."], targets: Shaped[AnyArray, "..."]) -> Float[Array, "*shape"]:
        """The loss of each entry.

        Args:
            logits: z, of any shape.
            targets: y, 0 or 1, of the same shape.

        Raises:
            ValueError: another shape or dtype.
        """
        shape = tuple(logits.shape)
        z = as_outputs("FocalLoss", "logits", logits, shape, "Give a score for each class of each anchor.")
        y = as_outputs("FocalLoss", "targets", targets, shape, "Give 0 or 1 for each logit.")
        # The logit of what is true. Powers are taken of logarithms, which have a derivative at p_t = 1 as well.
        own = jnp.where(y > 0.5, z, -z)
        weight = jnp.where(y > 0.5, self.alpha, 1.0 - self.alpha)
        return -weight * jnp.exp(self.gamma * jax.nn.log_sigmoid(-own)) * jax.nn.log_sigmoid(own)
