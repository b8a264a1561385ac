"""AdaFace: the margin follows the image's quality, which the length of its embedding tells."""

import dataclasses

import jax
import jax.numpy as jnp

from likeness.research.checks import check_finite_positive
from likeness.research.losses.metric.angular_margin import moved_cosine
from likeness.research.losses.metric.arcface import check_angle
from likeness.research.losses.metric.margin_head import CenterCosines, StatefulHead
from likeness.research.types import Array, Float, PRNGKey, PyTree, Scalar

_SHORTEST, _LONGEST, _LEAST_SPREAD = 1e-3, 100.0, 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdaFace(StatefulHead):
    """Softmax over s cos θ_j, with ``s (cos(θ_y + g_angle) - g_add)`` for one's own class.

    ``q = clip(h (|f| - μ) / (σ + 0.001), -1, 1)`` is the image's quality, with running averages μ and σ of the mean and the
    standard deviation of the embeddings' lengths, to which the batch itself belongs already;
    ``g_angle = -m q`` and ``g_add = m q + m``. With q = -1 (blurred, small) it is ArcFace, which weighs easy images most, with
    q = 0 CosFace, and with q = 1 hard images weigh most. No gradient goes through q.

    - **The encoder must not scale its embeddings to unit length**, as ``normalize=True`` does: all would be of one quality, and
      this CosFace. Lengths count from 0.001 to 100.
    - Where θ + g_angle would be below 0, ψ stays at 1, as with the authors; beyond π it goes on as a straight line, see
      :func:`~likeness.research.losses.metric.angular_margin.moved_cosine` (there theirs stays at -1).
    - μ starts at 20 and σ at 100, as theirs do. A batch of one image has no standard deviation and leaves σ as it is (theirs
      becomes NaN).

    Kim, Jain and Liu, "AdaFace: quality adaptive margin for face recognition", 2022.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = AdaFace(classes=2, scale=1.0)
        >>> state = {"mean": jnp.array(1.0), "deviation": jnp.array(0.0)}
        >>> # Both lengths are the mean: q = 0, and the cost is log(1 + exp(0 - (1 - 0.4))).
        >>> value, _, _ = loss.value_state_and_diagnostics({"centers": jnp.eye(2)}, state, jnp.eye(2), jnp.array([0, 1]))
        >>> print(f"{value:.4f}")
        0.4375
    """

    margin: float = 0.4
    """m, in radians and in units of the cosine, from 0 to below π."""

    concentration: float = 0.333
    """h, above 0: a quality of ±1 is 1/h standard deviations from the mean."""

    momentum: float = 0.99
    """The share of the running averages that a batch leaves, from 0 to below 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_angle("AdaFace", "margin", self.margin)
        check_finite_positive("AdaFace", "concentration", self.concentration)
        check_share("AdaFace", "momentum", self.momentum)

    def init_state(self, dimension: int) -> PyTree:
        """The averages before the first batch: ``mean`` 20 and ``deviation`` 100."""
        return {"mean": jnp.array(20.0, jnp.float32), "deviation": jnp.array(100.0, jnp.float32)}

    def costs(
        self, params: PyTree, state: PyTree, cosines: CenterCosines, key: PRNGKey | None
    ) -> tuple[Float[Array, "b"], PyTree, dict[str, Scalar]]:
        """Cross-entropy with the margin of each image's quality for the own class."""
        lengths = jax.lax.stop_gradient(jnp.clip(cosines.lengths, _SHORTEST, _LONGEST))
        state = self._averaged(state, lengths, cosines)
        quality = self.concentration * (lengths - state["mean"]) / (state["deviation"] + _LEAST_SPREAD)
        quality = jnp.clip(quality, -1.0, 1.0)
        target = moved_cosine(cosines.own, -self.margin * quality, gradient=self.gradient) - self.margin * (quality + 1.0)
        watched = {"mean_length": state["mean"], "length_deviation": state["deviation"]}
        return self.softmax_costs(target, cosines.all, cosines.other), state, watched

    def _averaged(self, state: PyTree, lengths: Array, cosines: CenterCosines) -> PyTree:
        count = jnp.sum(jnp.where(cosines.valid, 1.0, 0.0))
        mean = jnp.sum(jnp.where(cosines.valid, lengths, 0.0)) / jnp.maximum(count, 1.0)
        squares = jnp.sum(jnp.where(cosines.valid, jnp.square(lengths - mean), 0.0))
        deviation = jnp.sqrt(squares / jnp.maximum(count - 1.0, 1.0))
        new = 1.0 - self.momentum
        return {
            "mean": jnp.where(count > 0, self.momentum * state["mean"] + new * mean, state["mean"]),
            "deviation": jnp.where(count > 1, self.momentum * state["deviation"] + new * deviation, state["deviation"]),
        }


def check_share(owner: str, field: str, value: float) -> None:
    """Raises ValueError unless a field holds a number from 0 to below 1."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{owner}({field}={value}): {field} is a share, from 0 to below 1. Give 0.99, say.")
