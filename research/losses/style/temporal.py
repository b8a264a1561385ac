"""What keeps a painted film from flickering."""

import dataclasses

import jax.numpy as jnp

from likeness.research.checks import check_array
from likeness.research.losses.style.layers import safe_divide
from likeness.research.types import AnyArray, Scalar, Shaped


@dataclasses.dataclass(frozen=True)
class Temporal:
    """``J = Σ_p c_p |x_p - ω_p|² / (3 Σ_p c_p)``: how far a painting is from the one before, moved along the optical flow.

    c_p in [0, 1] says how far the flow is trusted at a pixel (:func:`~likeness.research.geometry.trusted_flow`): what has just
    come into sight is painted anew. Ruder et al. 2016, "Artistic style transfer for videos", divide by all pixels instead; so
    their loss fades where much is new, and here it does not. Where nothing is trusted it is 0.

    Example:
        >>> painted, earlier = jnp.full((1, 2, 2, 3), 0.5), jnp.zeros((1, 2, 2, 3))
        >>> float(Temporal()(painted, earlier, jnp.array([[1.0, 0.0], [0.0, 0.0]])))
        0.25
    """

    def __call__(
        self, pixels: Shaped[AnyArray, "..."], earlier: Shaped[AnyArray, "..."], trust: Shaped[AnyArray, "..."]
    ) -> Scalar:
        """The loss, a float32 number: the mean over the images.

        Args:
            pixels: x, (b, h, w, c).
            earlier: ω, of the same shape.
            trust: c, (h, w).

        Raises:
            ValueError: arrays of other shapes, or no floats.
        """
        check_array("Temporal", "the painting", pixels, ("b", "h", "w", "c"), "floats")
        check_array("Temporal", "the painting before", earlier, pixels.shape, "floats")
        check_array("Temporal", "the trust", trust, pixels.shape[1:3], "floats")
        weights = jnp.asarray(trust, jnp.float32)
        # What is not trusted may be anything, even no number.
        kept = jnp.where(weights[None, :, :, None] > 0, jnp.asarray(earlier, jnp.float32), pixels)
        squares = jnp.mean(jnp.square(jnp.asarray(pixels, jnp.float32) - kept), axis=(0, 3))
        return safe_divide(jnp.sum(weights * squares), jnp.sum(weights))
