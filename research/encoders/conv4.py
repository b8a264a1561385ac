"""Conv-4, the network of the few-shot literature."""

from typing import Literal

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry
from likeness.research.encoders.layers import Examples, as_embedding, batch_norm, check_fields, check_size, standardize
from likeness.research.ops.pooling import max_pool
from likeness.research.ops.spatial import convolution
from likeness.research.types import Activations, Precision, SpatialDims

BLOCKS = 4


class Conv4(nn.Module, kw_only=True):
    """Four blocks of 3×3 convolution, batch normalization, ReLU and 2×2 max pooling (Vinyals et al. 2016).

    Any input of at least 16×16 pixels: 28 for Omniglot, 48 or 64 for small faces, 105 for Omniglot's
    originals. The last map has ⌊side/16⌋² × ``width`` entries. Prototypical networks use it as the embedding
    (``head="flatten"``); the default adds one dense layer, which a pair of faces needs to be compared in
    ``dimension`` numbers. Signals and volumes are encoded by the same blocks of as many dimensions: at least 16
    samples, or 16×16×16 voxels.

    Activations: ``conv1 relu1 pool1`` … ``conv4 relu4 pool4``, ``flatten``, ``embedding``.

    Parameters: 111,680 for gray images without the dense layer (the published network has 256 more, biases of
    the convolutions, which batch normalization cancels); the dense layer at 28×28 adds 8,320.

    Papers: Vinyals et al., Matching networks for one shot learning, NeurIPS 2016; Snell et al., Prototypical
    networks for few-shot learning, NeurIPS 2017.
    """

    width: int = 64
    """Channels of every block."""
    head: Literal["dense", "flatten"] = "dense"
    """dense: a dense layer to `dimension`; flatten: the last map as it is, and `dimension` is not used."""
    dimension: int = 128
    """Length of the embedding under the dense head."""
    normalize: bool = True
    """Scale the embedding to unit length."""
    dtype: Precision = "float32"
    """Compute dtype; parameters, statistics and the embedding stay float32."""
    spatial_dims: SpatialDims = 2
    """1 for signals (b, t, c), 2 for images (b, h, w, c), 3 for volumes and films (b, d, h, w, c)."""

    def __post_init__(self) -> None:
        check_fields("Conv4", width=self.width, dimension=self.dimension)
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The layers that have a map, in the order in which they are computed; the same along every axis."""
        layers, before = [], "input"
        for block in range(1, BLOCKS + 1):
            layers.append(LayerGeometry(f"conv{block}", (before,), 3, 1, 1, needs=2))
            layers.append(LayerGeometry(f"relu{block}", (f"conv{block}",)))
            before = f"pool{block}"
            layers.append(LayerGeometry(before, (f"relu{block}",), 2, 2, needs=2))
        return tuple(layers)

    @nn.compact
    def __call__(self, images: Examples, train: bool = False) -> Activations:
        """Encodes a batch.

        Args:
            images: (b, h, w, c) in [0, 1], or of as many spatial axes as ``spatial_dims``.
            train: normalize by the batch's statistics and update the running ones (needs
                ``mutable=["batch_stats"]``).

        Returns:
            Activations by name; ``embedding`` is float32, (b, dimension).

        Raises:
            ValueError: images smaller than 16×16, not floating point, or of other dimensions.
        """
        dtype = jnp.dtype(self.dtype)
        activations = {}
        x = standardize(images, self.dtype, signed=True, spatial_dims=self.spatial_dims)
        for block in range(1, BLOCKS + 1):
            check_size("Conv4", f"pool{block}", x, 2, images, 2**BLOCKS)
            x = convolution(self.width, 3, self.spatial_dims, padding=1, use_bias=False, dtype=self.dtype, name=f"conv{block}")(
                x
            )
            activations[f"conv{block}"] = x
            normalize = batch_norm(f"norm{block}", self.dtype, train=train).measure(x)
            activations[f"relu{block}"] = nn.relu(normalize(x))
            # ReLU is monotone, and so is normalizing, so in training both follow the pooling: the same values on a quarter of
            # the pixels. In use the embedding is computed from the ReLU's map, so that it can be asked what depends on it.
            x = nn.relu(normalize.of_maxima(x, 2)) if train else max_pool(activations[f"relu{block}"], 2)
            activations[f"pool{block}"] = x
        x = x.reshape(x.shape[0], -1)
        activations["flatten"] = x
        if self.head == "dense":
            x = nn.Dense(self.dimension, dtype=dtype, name="dense")(x)
        activations["embedding"] = as_embedding(x, normalize=self.normalize)
        return activations
