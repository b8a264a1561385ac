"""Whose colors a painted image has."""

import dataclasses
import math
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import jax.numpy as jnp
import numpy as np

from likeness.research.images import luminance, match_colors, match_histogram, match_luminance, with_colors_of, with_hues_of
from likeness.research.metrics.image_quality import color_distance
from likeness.research.types import Array, Float

Pixels: TypeAlias = Float[np.ndarray, "h w 3"]
Originals: TypeAlias = Callable[[], tuple[Pixels, tuple[Pixels, ...]]]


@runtime_checkable
class Colors(Protocol):
    """What is done to the images before anything is painted, and to what was painted. RGB in [0, 1]."""

    def before(self, content: Pixels, styles: tuple[Pixels, ...]) -> tuple[Pixels, tuple[Pixels, ...]]:
        """The content and the styles that are painted with."""
        ...

    def after(self, painted: Pixels, originals: Originals) -> Pixels:
        """The result.

        Args:
            painted: what was painted.
            originals: reads the content, of the painting's size, and the styles, as they came.
        """
        ...

    def compared(self, result: Pixels) -> Pixels:
        """What of a result is compared with the content and the styles that :meth:`before` gave: like with like."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class AsTheyAre:
    """Nothing: the losses decide."""

    def before(self, content: Pixels, styles: tuple[Pixels, ...]) -> tuple[Pixels, tuple[Pixels, ...]]:
        """As they are."""
        return content, styles

    def after(self, painted: Pixels, originals: Originals) -> Pixels:
        """As it is."""
        del originals
        return painted

    def compared(self, result: Pixels) -> Pixels:
        """All of it."""
        return result


@dataclasses.dataclass(frozen=True, kw_only=True)
class Matched:
    """The colors of one side are matched to those of the other before anything else (Gatys et al. 2016, "Preserving color in
    neural artistic style transfer")."""

    change: Literal["content", "styles"] = "styles"
    """content: it gets the first style's palette. styles: they get the content's, so that its colors are kept."""
    method: Literal["symmetric", "cholesky", "pca", "histogram"] = "symmetric"
    """How: mean and covariance of color by the map that moves colors least, by Cholesky factors, by principal axes; or the
    distribution of each channel."""

    def before(self, content: Pixels, styles: tuple[Pixels, ...]) -> tuple[Pixels, tuple[Pixels, ...]]:
        """One side matched to the other."""
        if self.change == "content":
            return self._matched(content, styles[0]), styles
        return content, tuple(self._matched(style, content) for style in styles)

    def after(self, painted: Pixels, originals: Originals) -> Pixels:
        """As it is."""
        del originals
        return painted

    def compared(self, result: Pixels) -> Pixels:
        """All of it, with images whose colors are matched as it was painted from."""
        return result

    def _matched(self, image: Pixels, like: Pixels) -> Pixels:
        changed, kept = jnp.asarray(image), jnp.asarray(like)
        if self.method == "histogram":
            return _pixels(match_histogram(changed, kept))
        return _pixels(match_colors(changed, kept, self.method))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByLuminance:
    """Only light and dark are painted: in gray, the styles brought to the content's mean and deviation of luminance; then the
    content's own colors are laid over it (Gatys et al. 2016, "Preserving color in neural artistic style transfer")."""

    def before(self, content: Pixels, styles: tuple[Pixels, ...]) -> tuple[Pixels, tuple[Pixels, ...]]:
        """All in gray."""
        return _gray(content), tuple(_pixels(match_luminance(jnp.asarray(style), jnp.asarray(content))) for style in styles)

    def after(self, painted: Pixels, originals: Originals) -> Pixels:
        """The painted luminance with the content's I and Q."""
        return _pixels(with_colors_of(jnp.asarray(painted), jnp.asarray(originals()[0])))

    def compared(self, result: Pixels) -> Pixels:
        """Its luminance, for that alone was painted."""
        return _gray(result)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByHue(AsTheyAre):
    """What was painted gives light and dark; hues are the content's, in the palette of the styles together (Kolkin et al. 2022,
    "Neural neighbor style transfer"), see :func:`~likeness.research.images.hues.with_hues_of`."""

    def after(self, painted: Pixels, originals: Originals) -> Pixels:
        """The painted lightness with the content's hues."""
        content, styles = originals()
        palette = np.concatenate([style.reshape(1, -1, 3) for style in styles], axis=1)
        return _pixels(with_hues_of(jnp.asarray(painted), jnp.asarray(content), jnp.asarray(palette)))


def own_colors(result: Pixels, content: Pixels, size: int) -> float:
    """How far the colors of a result are from those of the content as it came, of the same size: at most ``size`` pixels along
    the longer side are compared."""
    every = math.ceil(max(result.shape) / size)
    return color_distance(result[::every, ::every], content[::every, ::every])


def _gray(image: Pixels) -> Pixels:
    return _pixels(jnp.repeat(luminance(jnp.asarray(image))[..., None], 3, axis=2))


def _pixels(image: Array) -> Pixels:
    return np.clip(np.asarray(image, np.float32), 0.0, 1.0)
