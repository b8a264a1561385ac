"""DISTS: structure and texture in one number, which lets one patch of grass stand for another."""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp

from likeness.research.types import Activations, Array, Float

__all__ = ["DistsWeights", "dists"]

_C1, _C2 = 1e-6, 1e-6


class DistsWeights(NamedTuple):
    """How much each channel of each layer counts."""

    texture: Mapping[str, Float[Array, "_"]]
    """α, by which means are compared: (c,) a layer."""
    structure: Mapping[str, Float[Array, "_"]]
    """β, by which covariances are."""


def dists(activations: Activations, reference: Activations, weights: DistsWeights) -> Float[Array, "b"]:
    """Deep image structure and texture similarity of images and references (Ding, Ma, Wang and Simoncelli 2020).

        d = 1 - Σ_l Σ_c (α l(x, y) + β s(x, y)) / Σ (α + β)
        l = (2 μ_x μ_y + 1e-6) / (μ_x² + μ_y² + 1e-6),  s = (2 σ_xy + 1e-6) / (σ_x² + σ_y² + 1e-6)

    with mean, variance and covariance of a channel over the whole image. The authors' layers are the image itself, in [0, 1],
    and relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3 of VGG-16 whose poolings are Hann's.

    Args:
        activations: of the images, each layer (b, h, w, c).
        reference: of as many references, of the same size.
        weights: the layers that count, and how much.

    Returns:
        d, (b,), without unit: 0 for an image and itself, about 0.5 for images that have nothing in common; at most 2.

    Raises:
        ValueError: a layer that is not there, or of another number of channels or size.
    """
    alike, whole = jnp.zeros((), jnp.float32), jnp.zeros((), jnp.float32)
    for layer, alpha in weights.texture.items():
        beta = weights.structure[layer]
        if layer not in activations:
            raise ValueError(f"There is no layer {layer!r} among {', '.join(sorted(activations))}.")
        x, y = activations[layer], reference[layer]
        if x.shape != y.shape or not x.shape[-1:] == alpha.shape == beta.shape:
            raise ValueError(f"Layer {layer!r} is {x.shape} and {y.shape}, and its weights are {alpha.shape} and {beta.shape}.")
        x, y = x.astype(jnp.float32), y.astype(jnp.float32)
        mean_x, mean_y = jnp.mean(x, axis=(1, 2)), jnp.mean(y, axis=(1, 2))
        apart_x, apart_y = x - mean_x[:, None, None], y - mean_y[:, None, None]
        texture = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
        variances = jnp.mean(apart_x**2, axis=(1, 2)) + jnp.mean(apart_y**2, axis=(1, 2))
        structure = (2 * jnp.mean(apart_x * apart_y, axis=(1, 2)) + _C2) / (variances + _C2)
        alike = alike + texture @ alpha + structure @ beta
        whole = whole + jnp.sum(alpha) + jnp.sum(beta)
    return 1 - alike / whole
