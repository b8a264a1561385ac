"""A painting's light and dark with the content's hues, in the style's palette.

Kolkin, Kucera, Paris, Sykora, Shechtman and Shakhnarovich, "Neural neighbor style transfer", 2022, whose last step it is.
Colors are Oklab's (Ottosson, "A perceptual color space for image processing", 2020): L is lightness, a goes from green to red,
b from blue to yellow. All are float32 inside.
"""

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.images.color import match_colors
from likeness.research.types import AnyArray, Array, Float

_EXACT = jax.lax.Precision.HIGHEST
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_GRAY = 6e-5
"""Variance of a and b below which a style counts as gray: its authors' threshold."""
_TURNS, _CONTRAST = 5, 10.0
"""Of the filter that lets hues end where lightness does."""


def rgb_to_oklab(pixels: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
    """Oklab of sRGB in [0, 1]: L in [0, 1], and a and b between about -0.4 and 0.4."""
    encoded = jnp.clip(jnp.asarray(pixels).astype(jnp.float32), 0.0, 1.0)
    linear = jnp.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return _turned(jnp.cbrt(_turned(linear, _TO_CONES)), _TO_LAB)


def oklab_to_rgb(colors: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
    """The inverse of :func:`rgb_to_oklab`, cut to [0, 1]."""
    cones = _turned(jnp.asarray(colors).astype(jnp.float32), np.linalg.inv(_TO_LAB)) ** 3
    linear = jnp.clip(_turned(cones, np.linalg.inv(_TO_CONES)), 0.0, 1.0)
    return jnp.where(linear <= 0.0031308, 12.92 * linear, 1.055 * jnp.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def with_hues_of(
    painted: Float[AnyArray, "h w 3"], content: Float[AnyArray, "a b 3"], style: Float[AnyArray, "H W 3"]
) -> Float[Array, "h w 3"]:
    """The lightness of a painting with the hues of its content, whose mean and covariance become those of the style's.

    L is the painting's, within the range that the style has. a and b are the content's by
    ``x ← Σ_S^{½} Σ_C^{-½} (x - μ_C) + μ_S``; five times each is replaced by its mean over 3×3 pixels with the weights
    ``exp(-10 |L - L'|)``, so that hues end where strokes do; and they are kept within the style's range. Of a gray style they
    are the painting's, by the same map.

    Args:
        painted: RGB in [0, 1].
        content: of the same size.
        style: whose palette it gets.

    Raises:
        ValueError: the painting and the content differ in size.
    """
    if painted.shape != content.shape:
        raise ValueError(f"with_hues_of: the painting is {painted.shape} and the content {content.shape}: give one size.")
    made, held, wanted = (rgb_to_oklab(jnp.asarray(image)) for image in (painted, content, style))
    lightness, hues = wanted[..., :1], wanted[..., 1:]
    light = jnp.clip(made[..., :1], jnp.min(lightness), jnp.max(lightness))
    gray = jnp.max(jnp.var(hues, axis=(0, 1))) < _GRAY
    given = match_colors(jnp.where(gray, made[..., 1:], held[..., 1:]), hues, "pca", 1e-8)
    ends = jnp.where(gray, given, _to_edges(given, light))
    ends = jnp.clip(ends, jnp.min(hues, axis=(0, 1)), jnp.max(hues, axis=(0, 1)))
    return oklab_to_rgb(jnp.concatenate([light, ends], axis=-1))


def _to_edges(hues: Float[Array, "h w 2"], light: Float[Array, "h w 1"]) -> Float[Array, "h w 2"]:
    weights = [jnp.exp(-_CONTRAST * jnp.abs(light - near)) for near in _around(light)]
    whole = sum(weights)
    for _ in range(_TURNS):
        near = zip(weights, _around(hues), strict=True)
        hues = sum((weight * each for weight, each in near), jnp.zeros_like(hues)) / whole
    return hues


def _around(image: Float[Array, "h w c"]) -> list[Array]:
    """The image, moved to each of the nine places around a pixel."""
    height, width, _ = image.shape
    padded = jnp.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    return [padded[row : row + height, column : column + width] for row in range(3) for column in range(3)]


def _turned(pixels: Array, matrix: np.ndarray) -> Array:
    return jnp.matmul(pixels, jnp.asarray(matrix.T, jnp.float32), precision=_EXACT)
