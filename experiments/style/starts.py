"""The image that a stylization begins with."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.style.parametrizations import details
from likeness.research.images.resize import resize
from likeness.research.images.sources import ImageSource
from likeness.research.types import Array, Float, PRNGKey, PyTree

Pixels = Float[np.ndarray, "h w 3"]
First = Float[Array, "1 h w 3"]


@runtime_checkable
class Start(Protocol):
    """Makes the first image: once what it needs of the opened images, then the pixels, under ``jit``.

    More members are used where a start has them: ``sources`` (:class:`StartOfImages`), ``draws`` (:func:`draws`), and
    ``goes_on`` and ``at_last`` (:class:`GoesOn`).
    """

    def open(self, content: Pixels, styles: tuple[Pixels, ...]) -> PyTree:
        """What it needs beside the content image, RGB in [0, 1]: arrays; ``{}`` for nothing."""
        ...

    def __call__(self, content: First, opened: PyTree, key: PRNGKey) -> First:
        """An image of the content's size, RGB in [0, 1]."""
        ...


@runtime_checkable
class StartOfImages(Protocol):
    """A start that reads images of its own. A run goes on only with the same ones."""

    def sources(self) -> Mapping[str, ImageSource]:
        """Each image that is read, by what it is, such as ``start``."""
        ...


@runtime_checkable
class GoesOn(Protocol):
    """A start that says, too, what is painted on at a larger size."""

    def goes_on(self, painted: First, content: First) -> First:
        """What is painted on: of the image painted so far, enlarged, and the content at this size."""
        ...

    def at_last(self) -> Start:
        """The start as it is for the last of several sizes."""
        ...


def draws(start: Start) -> bool:
    """Whether another seed makes another first image. A start says so by a truth value ``draws``; one without it does draw.

    Example:
        >>> draws(FromNoise()), draws(FromContent()), draws(FromContent(noise=0.5))
        (True, False, True)
    """
    return bool(getattr(start, "draws", True))


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromContent:
    """The content image, with some noise if asked for."""

    noise: float = 0.0
    """How much of it is noise, evenly distributed in [0, 1]: 0 none, 1 all (the course begins near 0.6)."""
    details: float = 0.0
    """How much of the finest level of the content's Laplacian pyramid is laid over the painting at each larger size of a
    pyramid of sizes: what the smaller size could not hold, and a style need not invent."""

    def __post_init__(self) -> None:
        for name in ("noise", "details"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"FromContent.{name} is {getattr(self, name)}: give a share from 0 to 1")

    @property
    def draws(self) -> bool:
        """Whether there is noise."""
        return self.noise > 0

    def open(self, content: Pixels, styles: tuple[Pixels, ...]) -> PyTree:
        """Nothing."""
        del content, styles
        return {}

    def __call__(self, content: First, opened: PyTree, key: PRNGKey) -> First:
        """``(1 - noise) C + noise U``."""
        del opened
        if self.noise == 0:
            return content + 0.0
        return (1.0 - self.noise) * content + self.noise * jax.random.uniform(key, content.shape)

    def goes_on(self, painted: First, content: First) -> First:
        """The painting, with the content's details."""
        return painted + self.details * details(content) if self.details else painted

    def at_last(self) -> "FromContent":
        """The same at every size."""
        return self


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromNoise:
    """White noise around a color."""

    deviation: float = 0.25
    """Standard deviation of the normal noise."""
    center: float | tuple[float, float, float] = 0.5
    """A gray, or red, green and blue. jcjohnson's neural-style and Gatys' notebook begin at the mean of ImageNet."""

    def __post_init__(self) -> None:
        levels = self.center if isinstance(self.center, tuple) else (self.center,)
        if not 0 <= self.deviation < float("inf") or not all(0 <= level <= 1 for level in levels):
            raise ValueError(
                f"FromNoise has deviation {self.deviation} and center {self.center}: give a deviation of 0 or more and a "
                "center from 0 to 1"
            )

    def open(self, content: Pixels, styles: tuple[Pixels, ...]) -> PyTree:
        """Nothing."""
        del content, styles
        return {}

    def __call__(self, content: First, opened: PyTree, key: PRNGKey) -> First:
        """``clip(center + deviation N(0, 1))``."""
        del opened
        noise = jax.random.normal(key, content.shape)
        return jnp.clip(jnp.asarray(self.center, jnp.float32) + self.deviation * noise, 0.0, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromStyleColors:
    """White noise in the styles' colors: their mean, and their covariance of red, green and blue.

    Several styles are taken together, each with the same share whatever its size and weight. Clipping to [0, 1] draws both
    moments in a little.
    """

    def open(self, content: Pixels, styles: tuple[Pixels, ...]) -> PyTree:
        """``mean`` (3,) and ``root`` (3, 3), the symmetric root of the covariance."""
        del content
        colors = [style.reshape(-1, 3).astype(np.float64) for style in styles]
        mean = np.mean([pixels.mean(0) for pixels in colors], axis=0)
        covariance = np.mean([(pixels - mean).T @ (pixels - mean) / len(pixels) for pixels in colors], axis=0)
        values, vectors = np.linalg.eigh(covariance)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        return {"mean": mean.astype(np.float32), "root": root.astype(np.float32)}

    def __call__(self, content: First, opened: PyTree, key: PRNGKey) -> First:
        """``clip(μ + Σ^½ N(0, I))``."""
        noise = jax.random.normal(key, content.shape)
        return jnp.clip(opened["mean"] + jnp.matmul(noise, opened["root"], precision=jax.lax.Precision.HIGHEST), 0.0, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FromImage:
    """An image of one's own, such as the result of an earlier run, brought to the content's height and width."""

    draws: ClassVar[bool] = False
    """It is the same for every seed."""

    image: ImageSource
    """The image. One of other proportions is stretched."""

    def sources(self) -> Mapping[str, ImageSource]:
        """The image."""
        return {"start": self.image}

    def open(self, content: Pixels, styles: tuple[Pixels, ...]) -> PyTree:
        """``image`` (1, h, w, 3).

        Raises:
            UserError: it cannot be read.
        """
        del styles
        height, width, _ = content.shape
        opened = jnp.asarray(self.image.open(max(height, width)))
        return {"image": jnp.clip(resize(opened, (height, width)), 0.0, 1.0)[None]}

    def __call__(self, content: First, opened: PyTree, key: PRNGKey) -> First:
        """The image."""
        del content, key
        return opened["image"] + 0.0
