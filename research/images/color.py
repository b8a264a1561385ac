"""An image's colors kept while it takes on another's strokes.

Gatys, Bethge, Hertzmann and Shechtman, "Preserving color in neural artistic style transfer", 2016. Two ways: transfer
luminance only (:func:`match_luminance` before, :func:`with_colors_of` after), or give the style the content's colors before
(:func:`match_colors`, :func:`match_histogram`). All are float32 inside and finite for gray images and images of one color.
"""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_choice, check_finite_positive
from likeness.research.types import Array, Float

Match = Literal["symmetric", "cholesky", "pca"]

# NTSC 1953, as colorsys and most of the literature have it; the first row is ITU-R 601 luma.
_RGB_TO_YIQ = np.array(
    [
        [0.299, 0.587, 0.114],
        [0.595716, -0.274453, -0.321263],
        [0.211456, -0.522591, 0.311135],
    ]
)
_EXACT = jax.lax.Precision.HIGHEST


def rgb_to_yiq(pixels: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
    """Luminance Y and the two axes of color I (orange to blue) and Q (purple to green), linear in RGB."""
    return jnp.matmul(pixels.astype(jnp.float32), jnp.asarray(_RGB_TO_YIQ.T, jnp.float32), precision=_EXACT)


def yiq_to_rgb(pixels: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
    """The inverse of :func:`rgb_to_yiq`; what came from no image may lie outside [0, 1]."""
    return jnp.matmul(pixels.astype(jnp.float32), jnp.asarray(np.linalg.inv(_RGB_TO_YIQ).T, jnp.float32), precision=_EXACT)


def luminance(pixels: Float[Array, "*b 3"]) -> Float[Array, "*b"]:
    """``Y = 0.299 R + 0.587 G + 0.114 B`` (ITU-R 601)."""
    return rgb_to_yiq(pixels)[..., 0]


def match_luminance(
    style: Float[Array, "h w 3"], content: Float[Array, "H W 3"], epsilon: float = 1e-5
) -> Float[Array, "h w 3"]:
    """The style as gray, with the content's mean and deviation of luminance: what a transfer of luminance compares with.

    ``Y ← (σ_C / σ_S) (Y - μ_S) + μ_C``, where ``σ² = variance + epsilon``. Unclipped.

    Args:
        style: the image to change.
        content: the image to match, of any size.
        epsilon: variance that either is taken to have beyond its own; 1e-5 is about 0.8 of 255 levels, squared.
    """
    check_finite_positive("match_luminance", "epsilon", epsilon)
    gray, wanted = luminance(style), luminance(content)
    scale = jnp.sqrt((jnp.var(wanted) + epsilon) / (jnp.var(gray) + epsilon))
    matched = scale * (gray - jnp.mean(gray)) + jnp.mean(wanted)
    return jnp.broadcast_to(matched[..., None], style.shape)


def with_colors_of(pixels: Float[Array, "*b 3"], content: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
    """The luminance of one image with the I and Q of another of the same size. Unclipped."""
    brightness, colors = rgb_to_yiq(pixels)[..., :1], rgb_to_yiq(content)[..., 1:]
    return yiq_to_rgb(jnp.concatenate([brightness, colors], -1))


def match_colors(
    style: Float[Array, "*b c"], content: Float[Array, "*B c"], method: Match = "symmetric", epsilon: float = 1e-5
) -> Float[Array, "*b c"]:
    """The style with the content's mean and covariance of color: ``x ← A (x - μ_S) + μ_C`` with ``A Σ_S Aᵀ = Σ_C``.

    Of RGB, or of other channels. Three such maps, which differ by a rotation:

    - ``symmetric``: ``A = Σ_S^{-½} (Σ_S^{½} Σ_C Σ_S^{½})^{½} Σ_S^{-½}``, the one that moves colors least (optimal transport
      between Gaussians; Pitié and Kokaram, "The linear Monge-Kantorovitch linear colour mapping", 2007);
    - ``pca``: ``A = Σ_C^{½} Σ_S^{-½}``, through the principal axes (Hertzmann et al., "Image analogies", 2001);
    - ``cholesky``: ``A = L_C L_S^{-1}`` with ``Σ = L Lᵀ``.

    ``epsilon`` is added to both covariances' diagonals. Unclipped.

    Args:
        style: the image to change.
        content: the image to match, of any size.
        method: which map.
        epsilon: see :func:`match_luminance`.
    """
    check_choice("match_colors", "method", method, Match)
    check_finite_positive("match_colors", "epsilon", epsilon)
    (style_mean, style_covariance), (mean, covariance) = _moments(style, epsilon), _moments(content, epsilon)
    if method == "cholesky":
        lower, wanted = jnp.linalg.cholesky(style_covariance), jnp.linalg.cholesky(covariance)
        change = jax.scipy.linalg.solve_triangular(lower, wanted.T, lower=True, trans=1).T
    else:
        root, inverse = _power(style_covariance, 0.5), _power(style_covariance, -0.5)
        if method == "pca":
            change = _product(_power(covariance, 0.5), inverse)
        else:
            change = _product(inverse, _power(_product(root, covariance, root), 0.5), inverse)
    return jnp.matmul(style.astype(jnp.float32) - style_mean, change.T, precision=_EXACT) + mean


def match_histogram(style: Float[Array, "h w 3"], content: Float[Array, "H W 3"]) -> Float[Array, "h w 3"]:
    """The style with the content's distribution of values, channel by channel.

    Each value goes to the content's quantile at its own rank, equal values to one; quantiles between the content's values
    are interpolated. A style of one color becomes the content's median.

    Args:
        style: the image to change.
        content: the image to match, of any size.
    """

    def channel(values: Array, wanted: Array) -> Array:
        ordered, wanted = jnp.sort(values), jnp.sort(wanted)
        below, within = (jnp.searchsorted(ordered, values, side=side) for side in ("left", "right"))
        rank = 0.5 * (below + within).astype(jnp.float32) / len(values)
        return jnp.interp(rank, (jnp.arange(len(wanted)) + 0.5) / len(wanted), wanted)

    flat = jax.vmap(channel, in_axes=1, out_axes=1)(
        style.astype(jnp.float32).reshape(-1, 3), content.astype(jnp.float32).reshape(-1, 3)
    )
    return flat.reshape(style.shape)


def _moments(pixels: Array, epsilon: float) -> tuple[Array, Array]:
    colors = pixels.astype(jnp.float32).reshape(-1, pixels.shape[-1])
    mean = jnp.mean(colors, 0)
    centered = colors - mean
    covariance = jnp.matmul(centered.T, centered, precision=_EXACT) / len(colors)
    return mean, covariance + epsilon * jnp.eye(len(mean))


def _power(matrix: Array, exponent: float) -> Array:
    """Of a symmetric positive definite matrix."""
    values, vectors = jnp.linalg.eigh(matrix)
    # Rounding may take the smallest eigenvalue, which is epsilon where colors lie in a plane, below zero.
    powers = jnp.maximum(values, 1e-12) ** exponent
    return jnp.matmul(vectors * powers, vectors.T, precision=_EXACT)


def _product(*matrices: Array) -> Array:
    result = matrices[0]
    for matrix in matrices[1:]:
        result = jnp.matmul(result, matrix, precision=_EXACT)
    return result
