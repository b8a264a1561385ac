"""Pictures at another size."""

import functools

import jax
import jax.numpy as jnp

from research.types import AnyArray, Array, Float


def fit(pixels: Float[AnyArray, "h w c"], size: int) -> Float[Array, "h2 w2 c"]:
    """Scales a picture so that its longer side has ``size`` pixels, as little distorted as whole pixels allow.

    Lanczos-3, which averages over what a pixel covers when shrinking; clipped to [0, 1].
    """
    height, width, _ = pixels.shape
    scale = size / max(height, width)
    return resize(pixels, max(1, round(height * scale)), max(1, round(width * scale)))


@functools.partial(jax.jit, static_argnums=(1, 2))
def resize(pixels: Float[AnyArray, "h w c"], height: int, width: int) -> Float[Array, "h2 w2 c"]:
    """The picture at ``height`` × ``width`` pixels, by Lanczos-3, clipped to [0, 1]."""
    scaled = jax.image.resize(pixels, (height, width, pixels.shape[2]), "lanczos3", antialias=True)
    return jnp.clip(scaled, 0.0, 1.0)
