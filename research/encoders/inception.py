"""The small Inception network of FaceNet, as OpenFace defines it."""

from typing import Literal

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from likeness.research.encoders.layer_geometry import LayerGeometry
from likeness.research.encoders.layers import Images, as_embedding, batch_norm, check_fields, check_size, standardize
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.local_response_norm import local_response_norm
from likeness.research.ops.pooling import l2_pool, max_pool
from likeness.research.types import Activations, AnyArray, Array, Float, Precision

MINIMUM = 65


class Inception(nn.Module, kw_only=True):
    """Parallel columns, concatenated: 1×1→3×3, 1×1→5×5, pooling→1×1, and 1×1.

    Batch normalization and ReLU follow each convolution. A column of width 0 is left out; the pooling
    always stays. The pooling's map is smaller than the others' and is centered in a border of zeros, as
    Torch's ``DepthConcat`` does.
    """

    three: tuple[int, int]
    """Channels of the 1×1 reduction and of the 3×3 convolution."""
    five: tuple[int, int] = (0, 0)
    """Channels of the 1×1 reduction and of the 5×5 convolution."""
    pool: Literal["max", "l2"]
    """max: 3×3 every 2 pixels; l2: 3×3 every 3 pixels."""
    projection: int = 0
    """Channels of the 1×1 convolution after the pooling; 0 passes the pooled map on."""
    one: int = 0
    """Channels of the 1×1 column."""
    stride: int = 1
    """Stride of the 3×3 and 5×5 convolutions."""
    dtype: Precision = "float32"
    """Compute dtype."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"], train: bool) -> Float[Array, "b h2 w2 d"]:
        """(b, h, w, c) → (b, ⌈h/stride⌉, ⌈w/stride⌉, sum of the columns' channels)."""

        def convolve(y: AnyArray, channels: int, side: int, stride: int, name: str) -> Array:
            return _conv_norm_relu(y, channels, side, stride, name, self.dtype, train)

        columns = []
        for side, (reduction, channels) in ((3, self.three), (5, self.five)):
            if channels:
                reduced = convolve(x, reduction, 1, 1, f"reduce{side}")
                columns.append(convolve(reduced, channels, side, self.stride, f"conv{side}"))
        pooled = max_pool(x, 3, 2) if self.pool == "max" else l2_pool(x, 3)
        if self.projection:
            pooled = convolve(pooled, self.projection, 1, 1, "projection")
        columns.append(_centre(pooled, columns[0].shape[1:3]))
        if self.one:
            columns.append(convolve(x, self.one, 1, 1, "conv1"))
        return jnp.concatenate(columns, axis=-1)


class NN4Small2(nn.Module, kw_only=True):
    """OpenFace's nn4.small2 for aligned 96×96 color faces.

    FaceNet's NN4 without the modules 4b to 4d and with smaller 5a and 5b: conv 7×7/2, max pool, LRN; conv
    1×1, conv 3×3, LRN, max pool; inception 3a 3b 3c 4a 4e 5a 5b; mean over the 3×3 map that is left; dense to
    ``dimension``; unit length. Images stay in [0, 1], as OpenFace's weights expect. Sides from 65 pixels on
    are taken.

    Activations: ``conv1 pool1 norm1 conv2 conv3 norm2 pool2``, ``inception_3a`` … ``inception_5b``,
    ``avgpool``, ``embedding``; the convolutions' after batch normalization and ReLU.

    Parameters: 3,733,968 for color images and 128 dimensions.

    Papers: Schroff et al., FaceNet: a unified embedding for face recognition and clustering, CVPR 2015; Amos
    et al., OpenFace: a general-purpose face recognition library with mobile applications, CMU-CS-16-118,
    2016.
    """

    dimension: int = 128
    """Length of the embedding."""
    normalize: bool = True
    """Scale the embedding to unit length."""
    dtype: Precision = "float32"
    """Compute dtype; parameters, statistics and the embedding stay float32."""

    def __post_init__(self) -> None:
        check_fields("NN4Small2", dimension=self.dimension)
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """The layers up to ``pool2``, with kernel, stride and padding.

        Behind it no unit has a field of its own that moves by a fixed step: ``inception_3a`` joins columns of stride 1 with a
        pooling of stride 2, laid into their center (see :class:`Inception`), so how far apart the two look in the image is
        another thing for every unit and for every size of the map.
        """
        return (
            LayerGeometry("conv1", ("input",), 7, 2, 3),
            LayerGeometry("pool1", ("conv1",), 3, 2, 1),
            LayerGeometry("norm1", ("pool1",)),
            LayerGeometry("conv2", ("norm1",)),
            LayerGeometry("conv3", ("conv2",), 3, 1, 1),
            LayerGeometry("norm2", ("conv3",)),
            LayerGeometry("pool2", ("norm2",), 3, 2, 1),
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
            ValueError: images smaller than 65×65, or not floating point.
        """
        activations: Activations = {}

        def keep(name: str, value: Array) -> Array:
            activations[name] = value
            return value

        def convolve(y: Array, channels: int, side: int, stride: int, name: str) -> Array:
            return keep(name, _conv_norm_relu(y, channels, side, stride, name, self.dtype, train))

        x = convolve(standardize(images, self.dtype, signed=False), 64, 7, 2, "conv1")
        x = keep("norm1", local_response_norm(keep("pool1", max_pool(x, 3, 2, 1))))
        x = convolve(convolve(x, 64, 1, 1, "conv2"), 192, 3, 1, "conv3")
        x = keep("pool2", max_pool(keep("norm2", local_response_norm(x)), 3, 2, 1))
        modules = {
            "3a": Inception(
                three=(96, 128),
                five=(16, 32),
                pool="max",
                projection=32,
                one=64,
                dtype=self.dtype,
                name="inception_3a",
            ),
            "3b": Inception(
                three=(96, 128),
                five=(32, 64),
                pool="l2",
                projection=64,
                one=64,
                dtype=self.dtype,
                name="inception_3b",
            ),
            "3c": Inception(three=(128, 256), five=(32, 64), pool="max", stride=2, dtype=self.dtype, name="inception_3c"),
            "4a": Inception(
                three=(96, 192),
                five=(32, 64),
                pool="l2",
                projection=128,
                one=256,
                dtype=self.dtype,
                name="inception_4a",
            ),
            "4e": Inception(three=(160, 256), five=(64, 128), pool="max", stride=2, dtype=self.dtype, name="inception_4e"),
            "5a": Inception(three=(96, 384), pool="l2", projection=96, one=256, dtype=self.dtype, name="inception_5a"),
            "5b": Inception(three=(96, 384), pool="max", projection=96, one=256, dtype=self.dtype, name="inception_5b"),
        }
        for stage, module in modules.items():
            check_size("NN4Small2", f"inception_{stage}", x, 3, images, MINIMUM)
            x = keep(f"inception_{stage}", module(x, train))
        x = keep("avgpool", jnp.mean(x, axis=(1, 2), dtype=jnp.float32).astype(self.dtype))
        x = nn.Dense(self.dimension, dtype=jnp.dtype(self.dtype), name="dense")(x)
        keep("embedding", as_embedding(x, normalize=self.normalize))
        return activations


def _conv_norm_relu(x: AnyArray, channels: int, side: int, stride: int, name: str, dtype: Precision, train: bool) -> Array:
    """Convolution padded by ⌊side/2⌋, batch normalization, ReLU; to be called inside a compact method."""
    x = Convolution(features=channels, side=side, stride=stride, padding=side // 2, dtype=dtype, name=name)(x)
    return nn.relu(batch_norm(f"{name}_norm", dtype, train=train)(x))


def _centre(x: Array, size: tuple[int, ...]) -> Array:
    """Zeros around a map up to ``size``; the odd pixel goes below and to the right."""
    gaps = [wanted - had for wanted, had in zip(size, x.shape[1:3], strict=True)]
    rows, columns = ((gap // 2, gap - gap // 2, 0) for gap in gaps)
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), rows, columns, (0, 0, 0)))
