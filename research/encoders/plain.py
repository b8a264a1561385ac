"""The plainest convolutional network: windows that stay within the example, one layer after another."""

import math

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, smallest_side
from likeness.research.encoders.layers import Examples, as_embedding, check_fields, check_size, standardize
from likeness.research.ops.pooling import max_pool
from likeness.research.ops.spatial import convolution
from likeness.research.types import Activations, Precision, SpatialDims


class PlainConvNet(nn.Module, kw_only=True):
    """Convolutions without padding, each followed by a ReLU and perhaps a max pooling, then a dense layer.

    With the defaults it is the example by which convolutions over images are carried over to one dimension and to three: a side
    of 14 becomes 10, then 6, in 16 and then 32 filters of side 5,

        14 × 1         * 5 × 1         → 10 × 16         * 5 × 16         → 6 × 32
        14 × 14 × 3    * 5 × 5 × 3     → 10 × 10 × 16    * 5 × 5 × 16     → 6 × 6 × 32
        14 × 14 × 14 × 1 * 5 × 5 × 5 × 1 → 10 × 10 × 10 × 16 * 5 × 5 × 5 × 16 → 6 × 6 × 6 × 32

    Activations: ``conv1 relu1`` (``pool1`` where there is pooling), ``conv2 relu2`` …, ``flatten``, ``embedding``.
    """

    spatial_dims: SpatialDims = 2
    """1 for signals (b, t, c), 2 for images (b, h, w, c), 3 for volumes and films (b, d, h, w, c)."""
    widths: tuple[int, ...] = (16, 32)
    """Filters of each convolution."""
    side: int = 5
    """Of the window, along each axis."""
    pool: int = 1
    """Side of the disjoint windows of the max pooling after each convolution; 1 for none."""
    dimension: int = 128
    """Length of the embedding."""
    normalize: bool = False
    """Scale the embedding to unit length."""
    dtype: Precision = "float32"
    """Compute dtype; parameters and the embedding stay float32."""

    def __post_init__(self) -> None:
        check_fields("PlainConvNet", side=self.side, pool=self.pool, dimension=self.dimension)
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"PlainConvNet.widths is {self.widths}; give the filters of each convolution, such as (16, 32).")
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The layers that have a map, in the order in which they are computed."""
        layers, last = [], "input"
        for index in range(1, len(self.widths) + 1):
            layers += [
                LayerGeometry(f"conv{index}", (last,), kernel=self.side, needs=self.side),
                LayerGeometry(f"relu{index}", (f"conv{index}",)),
            ]
            last = f"relu{index}"
            if self.pool > 1:
                layers.append(LayerGeometry(f"pool{index}", (last,), kernel=self.pool, stride=self.pool, needs=self.pool))
                last = f"pool{index}"
        return tuple(layers)

    @nn.compact
    def __call__(self, images: Examples, train: bool = False) -> Activations:
        """Encodes a batch.

        Args:
            images: (b, h, w, c) in [0, 1], or of as many spatial axes as ``spatial_dims``.
            train: without effect, the network has no state.

        Returns:
            Activations by name; ``embedding`` is float32, (b, dimension).

        Raises:
            ValueError: images too small for a layer, not floating point, or of other dimensions.
        """
        del train
        activations = {}
        x = standardize(images, self.dtype, signed=False, spatial_dims=self.spatial_dims)
        smallest = smallest_side(self.geometry)
        for index, width in enumerate(self.widths, 1):
            check_size("PlainConvNet", f"conv{index}", x, self.side, images, smallest)
            x = convolution(width, self.side, self.spatial_dims, dtype=self.dtype, name=f"conv{index}")(x)
            activations[f"conv{index}"] = x
            x = nn.relu(x)
            activations[f"relu{index}"] = x
            if self.pool > 1:
                check_size("PlainConvNet", f"pool{index}", x, self.pool, images, smallest)
                x = max_pool(x, self.pool)
                activations[f"pool{index}"] = x
        x = x.reshape(x.shape[0], math.prod(x.shape[1:]))
        activations["flatten"] = x
        x = nn.Dense(self.dimension, dtype=jnp.dtype(self.dtype), name="dense")(x)
        activations["embedding"] = as_embedding(x, normalize=self.normalize)
        return activations
