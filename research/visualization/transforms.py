"""Small random movements of an image: what survives them is no fine pattern that only one position of it makes.

One draw moves all images of a call alike: to move each by itself would cost more than most networks. Draws differ from step
to step, so over a synthesis it makes no difference.
"""

import abc
import dataclasses
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp

from likeness.research.geometry.affine import affine_matrices, look_up, places
from likeness.research.types import Array, Float, PRNGKey

__all__ = ["Chain", "Images", "Jitter", "Margin", "Rotate", "Transform", "Zoom"]

Margin: TypeAlias = Literal["wrap", "edge", "gray"]
"""What comes in from outside an image: its other side, its edge continued, or gray."""

Images: TypeAlias = Float[Array, "n h w c"]

_GRAY = 0.5


class Transform(abc.ABC):
    """Moves images and keeps their size. A base class, for the command line reaches no fields through a protocol."""

    @abc.abstractmethod
    def __call__(self, key: PRNGKey, images: Images) -> Images:
        """The images moved, all alike. Runs under ``jit``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Jitter(Transform):
    """A shift by whole pixels."""

    pixels: int = 8
    """The largest, along each axis and both ways."""
    margin: Margin = "wrap"
    """What comes in from outside."""

    def __post_init__(self) -> None:
        if self.pixels < 0:
            raise ValueError(f"Jitter.pixels is {self.pixels}: give 0 or more")

    def __call__(self, key: PRNGKey, images: Images) -> Images:
        """Shifted."""
        if self.pixels == 0:
            return images
        _, height, width, _ = images.shape
        around = ((0, 0), (self.pixels, self.pixels), (self.pixels, self.pixels), (0, 0))
        if self.margin == "gray":
            padded = jnp.pad(images, around, constant_values=_GRAY)
        else:
            padded = jnp.pad(images, around, mode=self.margin)
        top, left = jax.random.randint(key, (2,), 0, 2 * self.pixels + 1)
        rows = jax.lax.dynamic_slice_in_dim(padded, top, height, axis=1)
        return jax.lax.dynamic_slice_in_dim(rows, left, width, axis=2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Zoom(Transform):
    """Larger or smaller around the center."""

    share: float = 0.1
    """The largest change of size: 0.1 for 1/1.1 to 1.1."""

    def __post_init__(self) -> None:
        if not 0 <= self.share < float("inf"):
            raise ValueError(f"Zoom.share is {self.share}: give a finite number, 0 or more")

    def __call__(self, key: PRNGKey, images: Images) -> Images:
        """Zoomed, by a factor whose logarithm is evenly distributed."""
        if self.share == 0:
            return images
        most = jnp.log1p(self.share)
        return _looked_up(images, jnp.zeros(1), jnp.exp(jax.random.uniform(key, (1,), minval=-most, maxval=most)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rotate(Transform):
    """Turned around the center."""

    degrees: float = 10.0
    """The largest angle, both ways."""

    def __post_init__(self) -> None:
        if not 0 <= self.degrees <= 180:
            raise ValueError(f"Rotate.degrees is {self.degrees}: give 0 to 180")

    def __call__(self, key: PRNGKey, images: Images) -> Images:
        """Turned, by an angle that is evenly distributed."""
        if self.degrees == 0:
            return images
        most = jnp.deg2rad(self.degrees)
        return _looked_up(images, jax.random.uniform(key, (1,), minval=-most, maxval=most), jnp.ones(1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chain(Transform):
    """Several, one after the other; none leaves the image alone."""

    transforms: tuple[Transform, ...] = ()
    """What is done, in this order."""

    def __call__(self, key: PRNGKey, images: Images) -> Images:
        """Moved by all."""
        for number, transform in enumerate(self.transforms):
            images = transform(jax.random.fold_in(key, number), images)
        return images


def _looked_up(images: Images, angle: Float[Array, "1"], zoom: Float[Array, "1"]) -> Images:
    count, height, width, channels = images.shape
    matrix = affine_matrices(angle, jnp.zeros(1), zoom)
    u, v = places(matrix, jnp.zeros((1, 2)), height, width)
    # As channels of one image: each place is then looked up once for all.
    stacked = jnp.moveaxis(images, 0, 2).reshape(1, height, width, count * channels)
    moved = look_up(stacked, u, v, "edge").reshape(height, width, count, channels)
    return jnp.moveaxis(moved, 2, 0)
