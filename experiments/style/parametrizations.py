"""What is learned of an image: its pixels, or the levels of its Laplacian pyramid."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from likeness.research.checks import check_choice, check_count
from likeness.research.images.resize import resize_around
from likeness.research.losses.style.variation import Edges
from likeness.research.types import Array, Float, PyTree

First = Float[Array, "1 h w 3"]


@runtime_checkable
class ImageParametrization(Protocol):
    """Says which numbers an image is made of.

    The image is the same whatever it is made of, but its way there is not: an optimizer that steps as far along each number, as
    Adam does, moves single pixels by one parametrization and large parts at once by another.
    """

    @property
    def carries_moments(self) -> bool:
        """Whether the moments of the gradient are those of the next size too, once each is brought to its shape. If not, an
        optimizer begins anew at each size."""
        ...

    def parameters(self, image: First) -> dict[str, Array]:
        """The numbers that :meth:`image` makes this image of."""
        ...

    def image(self, parameters: PyTree) -> First:
        """The image, linear in its numbers."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelParametrization:
    """The pixels themselves."""

    @property
    def carries_moments(self) -> bool:
        """They are: each pixel's lie where it lies."""
        return True

    def parameters(self, image: First) -> dict[str, Array]:
        """``pixels`` (1, h, w, 3)."""
        return {"pixels": image}

    def image(self, parameters: PyTree) -> First:
        """As they are."""
        return parameters["pixels"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LaplacianPyramid:
    """``x_0 = x``, ``x_k+1 = down(x_k)``; learned are ``x_k - up(x_k+1)`` of each level, and the last x.

    ``down`` halves each side, rounded down, and takes means of 2 × 2 pixels where the sides are even; ``up`` is bilinear. A
    step in a coarse level moves a large part of the image at once, so that forms come about which pixels, each on its own, do
    not find. STROTSS and NNST paint this way. An optimizer's box is of no use here: levels are differences.

    Burt and Adelson, "The Laplacian pyramid as a compact image code", 1983.
    """

    levels: int = 5
    """Levels of differences at most: an image with a side of one pixel is not halved any more."""
    edges: Edges = "border"
    """``wrap``: the image goes on at its other side, and so does every level."""

    def __post_init__(self) -> None:
        check_count("LaplacianPyramid", "levels", self.levels)
        check_choice("LaplacianPyramid", "edges", self.edges, Edges)

    def wrapped(self) -> "LaplacianPyramid":
        """The same of an image that goes on at its other side."""
        return dataclasses.replace(self, edges="wrap")

    @property
    def carries_moments(self) -> bool:
        """They are not: a level of another size has another frequency."""
        return False

    def parameters(self, image: First) -> dict[str, Array]:
        """``level0``, the finest, to the last x."""
        return {f"level{k}": level for k, level in enumerate(decompose(image, self.levels, self.edges))}

    def image(self, parameters: PyTree) -> First:
        """The sum of all levels, each brought to the size of the finest."""
        return compose([parameters[f"level{k}"] for k in range(len(parameters))], self.edges)


def decompose(image: Float[Array, "b h w c"], levels: int, edges: Edges = "border") -> list[Float[Array, "b _ _ c"]]:
    """The Laplacian pyramid of images: the finest level first, what is left last.

    Example:
        >>> [level.shape[1:3] for level in decompose(jnp.zeros((1, 8, 5, 3)), 5)]
        [(8, 5), (4, 2), (2, 1)]
    """
    found = []
    while len(found) < levels and min(image.shape[1:3]) >= 2:
        smaller = _resized(image, (image.shape[1] // 2, image.shape[2] // 2), edges)
        found.append(image - _resized(smaller, image.shape[1:3], edges))
        image = smaller
    return [*found, image]


def compose(levels: Sequence[Float[Array, "b _ _ c"]], edges: Edges = "border") -> Float[Array, "b h w c"]:
    """The images of a Laplacian pyramid."""
    *finer, image = levels
    for level in reversed(finer):
        image = level + _resized(image, level.shape[1:3], edges)
    return image


def details(image: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """The finest level of an image's Laplacian pyramid: what is lost when it is halved."""
    return decompose(image, 1)[0] if min(image.shape[1:3]) >= 2 else jnp.zeros_like(image)


def _resized(image: Array, size: tuple[int, ...], edges: Edges) -> Array:
    if edges == "wrap":
        return resize_around(image, (size[0], size[1]), "linear")
    return jax.image.resize(image, (image.shape[0], *size, image.shape[3]), "linear", antialias=False)
