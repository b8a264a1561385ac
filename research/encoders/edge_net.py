"""One convolution whose map stays in its place, for few images of aligned faces."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.typing import DTypeLike
from jaxtyping import Float

from likeness.research.checks import check_choice
from likeness.research.encoders.hog import gaussian_cells
from likeness.research.encoders.layer_geometry import LayerGeometry
from likeness.research.encoders.layers import Images, as_embedding, batch_norm, check_fields, check_size, standardize
from likeness.research.ops.convolution import convolve
from likeness.research.types import Activations, AnyArray, Array, Precision, PRNGKey

_EPSILON = 1e-6
"""Of squared responses to kernels of unit length: below what a byte resolves."""


class EdgeNet(nn.Module, kw_only=True):
    """A convolution, ReLU, divisive normalization, cells, batch normalization and a dense layer.

    Each kernel is used without its mean and at unit length (weight standardization), so that it sees contrast and no
    brightness. Of the responses r_k ≥ 0 of all channels at a pixel,

        y_k = r_k^p / (mean_j r_j² + ε)^((p - 1) / 2)

    keeps the length of the contrast, and gives the more of it to the channels that answer strongest the larger p is. The maps
    are averaged by a Gaussian of standard deviation cell/2 around the centers of square cells, as in
    :class:`~likeness.research.encoders.HOG`, and then each cell has weights of its own in the dense layer: where faces are
    aligned, a mouth is compared with a mouth. Few people teach that better than a deep network whose last map is averaged.

    Kernels start at random, or at central differences in evenly spaced directions, from where with p = 4 the cells are those of
    ``HOG`` until the kernels have learned something else.

    Any input of at least ``cell × cell`` pixels, padded by its edge. Cells are centered at ⌊cell/2⌋, ⌊cell/2⌋ + cell, ….

    Activations: ``conv1``, ``relu1``, ``normalized1``, (b, h, w, width); ``cells``; ``flatten``; ``embedding``.

    Papers: Qiao et al., Micro-batch training with batch-channel normalization and weight standardization, 2019; Carandini and
    Heeger, Normalization as a canonical neural computation, Nature Reviews Neuroscience 2012.
    """

    width: int = 32
    """Kernels of the convolution."""
    side: int = 3
    """Pixels of a kernel's side, odd."""
    start: Literal["random", "differences"] = "random"
    """What the kernels start from: numbers drawn at random, or differences to the ``width`` directions, evenly around."""
    power: int = 4
    """p, from 1 on: 1 leaves the responses as they are. A whole number, whose power is a few products."""
    cell: int = 8
    """Pixels from the center of one cell to that of the next."""
    dimension: int = 128
    """Length of the embedding."""
    normalize: bool = True
    """Scale the embedding to unit length."""
    dtype: Precision = "float32"
    """Compute dtype; parameters, statistics and the embedding stay float32."""

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("width", "side", "power", "cell", "dimension")}
        check_fields("EdgeNet", **counts)
        if self.side % 2 == 0:
            raise ValueError(f"EdgeNet.side is {self.side}; it must be odd, so that a kernel has a center.")
        check_choice("EdgeNet", "start", self.start, Literal["random", "differences"])
        if self.start == "differences" and self.side == 1:
            raise ValueError("EdgeNet.side is 1, of which there is no difference; give 3 or more, or start at random.")
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """Up to ``normalized1``: a Gaussian has no edge, so a cell sees the whole image."""
        return (
            LayerGeometry("conv1", ("input",), self.side, 1, self.side // 2),
            LayerGeometry("relu1", ("conv1",)),
            LayerGeometry("normalized1", ("relu1",)),
        )

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch.

        Args:
            images: (b, h, w, c) in [0, 1].
            train: normalize by the batch's statistics and update the running ones (needs
                ``mutable=["batch_stats"]``).

        Returns:
            Activations by name; ``embedding`` is float32, (b, dimension).

        Raises:
            ValueError: images smaller than a cell, or not floating point.
        """
        dtype = jnp.dtype(self.dtype)
        x = standardize(images, self.dtype, signed=False)
        check_size("EdgeNet", "cells", x, self.cell, images, self.cell)
        shape = (self.side, self.side, x.shape[-1], self.width)
        draw = nn.initializers.lecun_normal() if self.start == "random" else differences
        kernel = standardized(self.param("kernel", draw, shape, jnp.float32))
        margin = (self.side // 2,) * 2
        padded = jnp.pad(x, ((0, 0), margin, margin, (0, 0)), mode="edge")
        responses = convolve(padded, kernel.astype(dtype))
        edges = nn.relu(responses)
        sharp = sharpened(edges, self.power).astype(dtype)
        cells = gaussian_cells(sharp, self.cell)
        flat = cells.reshape(cells.shape[0], -1)
        code = batch_norm("norm", self.dtype, train=train)(flat)
        code = nn.Dense(self.dimension, dtype=dtype, name="dense")(code)
        return {
            "conv1": responses,
            "relu1": edges,
            "normalized1": sharp,
            "cells": cells,
            "flatten": flat,
            "embedding": as_embedding(code, normalize=self.normalize),
        }


def differences(key: PRNGKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    """Kernels (side, side, c, d) of central differences to d directions, evenly around the circle, the same in all channels.

    Args:
        key: not used; so it is what draws parameters.
        shape: of the kernels.
        dtype: of the result.

    Example:
        >>> to_the_right = differences(jax.random.key(0), (3, 3, 1, 4))[..., 0, 0]
        >>> (to_the_right + 0.0).tolist()
        [[0.0, 0.0, 0.0], [-0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]
    """
    del key
    side, _, channels, count = shape
    angles, middle = 2 * np.pi * np.arange(count) / count, side // 2
    kernel = np.zeros((side, side, count))
    for step in (-1, 1):
        kernel[middle, middle + step] = 0.5 * step * np.cos(angles)
        kernel[middle + step, middle] = 0.5 * step * np.sin(angles)
    return jnp.asarray(np.repeat(kernel[:, :, None], channels, axis=2), dtype)


def standardized(kernel: Float[AnyArray, "kh kw c d"]) -> Float[Array, "kh kw c d"]:
    """Each of d kernels without its mean, at unit length.

    Example:
        >>> standardized(jnp.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)).ravel().round(3).tolist()
        [-0.7070000171661377, 0.0, 0.7070000171661377]
    """
    weights: Array = jnp.asarray(kernel)
    centered = weights - jnp.mean(weights, axis=(0, 1, 2), keepdims=True)
    return centered / jnp.sqrt(jnp.sum(centered * centered, axis=(0, 1, 2), keepdims=True) + 1e-12)


def sharpened(responses: Float[AnyArray, "... k"], power: int) -> Float[Array, "... k"]:
    """``r_k^p / (mean_j r_j² + ε)^((p - 1) / 2)`` of responses r ≥ 0, float32.

    Example:
        >>> sharpened(jnp.array([1.0, 1.0, 0.5]), 4).round(3).tolist()
        [1.540000081062317, 1.540000081062317, 0.09600000083446503]
    """
    r: Array = jnp.asarray(responses, jnp.float32)
    strength = jnp.mean(r * r, axis=-1, keepdims=True) + _EPSILON
    return jnp.asarray(jax.lax.integer_pow(r, power) / strength ** ((power - 1) / 2))
