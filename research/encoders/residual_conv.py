"""A network for small drawings and small faces: Conv-4's blocks, and residual units where the maps are small."""

from typing import Literal

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, composite
from likeness.research.encoders.layers import Images, as_embedding, batch_norm, check_fields, check_size, standardize
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.pooling import max_pool
from likeness.research.types import Activations, Array, Float, Precision

__all__ = ["ResidualConv", "ResidualUnit"]


class ResidualUnit(nn.Module, kw_only=True):
    """``relu(x + norm(conv 3×3(relu(norm(conv 3×3(x))))))``: as many channels as x has."""

    train: bool
    """Whether batch normalization normalizes by the batch."""
    dtype: Precision = "float32"
    """Compute dtype."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """The same shape."""
        y = nn.relu(_normalized_conv(self, x, x.shape[-1], 1))
        return nn.relu(x + _normalized_conv(self, y, x.shape[-1], 2))


class ResidualConv(nn.Module, kw_only=True):
    """Blocks of 3×3 convolution, 2×2 max pooling, batch normalization and ReLU, after some of which come residual units.

    A last 3×3 convolution brings the map to few channels, and where each of them lies is kept: the embedding is that map, of
    ⌊side/2^blocks⌋² × ``last`` numbers, or a dense layer of it. Most of the work is done on maps of a quarter of the image's
    side and less, so the network is four times as deep as Conv-4 at about its cost.

    Activations: ``pool1`` … (after normalization and ReLU), ``unit1`` … where a block has residual units, ``last``,
    ``flatten``, ``embedding``.

    Parameters: 536,160 for gray images with the defaults.

    Sources: He et al., Deep residual learning for image recognition, CVPR 2016, for the units; Vinyals et al., Matching
    networks for one shot learning, NeurIPS 2016, for the blocks.

    Example:
        >>> import jax
        >>> encoder = ResidualConv(widths=(8, 16), units=(0, 1), last=4)
        >>> variables = jax.jit(encoder.init)(jax.random.key(0), jnp.zeros((1, 20, 20, 1)))
        >>> jax.jit(encoder.apply)(variables, jnp.zeros((3, 20, 20, 1)))["embedding"].shape
        (3, 100)
    """

    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of each block."""
    units: tuple[int, ...] = (0, 1, 1)
    """Residual units after each block."""
    last: int = 64
    """Channels of the last map."""
    head: Literal["dense", "flatten"] = "flatten"
    """flatten: the last map as it is, and `dimension` is not used; dense: a dense layer to `dimension`."""
    dimension: int = 128
    """Length of the embedding under the dense head."""
    normalize: bool = False
    """Scale the embedding to unit length."""
    dtype: Precision = "float32"
    """Compute dtype; parameters, statistics and the embedding stay float32."""

    def __post_init__(self) -> None:
        check_fields("ResidualConv", last=self.last, dimension=self.dimension)
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"ResidualConv.widths is {self.widths}; give the channels of each block, such as (32, 64, 128).")
        if len(self.units) != len(self.widths) or min(self.units) < 0:
            raise ValueError(
                f"ResidualConv.units is {self.units}; give for each of the {len(self.widths)} blocks in `widths` how many "
                "residual units follow it, 0 or more."
            )
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The layers that have a map, in the order in which they are computed; a block's is its convolution and pooling."""
        layers, before = [], "input"
        for block, units in enumerate(self.units, 1):
            layers.append(composite(f"pool{block}", (before,), [(3, 1, 1), (2, 2, 0)], 2))
            before = f"pool{block}"
            if units:
                layers.append(composite(f"unit{block}", (before,), [(3, 1, 1)] * (2 * units), 1))
                before = f"unit{block}"
        return (*layers, LayerGeometry("last", (before,), 3, 1, 1))

    @nn.compact
    def __call__(self, images: Images, train: bool = False) -> Activations:
        """Encodes a batch.

        Args:
            images: (b, h, w, c) in [0, 1], of sides of at least 2^blocks.
            train: normalize by the batch's statistics and update the running ones (needs
                ``mutable=["batch_stats"]``).

        Returns:
            Activations by name; ``embedding`` is float32, (b, dimension).

        Raises:
            ValueError: images that the blocks would shrink to nothing, or that are not floating point.
        """
        activations = {}
        x = standardize(images, self.dtype, signed=True)
        for block, (width, units) in enumerate(zip(self.widths, self.units, strict=True), 1):
            check_size("ResidualConv", f"pool{block}", x, 2, images, 2 ** len(self.widths))
            x = max_pool(_conv(width, self.dtype, f"conv{block}")(x), 2)
            x = activations[f"pool{block}"] = nn.relu(batch_norm(f"norm{block}", self.dtype, train=train)(x))
            for unit in range(1, units + 1):
                x = ResidualUnit(train=train, dtype=self.dtype, name=f"unit{block}_{unit}")(x)
            if units:
                activations[f"unit{block}"] = x
        x = _conv(self.last, self.dtype, "conv_last")(x)
        x = activations["last"] = nn.relu(batch_norm("norm_last", self.dtype, train=train)(x))
        x = activations["flatten"] = x.reshape(x.shape[0], -1)
        if self.head == "dense":
            x = nn.Dense(self.dimension, dtype=jnp.dtype(self.dtype), name="dense")(x)
        activations["embedding"] = as_embedding(x, normalize=self.normalize)
        return activations


def _conv(width: int, dtype: Precision, name: str) -> Convolution:
    return Convolution(features=width, side=3, padding=1, use_bias=False, dtype=dtype, name=name)


def _normalized_conv(unit: ResidualUnit, x: Float[Array, "b h w c"], width: int, which: int) -> Float[Array, "b h w c"]:
    x = _conv(width, unit.dtype, f"conv{which}")(x)
    return batch_norm(f"norm{which}", unit.dtype, train=unit.train)(x)
