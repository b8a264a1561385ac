"""UniFace: one threshold that all same and all different similarities are held to."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from likeness.research.checks import check_array, check_finite_nonnegative
from likeness.research.losses.metric.margin_head import CenterCosines, MarginHead
from likeness.research.types import Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class UniFace(MarginHead):
    """Unified cross-entropy: each cosine is held to one learned threshold b/s, instead of being compared with the others.

    ``log(1 + exp(b - s (cos θ_y - m))) + λ Σ_{j≠y} log(1 + exp(s cos θ_j - b))``, the mean over the batch.

    Softmax only asks that an image's own class beat the others of that image; here all images have one threshold, as
    verification has. b starts at log(10 · classes · rate), where the many other classes and the one own about balance, and is
    learned with the centers; the cosine b/s is the diagnostic ``threshold``. (The authors' code clips the exponents at ±s,
    where their gradient is 0; here nothing is clipped.)

    Zhou et al., "UniFace: unified cross-entropy loss for deep face recognition", 2023.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = UniFace(classes=2, scale=1.0, margin=0.0)
        >>> params = {"centers": jnp.eye(2), "bias": jnp.array(0.5)}
        >>> print(f"{loss(params, jnp.eye(2), jnp.array([0, 1])):.4f}")  # twice log(1 + exp(-0.5))
        0.9482
    """

    margin: float = 0.4
    """m, taken from the cosine to one's own center, at least 0."""

    weight: float = 1.0
    """λ, of the other classes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_finite_nonnegative("UniFace", "margin", self.margin)
        check_finite_nonnegative("UniFace", "weight", self.weight)

    def init(self, key: PRNGKey, dimension: int) -> PyTree:
        """Centers in random directions, and the ``bias`` b."""
        return {**super().init(key, dimension), "bias": jnp.array(math.log(10.0 * self.classes * self.rate), jnp.float32)}

    def costs(
        self, params: PyTree, state: PyTree, cosines: CenterCosines, key: PRNGKey | None
    ) -> tuple[Float[Array, "b"], PyTree, dict[str, Scalar]]:
        """Two-sided logistic costs about the threshold."""
        check_array("UniFace", "bias", params["bias"], (), help="It was made for another loss.")
        bias = params["bias"].astype(jnp.float32)
        own = jax.nn.softplus(bias - self.scale * (cosines.own - self.margin))
        others = jnp.sum(jnp.where(cosines.other, jax.nn.softplus(self.scale * cosines.all - bias), 0.0), axis=1)
        return own + self.weight * others, state, {"threshold": bias / self.scale}
