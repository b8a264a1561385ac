"""The cosine of an angle moved by a margin, with a derivative that is finite everywhere."""

from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.types import Array, Float, Scalar

_SMALLEST_SINE = 1e-3

Gradient: TypeAlias = Literal["exact", "straight_through"]
"""``exact``: of the formula. ``straight_through``: dψ/d(cos θ) = 1, as InsightFace trains, which sets the margin outside of
what it differentiates."""


def moved_cosine(
    cosine: Float[Array, "*shape"], m2: Float[Array, "*shape"] | Scalar | float, m1: float = 1.0, gradient: Gradient = "exact"
) -> Float[Array, "*shape"]:
    """``ψ(θ) = cos(m1 θ + m2)`` of cos θ, made to fall with the angle from 0 to π.

    - Beyond m1 θ + m2 = π, where the cosine would rise again, ψ goes on as the straight line of slope 1 in cos θ that meets it
      there. Below m1 θ + m2 = 0, where a negative m2 leads, it stays at 1 and has no derivative.
    - dψ/d(cos θ) = m1 sin(m1 θ + m2) / sin θ has no bound, and rounding leaves nothing of θ near 0 and π: the divisor is
      taken as 0.001 at least, so within 0.06° of 0 and π the derivative fades to 0. θ is ``atan2(sin θ, cos θ)``, as the
      arccosine's own derivative is infinite there.

    Args:
        cosine: cos θ, float32.
        m2: added to the angle, in radians, of one size for all or for each; above -π and below π.
        m1: factor of the angle, at least 1.
        gradient: by cos θ and m2: of the formula; or 1 by cos θ and 0 by m2.

    Returns:
        ψ, float32.

    Example:
        >>> print(f"{moved_cosine(jnp.array(1.0), 0.5):.4f}")  # cos 0.5
        0.8776
    """
    moved = _moved(cosine, jnp.broadcast_to(jnp.asarray(m2, jnp.float32), cosine.shape), jnp.float32(m1))
    return moved if gradient == "exact" else cosine + jax.lax.stop_gradient(moved - cosine)


def _parts(cosine: Array, m2: Array, m1: Array) -> tuple[Array, Array, Array, Array]:
    """The moved angle, sin θ, whether the angle is not beyond π, and the θ where it is π."""
    sine = jnp.sqrt(jnp.maximum((1.0 - cosine) * (1.0 + cosine), 0.0))
    end = (jnp.pi - m2) / m1
    # Not `cosine > cos(end)`, which would take NaN for beyond. With m2 <= 0 there is nothing beyond: `end` is π or more.
    before = ~(cosine <= jnp.cos(jnp.minimum(end, jnp.pi))) | (end >= jnp.pi)
    return m1 * jnp.arctan2(sine, cosine) + m2, sine, before, end


@jax.custom_jvp
def _moved(cosine: Array, m2: Array, m1: Array) -> Array:
    angle, _, before, end = _parts(cosine, m2, m1)
    return jnp.where(before, jnp.cos(jnp.maximum(angle, 0.0)), cosine - jnp.cos(end) - 1.0)


@_moved.defjvp
def _moved_derivative(at: tuple[Array, Array, Array], along: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    cosine, m2, m1 = at
    angle, sine, before, end = _parts(cosine, m2, m1)
    turned = jnp.sin(jnp.maximum(angle, 0.0))
    by_cosine = jnp.where(before, m1 * turned / jnp.maximum(sine, _SMALLEST_SINE), 1.0)
    by_m2 = jnp.where(before, -turned, -jnp.sin(end) / m1)
    return _moved(cosine, m2, m1), by_cosine * along[0] + by_m2 * along[1]
