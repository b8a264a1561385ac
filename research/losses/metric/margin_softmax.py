"""Combined margins: on the angle's factor, on the angle and on the cosine, in one formula."""

import dataclasses
import math

from likeness.research.checks import check_finite_nonnegative
from likeness.research.losses.metric.angular_margin import moved_cosine
from likeness.research.losses.metric.margin_head import AngularHead, CenterCosines
from likeness.research.types import Array, Float, PRNGKey, PyTree, Scalar


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarginSoftmax(AngularHead):
    """Softmax over the cosines to class centers W, where one's own class must win by a combined margin.

    With ``cos θ_j = f·W_j / (|f| |W_j|)`` and y the image's class, the mean over the batch of

    ``-log( exp(s ψ(θ_y)) / (exp(s ψ(θ_y)) + Σ_{j≠y} exp(s cos θ_j)) )``,  ``ψ(θ) = cos(m1 θ + m2) - m3``.

    ArcFace is m2 = 0.5, the default; CosFace is m2 = 0 and m3 = 0.35; SphereFace's margin is m1 > 1; they combine: InsightFace
    calls m1 = 1, m2 = 0.3, m3 = 0.2 its combined margin. With no margin it is the normalized softmax.

    - Beyond m1 θ + m2 = π ψ goes on as a straight line, see
      :func:`~likeness.research.losses.metric.angular_margin.moved_cosine`. (pytorch-metric-learning has the parallel line that
      lies m2 sin m2 + cos m2 - 1 lower, 0.117 at m2 = 0.5. The gradient is the same as long as the image is as good as
      certainly taken for somebody else, which with s = 64 it is there.)
    - What is degenerate, or wrong, is answered as :class:`~likeness.research.losses.metric.margin_head.MarginHead` says.

    Deng et al., "ArcFace: additive angular margin loss for deep face recognition", 2019; Wang et al., "CosFace: large margin
    cosine loss for deep face recognition", 2018; Liu et al., "SphereFace: deep hypersphere embedding for face recognition",
    2017.

    Example:
        >>> import jax.numpy as jnp
        >>> loss = MarginSoftmax(classes=2, scale=1.0, m2=0.5)
        >>> value = loss({"centers": jnp.eye(2)}, jnp.eye(2), jnp.array([0, 1]))
        >>> print(f"{value:.4f}")  # log(1 + exp(0 - cos 0.5))
        0.3477
    """

    m1: float = 1.0
    """Factor of the angle, at least 1."""

    m2: float = 0.5
    """Added to the angle, in radians, from 0 to below π."""

    m3: float = 0.0
    """Taken from the cosine, at least 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("m2", "m3"):
            check_finite_nonnegative("MarginSoftmax", name, getattr(self, name))
        if not 1.0 <= self.m1 < math.inf:
            raise ValueError(f"MarginSoftmax(m1={self.m1}): m1 multiplies the angle and must be at least 1. Give m1=1.0, say.")
        if self.m2 >= math.pi:
            raise ValueError(f"MarginSoftmax(m2={self.m2}): m2 is an angle in radians and must be below π. Give m2=0.5, say.")

    def costs(
        self, params: PyTree, state: PyTree, cosines: CenterCosines, key: PRNGKey | None
    ) -> tuple[Float[Array, "b"], PyTree, dict[str, Scalar]]:
        """Cross-entropy with ψ for the own class."""
        return self.softmax_costs(self.margin(cosines.own), cosines.all, cosines.other), state, {}

    def margin(self, cosine: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """ψ(θ) of cos θ, with the derivative that ``gradient`` asks for."""
        if self.m1 == 1.0 and self.m2 == 0.0:
            return cosine - self.m3
        return moved_cosine(cosine, self.m2, self.m1, self.gradient) - self.m3
