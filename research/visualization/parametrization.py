"""What an image is made of while it is learned: its pixels, or its waves and the colors that photographs have.

Gradient descent goes differently through different coordinates of the same images. In pixels it makes fine noise, which
excites a network most cheaply. In waves whose amplitude falls as in photographs, and in axes of color that vary independently
in them, it makes images (Olah, Mordvintsev and Schubert, "Feature visualization", Distill 2017).
"""

import abc
import dataclasses
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.types import AnyArray, Array, Float, PRNGKey, PyTree

__all__ = ["PHOTOGRAPHIC", "Fourier", "Parametrization", "Pixels", "color_axes", "wave_scale"]

Shape: TypeAlias = tuple[int, int, int, int]
"""Images, height, width, and three colors."""
Base: TypeAlias = Float[AnyArray, "1 h w 3"] | None
"""An image that what is learned is added to; None where it is the image."""

PHOTOGRAPHIC = (
    (1.0449, 0.3908, -0.0310),
    (0.8830, -0.1096, 0.1092),
    (0.9103, -0.3422, -0.0703),
)
"""Red, green and blue (rows) of the three axes of color of scikit-learn's two photographs, see :func:`color_axes`. They are
light to dark, then orange to blue, then green to magenta. ``python -m likeness.experiments.visualization.color_axes`` prints
them."""

_CLIP = 1e-2
_EXACT = jax.lax.Precision.HIGHEST


def color_axes(pixels: Float[AnyArray, "n 3"]) -> Float[np.ndarray, "3 3"]:
    """Axes along which colors vary independently, each as long as they vary along it: ``V Λ^½`` of their covariance ``V Λ Vᵀ``.

    Columns are axes, the longest first, the largest entry of each positive; scaled so that red, green and blue have a mean
    variance of 1. White noise along the axes has the colors' covariance.
    """
    values, vectors = np.linalg.eigh(np.cov(np.asarray(pixels, np.float64).T))
    axes = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1]
    signs = np.sign(axes[np.argmax(np.abs(axes), axis=0), np.arange(3)])
    return axes * signs * np.sqrt(3.0 / values.sum())


def wave_scale(height: int, width: int) -> Float[np.ndarray, "h v"]:
    """What each wave of a real image is multiplied by, in the layout of ``rfft2``: 1/f, at most that of one wave an image.

    Scaled so that coefficients whose real and imaginary parts are independent of variance 1 make pixels of variance 1. The
    amplitude of photographs falls like this (Field 1987).
    """
    cycles = max(height, width) * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    scale = 1.0 / np.maximum(cycles, 1.0)
    # Every column but the first, and the last of an even width, stands for two waves that are each other's mirror image.
    twice = np.full(scale.shape[1], 4.0)
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    return scale / np.sqrt(np.sum(twice * scale**2))


class Parametrization(abc.ABC):
    """Turns what is learned into images. A base class, for the command line reaches no fields through a protocol."""

    @abc.abstractmethod
    def init(self, key: PRNGKey, shape: Shape, *, based: bool = False) -> PyTree:
        """What is learned, at its start: a tree of real arrays whose first axis is the image.

        Args:
            key: of the noise.
            shape: of the images.
            based: whether it is added to an image.
        """

    @abc.abstractmethod
    def to_pixels(self, params: PyTree, shape: Shape, base: Base = None) -> Float[Array, "n h w 3"]:
        """Images, RGB in [0, 1]. Runs under ``jit``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pixels(Parametrization):
    """Red, green and blue of every pixel, or how far they are from those of an image.

    They are clipped to [0, 1], and the gradient goes through the clipping, so that what has left can come back.
    """

    deviation: float = 0.1
    """Standard deviation of the noise to begin with, around gray; a difference from an image begins at 0."""

    def __post_init__(self) -> None:
        _check_deviation(self)

    def init(self, key: PRNGKey, shape: Shape, *, based: bool = False) -> PyTree:
        """``pixels`` (n, h, w, 3)."""
        if based:
            return {"pixels": jnp.zeros(shape)}
        return {"pixels": jnp.clip(0.5 + self.deviation * jax.random.normal(key, shape), 0.0, 1.0)}

    def to_pixels(self, params: PyTree, shape: Shape, base: Base = None) -> Float[Array, "n h w 3"]:
        """``clip(base + x)``."""
        del shape
        pixels = params["pixels"] if base is None else base + params["pixels"]
        return pixels + jax.lax.stop_gradient(jnp.clip(pixels, 0.0, 1.0) - pixels)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fourier(Parametrization):
    """Waves, as strong as in photographs, along their axes of color, brought to [0, 1] by a sigmoid.

    ``x = σ(A · irfft2(s · z))``: z is learned, s is :func:`wave_scale` and A the axes of color. The image is periodic. White
    z makes noise with the spectrum and the colors of photographs, of deviation 1 before the sigmoid.
    """

    deviation: float = 0.1
    """Standard deviation of the noise to begin with, before the sigmoid, around gray or the image."""
    colors: Literal["photographic", "rgb"] = "photographic"
    """The axes of color: those of photographs, or red, green and blue each for itself."""

    def __post_init__(self) -> None:
        _check_deviation(self)

    def init(self, key: PRNGKey, shape: Shape, *, based: bool = False) -> PyTree:
        """``waves`` (n, h, w/2+1, 3, 2): real and imaginary parts."""
        del based
        count, height, width, channels = shape
        return {"waves": self.deviation * jax.random.normal(key, (count, height, width // 2 + 1, channels, 2))}

    def to_pixels(self, params: PyTree, shape: Shape, base: Base = None) -> Float[Array, "n h w 3"]:
        """``σ(A · irfft2(s · z))``, or of an image b ``σ(logit(b) + A · irfft2(s · z))``, b within 0.01 to 0.99."""
        _, height, width, _ = shape
        scaled = params["waves"] * jnp.asarray(wave_scale(height, width), jnp.float32)[:, :, None, None]
        waves = jax.lax.complex(scaled[..., 0], scaled[..., 1])
        # No division by the number of pixels: a wave is as strong in an image of any size.
        logits = jnp.fft.irfft2(waves, s=(height, width), axes=(1, 2), norm="forward")
        if self.colors == "photographic":
            logits = jnp.matmul(logits, jnp.asarray(PHOTOGRAPHIC, jnp.float32).T, precision=_EXACT)
        if base is not None:
            known = jnp.clip(jnp.asarray(base), _CLIP, 1.0 - _CLIP)
            logits = logits + jnp.log(known) - jnp.log1p(-known)
        return jax.nn.sigmoid(logits)


def _check_deviation(owner: Pixels | Fourier) -> None:
    if not 0 <= owner.deviation < float("inf"):
        raise ValueError(f"{type(owner).__name__}.deviation is {owner.deviation}: give a finite number, 0 or more")
