"""Oriented gradients and one learned layer: an encoder for a few images of a few aligned faces."""

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Float

from likeness.research.encoders.layer_geometry import LayerGeometry
from likeness.research.encoders.layers import Images, as_embedding, batch_norm, check_fields, check_size, standardize
from likeness.research.types import Activations, Array, Precision

# The direction's response falls off as cos⁴: two neighbors of eight then share an edge that lies between them.
_SHARPNESS = 4
# Of a gradient's squared length, in gray values per pixel: smooth where there is no edge, and far below what a byte resolves.
_EPSILON = 1e-8


class HOG(nn.Module, kw_only=True):
    """How much of an edge runs in each direction in each part of the image, then batch normalization and a dense layer.

    With g the gradient of the image (central differences) and u_k the unit vector at angle 2πk/K, the map of direction
    k is ``|g| [cos ∠(g, u_k)]₊⁴``. It is averaged by a Gaussian of standard deviation cell/2 around the centers of square
    cells. These K maps per channel have nothing to learn; once trained, the embedding before it is scaled to unit length is
    an affine function of them: a learned metric. It is for aligned images of few people, too few to learn features from.

    Differences to Dalal and Triggs: all the way around instead of half, Gaussian cells, smooth in the pixels, and no
    normalization of a cell by its surroundings.

    Any input of at least ``cell × cell`` pixels. Cells are centered at ⌊cell/2⌋, ⌊cell/2⌋ + cell, … along each side.

    Activations: ``gradients``, (b, h, w, c · directions); ``cells``; ``flatten``; ``embedding``.

    Papers: Dalal and Triggs, Histograms of oriented gradients for human detection, CVPR 2005; for faces, with a learned
    linear metric: Déniz et al., Face recognition using histograms of oriented gradients, Pattern Recognition Letters 2011.
    """

    cell: int = 8
    """Pixels from the center of one cell to that of the next."""
    directions: int = 8
    """Directions, evenly around the circle."""
    dimension: int = 128
    """Length of the embedding."""
    normalize: bool = True
    """Scale the embedding to unit length."""
    dtype: Precision = "float32"
    """Compute dtype; parameters, statistics and the embedding stay float32."""

    def __post_init__(self) -> None:
        check_fields("HOG", cell=self.cell, directions=self.directions, dimension=self.dimension)
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """``gradients`` alone: a Gaussian has no edge, so a cell sees the whole image."""
        return (LayerGeometry("gradients", ("input",), 3, 1, 1),)

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
        check_size("HOG", "cells", x, self.cell, images, self.cell)
        edges = oriented_edges(x, self.directions)
        cells = gaussian_cells(edges, self.cell)
        flat = cells.reshape(cells.shape[0], -1)
        code = batch_norm("norm", self.dtype, train=train)(flat)
        code = nn.Dense(self.dimension, dtype=dtype, name="dense")(code)
        embedding = as_embedding(code, normalize=self.normalize)
        return {"gradients": edges, "cells": cells, "flatten": flat, "embedding": embedding}


def oriented_edges(images: Float[Array, "b h w c"], directions: int) -> Float[Array, "b h w k"]:
    """The length of the gradient, shared among directions by cos⁴ of the angle to each: (b, h, w, c · directions).

    Example:
        >>> brighter_to_the_right = jnp.broadcast_to(jnp.arange(4.0)[:, None], (1, 4, 4, 1))
        >>> oriented_edges(brighter_to_the_right, 4)[0, 1, 1].round(3).tolist()
        [1.0, 0.0, 0.0, 0.0]
    """
    p = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")[..., None]
    right = 0.5 * (p[:, 1:-1, 2:] - p[:, 1:-1, :-2])
    down = 0.5 * (p[:, 2:, 1:-1] - p[:, :-2, 1:-1])
    angles = 2 * np.pi * np.arange(directions) / directions
    cos, sin = (jnp.asarray(part, images.dtype) for part in (np.cos(angles), np.sin(angles)))
    length = jnp.sqrt(right * right + down * down + _EPSILON)
    along = jnp.maximum(right * cos + down * sin, 0.0) / length
    return (length * along**_SHARPNESS).reshape(*images.shape[:3], -1)


def gaussian_cells(maps: Float[Array, "b h w k"], cell: int) -> Float[Array, "b cy cx k"]:
    """The maps averaged by a Gaussian of standard deviation cell/2 around the centers of square cells, in their own dtype.

    Example:
        >>> gaussian_cells(jnp.ones((2, 17, 16, 3)), 8).shape
        (2, 2, 2, 3)
    """
    rows, columns = (jnp.asarray(gaussian_windows(side, cell), maps.dtype) for side in maps.shape[1:3])
    return jnp.einsum("yh,bhwk,xw->byxk", rows, maps, columns)


def gaussian_windows(side: int, cell: int) -> Float[np.ndarray, "cells side"]:
    """One Gaussian average per row, around the center of each cell, renormalized where the border cuts it off.

    Args:
        side: pixels.
        cell: from one center to the next; the first is at ⌊cell/2⌋, and the standard deviation is cell/2.

    Example:
        >>> gaussian_windows(4, 2).round(2).tolist()
        [[0.26, 0.43, 0.26, 0.06], [0.01, 0.08, 0.35, 0.57]]
    """
    centers = np.arange(cell // 2, side, cell)[:, None]
    weights = np.exp(-0.5 * ((np.arange(side) - centers) / (cell / 2)) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)
