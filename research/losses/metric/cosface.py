"""CosFace: a margin taken from the cosine to one's own class center."""

import dataclasses

from likeness.research.checks import check_finite_nonnegative
from likeness.research.losses.metric.margin_head import CenterCosines, MarginHead
from likeness.research.types import Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class CosFace(MarginHead):
    """Softmax over s cos θ_j, with ``s (cos θ_y - m)`` for one's own class. Also known as AM-softmax.

    Its margin is a constant of the logit, so the gradient is bounded by s everywhere: the mildest of the family to train.

    Wang et al., "CosFace: large margin cosine loss for deep face recognition", 2018; Wang et al., "Additive margin softmax for
    face verification", 2018.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = CosFace(classes=2, scale=1.0)
        >>> print(f"{loss({'centers': jnp.eye(2)}, jnp.eye(2), jnp.array([0, 1])):.4f}")  # log(1 + exp(0 - 0.65))
        0.4201
    """

    margin: float = 0.35
    """m, at least 0; the cosine runs from -1 to 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_finite_nonnegative("CosFace", "margin", self.margin)

    def costs(
        self, params: PyTree, state: PyTree, cosines: CenterCosines, key: PRNGKey | None
    ) -> tuple[Float[Array, "b"], PyTree, dict[str, Scalar]]:
        """Cross-entropy with cos θ_y - m for the own class."""
        return self.softmax_costs(cosines.own - self.margin, cosines.all, cosines.other), state, {}
