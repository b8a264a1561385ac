"""CurricularFace: hard negatives weigh little at first, and more as training gets on."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.losses.metric.adaface import check_share
from likeness.research.losses.metric.angular_margin import moved_cosine
from likeness.research.losses.metric.arcface import check_angle
from likeness.research.losses.metric.margin_head import CenterCosines, StatefulHead
from likeness.research.losses.metric.pairs import masked_mean
from likeness.research.types import Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class CurricularFace(StatefulHead):
    """Softmax with ``s cos(θ_y + m)`` for one's own class, where a hard other class has ``s cos θ_j (t + cos θ_j)``.

    A class is hard for an image if ``cos θ_j > cos(θ_y + m)``; the others have s cos θ_j. t is a running average of cos θ_y,
    to which the batch itself belongs already: about 0 for random weights, where hard ones weigh little, and towards 1 later,
    where they weigh more than easy ones. No gradient goes through t.

    t starts at 0. Beyond θ + m = π the margin goes on as a straight line, see
    :func:`~likeness.research.losses.metric.angular_margin.moved_cosine`, and all other classes are hard there.

    Huang et al., "CurricularFace: adaptive curriculum learning loss for deep face recognition", 2020.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = CurricularFace(classes=2, scale=1.0, momentum=0.0)
        >>> # t = cos θ_y = 0, and the other class, with cosine 1 > cos(π/2 + m), is hard: 1 · (0 + 1).
        >>> value = loss({"centers": jnp.eye(2)}, jnp.array([[0.0, 1.0]]), jnp.array([0]))
        >>> print(f"{value:.4f}")  # log(1 + exp(1 + sin 0.5))
        1.6846
    """

    margin: float = 0.5
    """m, in radians, from 0 to below π."""

    momentum: float = 0.99
    """The share of t that a batch leaves, from 0 to below 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_angle("CurricularFace", "margin", self.margin)
        check_share("CurricularFace", "momentum", self.momentum)

    def init_state(self, dimension: int) -> PyTree:
        """``t`` before the first batch: 0."""
        return {"t": jnp.array(0.0, jnp.float32)}

    def costs(
        self, params: PyTree, state: PyTree, cosines: CenterCosines, key: PRNGKey | None
    ) -> tuple[Float[Array, "b"], PyTree, dict[str, Scalar]]:
        """Cross-entropy with a margin for the own class and the hard others reweighted."""
        mean = masked_mean(jax.lax.stop_gradient(cosines.own), cosines.valid)
        t = jnp.where(jnp.any(cosines.valid), self.momentum * state["t"] + (1.0 - self.momentum) * mean, state["t"])
        target = moved_cosine(cosines.own, self.margin, gradient=self.gradient)
        hard = cosines.all > target[:, None]
        others = jnp.where(hard, cosines.all * (t + cosines.all), cosines.all)
        share = masked_mean(jnp.where(hard, 1.0, 0.0), cosines.other & cosines.valid[:, None])
        return self.softmax_costs(target, others, cosines.other), {"t": t}, {"t": t, "hard_fraction": share}
