"""Total variation: how rough an image is."""

import dataclasses
import math
from typing import ClassVar, Literal, TypeAlias

import jax.numpy as jnp

from likeness.research.checks import check_choice
from likeness.research.losses.style.layers import Layers, Mask, absolute
from likeness.research.types import Activations, Array, Float, PyTree, Scalar

Edges: TypeAlias = Literal["border", "wrap"]
Convention: TypeAlias = Literal["anisotropic", "johnson", "crowson"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TotalVariation(Layers):
    """Differences of neighboring pixels, with no reference. Reads the image in [0, 1].

    Published weights for images in 0…255 need a factor 255² here (256² for jcjohnson's, which multiplies by 256)
    under the conventions that square, 255 under the other.
    """

    neighbors: ClassVar[bool] = True
    """It does."""

    layers: tuple[str, ...] = ("input",)
    """The image; any map will do."""

    convention: Convention = "anisotropic"
    """With ``x_ij`` a pixel's channel, of h × w × c in all:

    ``anisotropic``: ``Σ (|x_i,j+1 - x_ij| + |x_i+1,j - x_ij|) / (h w c)``, after Rudin, Osher and Fatemi 1992. Edges cost
    by their height, so it smooths without blurring.
    ``johnson``: ``½ Σ_{i<h, j<w} [(x_i,j+1 - x_ij)² + (x_i+1,j - x_ij)²]``, not divided, the pairs within the last row
    and within the last column left out: the function whose gradient jcjohnson/neural-style adds (it prints no value).
    ``crowson``: with the image's border repeated once, ``⅔`` of the mean square differences to the right and down
    (over h w c) plus ``⅙`` of those along both diagonals (over (h+1)(w+1) c): a nine-point stencil, turned less by the
    pixel grid (style-transfer-pytorch)."""

    edges: Edges = "border"
    """``wrap``: the first row and column are also the neighbors of the last, as in an image that is laid as tiles. All sums are
    then over h w pixels."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("TotalVariation", "convention", self.convention, Convention)
        check_choice("TotalVariation", "edges", self.edges, Edges)

    def wrapped(self) -> "TotalVariation":
        """Of an image that goes on at its other side."""
        return dataclasses.replace(self, edges="wrap")

    def target(self, reference: Activations, mask: Mask | None = None) -> PyTree:
        """Nothing: there is no reference."""
        return {}

    def __call__(self, activations: Activations, target: PyTree, mask: Mask | None = None) -> Scalar:
        """The loss of images: mean over b.

        Raises:
            ValueError: with a mask; roughness is a matter of the whole image.
        """
        if mask is not None:
            raise ValueError("TotalVariation takes no mask: leave it out of the losses that a region has.")
        return self.total({layer: self._variation(x.astype(jnp.float32)) for layer, x in self.read_maps(activations)})

    def _variation(self, x: Float[Array, "b h w c"]) -> Float[Array, "b"]:
        if self.edges == "wrap":
            return self._around(x)
        match self.convention:
            case "anisotropic":
                right, down = absolute(x[:, :, 1:] - x[:, :, :-1]), absolute(x[:, 1:] - x[:, :-1])
                return (_sum(right) + _sum(down)) / math.prod(x.shape[1:])
            case "johnson":
                right, down = x[:, :-1, 1:] - x[:, :-1, :-1], x[:, 1:, :-1] - x[:, :-1, :-1]
                return 0.5 * (_sum(jnp.square(right)) + _sum(jnp.square(down)))
            case "crowson":
                padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
                straight = _sum(jnp.square(x[:, :, 1:] - x[:, :, :-1])) + _sum(jnp.square(x[:, 1:] - x[:, :-1]))
                falling, rising = padded[:, 1:, 1:] - padded[:, :-1, :-1], padded[:, 1:, :-1] - padded[:, :-1, 1:]
                diagonal = _sum(jnp.square(falling)) + _sum(jnp.square(rising))
                return (2.0 / 3.0) * straight / math.prod(x.shape[1:]) + (1.0 / 6.0) * diagonal / math.prod(falling.shape[1:])

    def _around(self, x: Float[Array, "b h w c"]) -> Float[Array, "b"]:
        right, down, falling = (jnp.roll(x, by, (1, 2)) - x for by in ((0, -1), (-1, 0), (-1, -1)))
        pixels = math.prod(x.shape[1:])
        match self.convention:
            case "anisotropic":
                return (_sum(absolute(right)) + _sum(absolute(down))) / pixels
            case "johnson":
                return 0.5 * (_sum(jnp.square(right)) + _sum(jnp.square(down)))
            case "crowson":
                rising = jnp.roll(x, (-1, 1), (1, 2)) - x
                straight, diagonal = _sum(jnp.square(right)) + _sum(jnp.square(down)), _sum(jnp.square(falling))
                return ((2.0 / 3.0) * straight + (1.0 / 6.0) * (diagonal + _sum(jnp.square(rising)))) / pixels


def _sum(x: Array) -> Float[Array, "b"]:
    return jnp.sum(x, axis=(1, 2, 3))
