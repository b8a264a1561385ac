"""Laying an image over a template by points that both have, such as a face's eyes, nose and mouth corners.

Points are (x, y) in pixels, x to the right and y down; (0, 0) is the center of the upper left pixel.
"""

import dataclasses
import math
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research.types import AnyArray, Array, Float, PyTree

Points: TypeAlias = Float[np.ndarray, "n 2"]

__all__ = ["Crop", "Points", "Similarity", "crop", "fit_similarity"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Similarity:
    """Turns, scales and shifts the plane, without reflection:

        (x, y) ↦ [[a, -b], [b, a]] (x, y) + (right, down),

    a turn by atan2(b, a), from x to y, and a magnification by √(a² + b²).
    """

    a: float
    """Cosine of the angle times the scale."""
    b: float
    """Its sine times the scale."""
    right: float = 0.0
    """Where the origin goes, x."""
    down: float = 0.0
    """Where the origin goes, y."""

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in dataclasses.astuple(self)) or self.scale == 0:
            raise ValueError(f"{self} is no similarity: its fields must be finite, and a and b not both 0.")

    @property
    def scale(self) -> float:
        """How many times longer it makes a line."""
        return math.hypot(self.a, self.b)

    @property
    def angle(self) -> float:
        """By how much it turns, in radians."""
        return math.atan2(self.b, self.a)

    def __call__(self, points: Points) -> Points:
        """Where points go."""
        matrix = np.array([[self.a, -self.b], [self.b, self.a]])
        return np.asarray(points, np.float64) @ matrix.T + np.array([self.right, self.down])

    def after(self, first: "Similarity") -> "Similarity":
        """First that one, then this one."""
        right, down = self(np.array([[first.right, first.down]]))[0]
        a, b = self.a * first.a - self.b * first.b, self.a * first.b + self.b * first.a
        return Similarity(a=a, b=b, right=float(right), down=float(down))

    def inverse(self) -> "Similarity":
        """The way back."""
        square = self.scale**2
        a, b = self.a / square, -self.b / square
        return Similarity(a=a, b=b, right=-(a * self.right - b * self.down), down=-(b * self.right + a * self.down))


def fit_similarity(points: Points, template: Float[np.ndarray, "m 2"]) -> Similarity:
    """The similarity that lays points over those of a template with the least sum of squared distances.

    With p, q the points and the template less their means, read as complex numbers, it multiplies by ``Σ p̄ q / Σ |p|²``.
    That is Umeyama's solution in the plane, where its singular value decomposition has this closed form and the best map
    without a reflection is taken whether or not one with it were better.

    Args:
        points: at least two, not all in one place.
        template: as many.

    Raises:
        ValueError: another number of points, points that are not finite or all in one place, or points that the template
            fits at no angle better than at any other, such as its mirror image.

    Paper: Umeyama, Least-squares estimation of transformation parameters between two point patterns, PAMI 1991.
    """
    if points.shape != template.shape or len(points) < 2:
        raise ValueError(
            f"A similarity is fitted to at least two points and as many of a template, not to {len(points)} points and "
            f"{len(template)} of the template."
        )
    if not (np.isfinite(points).all() and np.isfinite(template).all()):
        raise ValueError(f"A similarity is fitted to finite points, not to {points.tolist()} and {template.tolist()}.")
    mean, center = (np.asarray(each, np.float64).mean(axis=0) for each in (points, template))
    p, q = (_complex(each, middle) for each, middle in ((points, mean), (template, center)))
    reach = max(np.abs(points).max(), np.abs(p).max())
    if np.abs(p).max() <= 1e-6 * reach:
        raise ValueError(f"All {len(points)} points are at ({mean[0]:g}, {mean[1]:g}): they do not say how large the face is.")
    factor = np.vdot(p, q) / np.vdot(p, p).real
    if abs(factor) * np.linalg.norm(p) <= 1e-6 * np.linalg.norm(q) or not np.linalg.norm(q):
        raise ValueError(
            f"The points {points.tolist()} can be laid over the template at no angle better than at any other: check their "
            "order, and that left and right are not exchanged."
        )
    shift = complex(*center) - factor * complex(*mean)
    return Similarity(a=float(factor.real), b=float(factor.imag), right=shift.real, down=shift.imag)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Crop:
    """Which pixels of an image each pixel of a crop is made of. A pytree; called on images, it cuts the crop out of them.

    Linear in the images, so its derivative is exact.
    """

    index: PyTree
    """The pixels' numbers, row by row: (H, W, k), int32."""
    weight: PyTree
    """How much each counts, (H, W, k): they add to 1 inside of the image, to less at its border."""
    image: tuple[int, int] = dataclasses.field(metadata={"static": True})
    """Height and width of the images."""

    def __call__(self, images: Float[AnyArray, "b h w c"]) -> Float[Array, "b H W c"]:
        """(b, h, w, c) → (b, H, W, c), float32.

        Raises:
            ValueError: images of another size than the crop was made for.
        """
        count, height, width, channels = images.shape
        if (height, width) != self.image:
            raise ValueError(
                f"The crop is of an image of {self.image[0]}×{self.image[1]} pixels, not of {height}×{width}: make one "
                "for this size."
            )
        flat = jnp.asarray(images, jnp.float32).reshape(count, height * width, channels)
        taken = flat.at[:, jnp.asarray(self.index)].get(mode="promise_in_bounds")
        return jnp.sum(taken * jnp.asarray(self.weight)[..., None], axis=3)


def crop(to_image: Similarity, image: tuple[int, int], size: tuple[int, int]) -> Crop:
    """Looks an image up, bilinearly, under every pixel of a crop.

    A pixel of the crop is the mean over n × n evenly spaced places in it, n the scale of ``to_image`` rounded up. So
    where the image is shrunk each of its pixels counts, and where it is enlarged each place is looked up once. Outside of
    the image everything is black.

    Args:
        to_image: from the crop's pixels to the image's.
        image: height and width of the image.
        size: height and width of the crop.

    Returns:
        The crop, in NumPy arrays.

    Raises:
        ValueError: a side below 1.
    """
    if min(*image, *size) < 1:
        raise ValueError(f"A crop of {size[0]}×{size[1]} from {image[0]}×{image[1]} pixels has no pixels.")
    n = max(1, math.ceil(to_image.scale - 1e-6))
    inside = (np.arange(n) + 0.5) / n - 0.5
    rows, columns, below, beside = np.meshgrid(np.arange(size[0]), np.arange(size[1]), inside, inside, indexing="ij")
    places = to_image(np.stack([(columns + beside).ravel(), (rows + below).ravel()], axis=-1))
    first = np.floor(places)
    x, y = first.astype(np.int64).T
    s, t = (places - first).T
    index, weight = [], []
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = x + right, y + down
        there = (column >= 0) & (column < image[1]) & (row >= 0) & (row < image[0])
        share = (s if right else 1.0 - s) * (t if down else 1.0 - t) / n**2
        index.append(np.where(there, row * image[1] + column, 0))
        weight.append(np.where(there, share, 0.0))
    shape = (*size, 4 * n * n)
    return Crop(
        index=np.stack(index, axis=-1).reshape(shape).astype(np.int32),
        weight=np.stack(weight, axis=-1).reshape(shape).astype(np.float32),
        image=image,
    )


def _complex(points: Points, center: Float[np.ndarray, "2"]) -> np.ndarray:
    x, y = (np.asarray(points, np.float64) - center).T
    return x + 1j * y
