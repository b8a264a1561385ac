"""Hypercolumns: what several layers say about one place of an image, joined to one vector."""

import abc
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.checks import check_count
from likeness.research.losses.style.layers import ActivationLoss, Layers, Mask, mask_at
from likeness.research.types import Activations, Array, Float, Int, PRNGKey, PyTree, Scalar


class DrawsPlaces(ActivationLoss):
    """A loss of places drawn from the image: with a key other ones each time, without one always those of its seed.

    Losses that are given one key and draw equally many look at the same places.
    """

    @abc.abstractmethod
    def __call__(
        self, activations: Activations, target: PyTree, mask: Mask | None = None, key: PRNGKey | None = None
    ) -> Scalar:
        """As :class:`~likeness.research.losses.ActivationLoss`, at the places that the key draws."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hypercolumns(Layers, DrawsPlaces):
    """A loss of hypercolumns (Hariharan et al., "Hypercolumns for object segmentation and fine-grained localization", 2015).

    At the center of a pixel drawn from the image each layer is read bilinearly, at the point of its map that lies there, and
    the vectors of all layers are joined. One pixel is drawn from each of n equal parts of the image; under a mask the parts
    hold equal shares of the mask, so that its region is read as densely as it weighs, and nothing outside of it.
    """

    layers: tuple[str, ...]
    """Names of the maps that are joined; ``input`` is the image itself."""

    weights: tuple[float, ...] = ()
    """A factor of each layer's features in the joined vector; () for 1 each."""

    samples: int = 1024
    """n at most: an image of fewer pixels is read at each of them."""

    seed: int = 0
    """Of the places, where no key is given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(type(self).__name__, "samples", self.samples, least=2)

    @property
    def lambdas(self) -> tuple[float, ...]:
        """The factor of every layer."""
        return self.weights or (1.0,) * len(self.layers)

    def key(self, key: PRNGKey | None) -> PRNGKey:
        """The key that is given, or that of the seed."""
        return jax.random.key(self.seed) if key is None else key

    def columns(
        self, activations: Activations, mask: Mask | None, key: PRNGKey, samples: int
    ) -> tuple[Float[Array, "b n c"], Scalar]:
        """The hypercolumns of so many places of each image, float32, and 1, or 0 where the mask is 0 everywhere."""
        chosen, some = self.places(activations, mask, key, samples)
        return self.read_at(activations, chosen), some

    def places(self, activations: Activations, mask: Mask | None, key: PRNGKey, samples: int) -> tuple[Int[Array, "n"], Scalar]:
        """So many places of the finest map, flat and in order, and 1, or 0 where the mask is 0 everywhere."""
        height, width = self._finest(list(self.read_maps(activations)))
        share = jnp.ones((height, width), jnp.float32)
        if mask is not None:
            share = mask_at(mask, jnp.zeros((1, height, width, 1)), activations)
        return draw_places(key, share, min(samples, height * width)), jnp.where(jnp.sum(share) > 0, 1.0, 0.0)

    def read_at(self, activations: Activations, chosen: Int[Array, "n"]) -> Float[Array, "b n c"]:
        """The hypercolumns of these places of the finest map."""
        maps = list(self.read_maps(activations))
        height, width = self._finest(maps)
        rows, across = (chosen // width + 0.5) / height, (chosen % width + 0.5) / width
        read = [
            factor * read_bilinearly(features, rows, across) for (_, features), factor in zip(maps, self.lambdas, strict=True)
        ]
        return jnp.concatenate(read, axis=2)

    def _finest(self, maps: list[tuple[str, Array]]) -> tuple[int, int]:
        """Height and width of the largest map."""
        _, finest = max(maps, key=lambda named: named[1].shape[1] * named[1].shape[2])
        return finest.shape[1], finest.shape[2]


def draw_places(key: PRNGKey, share: Float[Array, "h w"], count: int) -> Int[Array, "n"]:
    """So many places, flat and in order, one drawn from each part that holds an equal share of the whole.

    Example:
        >>> draw_places(jax.random.key(0), jnp.array([[0.0, 1.0], [1.0, 0.0]]), 2).tolist()
        [1, 2]
    """
    whole = jnp.cumsum(share.reshape(-1))
    within = (jnp.arange(count) + jax.random.uniform(key, (count,))) / count
    return jnp.minimum(jnp.searchsorted(whole, within * whole[-1], side="right"), share.size - 1)


def read_bilinearly(
    features: Float[Array, "b h w c"], rows: Float[Array, "n"], across: Float[Array, "n"]
) -> Float[Array, "b n c"]:
    """A map at points, given as shares of its height and width, float32; beyond the outermost centers it stays the same."""
    top, bottom, down = _between(rows, features.shape[1])
    left, right, over = _between(across, features.shape[2])
    features = features.astype(jnp.float32)
    down, over = down[None, :, None], over[None, :, None]
    above = features[:, top, left] * (1.0 - over) + features[:, top, right] * over
    below = features[:, bottom, left] * (1.0 - over) + features[:, bottom, right] * over
    return above * (1.0 - down) + below * down


def read_grid(features: Float[Array, "b h w c"], size: tuple[int, int]) -> Float[Array, "b H W c"]:
    """A map read bilinearly at the centers of a grid, float32: points, not means of areas."""
    rows, across = (_interpolation(old, new) for old, new in zip(features.shape[1:3], size, strict=True))
    exact = jax.lax.Precision.HIGHEST
    read = jnp.einsum("Hh,bhwc->bHwc", rows, features.astype(jnp.float32), precision=exact)
    return jnp.einsum("Ww,bHwc->bHWc", across, read, precision=exact)


def _between(shares: Float[Array, "n"], cells: int) -> tuple[Int[Array, "n"], Int[Array, "n"], Float[Array, "n"]]:
    """The cells whose centers lie before and after each point, and how far from the first to the second it is."""
    at = jnp.clip(shares * cells - 0.5, 0.0, cells - 1.0)
    before = jnp.floor(at)
    first = before.astype(jnp.int32)
    return first, jnp.minimum(first + 1, cells - 1), at - before


def _interpolation(old: int, new: int) -> Float[np.ndarray, "new old"]:
    at = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    return np.maximum(1.0 - np.abs(at[:, None] - np.arange(old)), 0.0).astype(np.float32)
