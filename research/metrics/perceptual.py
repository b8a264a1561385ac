"""Perceptual distance: how different two images look to a network, each channel weighted as people saw it."""

from collections.abc import Mapping

import jax.numpy as jnp

from likeness.research.types import Activations, Array, Float

__all__ = ["perceptual_distance"]

_EPSILON = 1e-10


def perceptual_distance(
    activations: Activations, reference: Activations, weights: Mapping[str, Float[Array, "_"]]
) -> Float[Array, "b"]:
    """LPIPS of images from references (Zhang et al. 2018, equation 1).

        d = Σ_l 1/(h w) Σ_y,x Σ_c w_l[c] (f_l[y, x, c] / (|f_l[y, x]| + 1e-10) - g_l[y, x, c] / (|g_l[y, x]| + 1e-10))²

    Args:
        activations: of the images, each layer (b, h, w, c).
        reference: of as many references, of the same size.
        weights: the layers that count, and in each of them how much a channel does: (c,).

    Returns:
        d, (b,); 0 for an image and itself, above 0 otherwise as long as no weight is negative.

    Raises:
        ValueError: a layer that is not there, or of another number of channels or size.
    """
    total = jnp.zeros((), jnp.float32)
    for layer, weight in weights.items():
        if layer not in activations:
            raise ValueError(f"There is no layer {layer!r} among {', '.join(sorted(activations))}.")
        ours, theirs = activations[layer], reference[layer]
        if ours.shape != theirs.shape or ours.shape[-1:] != weight.shape:
            raise ValueError(f"Layer {layer!r} is {ours.shape} and {theirs.shape}, and its weights are {weight.shape}.")
        total = total + jnp.mean(jnp.square(_unit(ours) - _unit(theirs)) @ weight.astype(jnp.float32), axis=(1, 2))
    return total


def _unit(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    # Not `distances.unit`: the published weights were fitted to lengths with this ε added.
    x = x.astype(jnp.float32)
    return x / (jnp.sqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True)) + _EPSILON)
