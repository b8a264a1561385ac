"""Improved residual networks for faces, as InsightFace trains them."""

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layer_geometry import LayerGeometry, composite
from likeness.research.encoders.layers import Images, as_embedding, batch_norm, check_fields, check_size, standardize
from likeness.research.ops.convolution import Convolution
from likeness.research.ops.remat import Part
from likeness.research.types import Activations, AnyArray, Array, Float, Precision

MINIMUM = 9


class PReLU(nn.Module):
    """Parametric ReLU with one slope a channel, from 0.25: ``max(x, 0) + a · min(x, 0)``."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "... c"]) -> Float[Array, "... c"]:
        """(…, c) → (…, c)."""
        slope = self.param("slope", nn.initializers.constant(0.25), (x.shape[-1],), jnp.float32)
        return jnp.where(x >= 0, x, slope.astype(x.dtype) * x)


class Block(Part, kw_only=True):
    """BN, conv 3×3, BN, PReLU, conv 3×3/stride, BN; plus the input.

    The input passes a 1×1 convolution and BN where the shape changes.
    """

    width: int
    """Channels."""
    stride: int = 1
    """Stride of the second convolution."""
    dtype: Precision = "float32"
    """Compute dtype."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"], train: bool) -> Float[Array, "b h2 w2 d"]:
        """(b, h, w, c) → (b, ⌈h/stride⌉, ⌈w/stride⌉, width)."""
        shortcut = x
        if self.stride != 1 or x.shape[-1] != self.width:
            shortcut = _conv(self.width, 1, self.stride, self.dtype, "shortcut_conv")(shortcut)
            shortcut = batch_norm("shortcut_norm", self.dtype, train=train)(shortcut)
        x = batch_norm("norm1", self.dtype, train=train)(x)
        x = _conv(self.width, 3, 1, self.dtype, "conv1")(x)
        x = PReLU(name="prelu")(batch_norm("norm2", self.dtype, train=train)(x))
        x = _conv(self.width, 3, self.stride, self.dtype, "conv2")(x)
        return batch_norm("norm3", self.dtype, train=train)(x) + shortcut


class IResNet(nn.Module, kw_only=True):
    """Residual network for 112×112 faces, normalized before each block's first convolution.

    No bottlenecks. Conv 3×3, BN, PReLU; four stages of ``blocks`` residual blocks with 1, 2, 4, 8 times
    ``width`` channels, the first block of each with stride 2; BN; dense to ``dimension`` over the whole last
    map (7×7 for faces of 112×112); BN without a scale. Images are mapped to [−1, 1]. Sides from 9 pixels on
    are taken.

    Activations: ``conv1`` (after BN and PReLU), ``layer1`` … ``layer4``, ``flatten``, ``embedding``.

    Parameters at 112×112×3 with 512 dimensions: IResNet-18 24,025,088, -34 34,138,816, -50 43,590,336, -100
    65,155,648. InsightFace's own counts are 512 more: the last BN's scale, which it fixes at 1.

    Papers: Deng et al., ArcFace: additive angular margin loss for deep face recognition, CVPR 2019 (the
    network "LResNet-E-IR"); He et al., Deep residual learning for image recognition, CVPR 2016.
    """

    blocks: tuple[int, int, int, int] = (3, 4, 14, 3)
    """Residual blocks of each stage; the default is IResNet-50."""
    width: int = 64
    """Channels of the first stage."""
    dimension: int = 128
    """Length of the embedding; 512 in the papers."""
    normalize: bool = True
    """Scale the embedding to unit length."""
    dtype: Precision = "float32"
    """Compute dtype; parameters, statistics and the embedding stay float32."""

    def __post_init__(self) -> None:
        check_fields("IResNet", width=self.width, dimension=self.dimension, blocks=min(self.blocks))
        super().__post_init__()

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """``conv1`` and the four stages, each with the window of its blocks' convolutions one after another.

        What the additions bring along lies in the middle of it.
        """
        layers, before = [LayerGeometry("conv1", ("input",), 3, 1, 1)], "conv1"
        for stage, count in enumerate(self.blocks, 1):
            windows = [(3, 1, 1), (3, 2, 1), *[(3, 1, 1)] * (2 * count - 2)]
            layers.append(composite(f"layer{stage}", (before,), windows, needs=2))
            before = f"layer{stage}"
        return tuple(layers)

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
            ValueError: images smaller than 9×9, or not floating point.
        """
        activations = {}
        x = _conv(self.width, 3, 1, self.dtype, "conv1")(standardize(images, self.dtype, signed=True))
        x = PReLU(name="prelu")(batch_norm("norm1", self.dtype, train=train)(x))
        activations["conv1"] = x
        for stage, count in enumerate(self.blocks):
            name = f"layer{stage + 1}"
            check_size("IResNet", name, x, 2, images, MINIMUM)
            for index in range(count):
                stride = 2 if index == 0 else 1
                block = Block(width=self.width * 2**stage, stride=stride, dtype=self.dtype, name=f"{name}_{index + 1}")
                x = block(x, train)
            activations[name] = x
        x = batch_norm("norm2", self.dtype, train=train)(x)
        x = x.reshape(x.shape[0], -1)
        activations["flatten"] = x
        x = nn.Dense(
            self.dimension,
            dtype=jnp.dtype(self.dtype),
            kernel_init=nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
            name="dense",
        )(x)
        x = batch_norm("norm_embedding", "float32", train=train, use_scale=False)(x)
        activations["embedding"] = as_embedding(x, normalize=self.normalize)
        return activations


def iresnet18(dimension: int = 128, *, width: int = 64, normalize: bool = True, dtype: Precision = "float32") -> IResNet:
    """IResNet-18: stages of 2, 2, 2, 2 blocks; the smallest, for a first try at aligned faces."""
    return IResNet(blocks=(2, 2, 2, 2), width=width, dimension=dimension, normalize=normalize, dtype=dtype)


def iresnet34(dimension: int = 128, *, width: int = 64, normalize: bool = True, dtype: Precision = "float32") -> IResNet:
    """IResNet-34: stages of 3, 4, 6, 3 blocks."""
    return IResNet(blocks=(3, 4, 6, 3), width=width, dimension=dimension, normalize=normalize, dtype=dtype)


def iresnet50(dimension: int = 128, *, width: int = 64, normalize: bool = True, dtype: Precision = "float32") -> IResNet:
    """IResNet-50: stages of 3, 4, 14, 3 blocks."""
    return IResNet(blocks=(3, 4, 14, 3), width=width, dimension=dimension, normalize=normalize, dtype=dtype)


def iresnet100(dimension: int = 128, *, width: int = 64, normalize: bool = True, dtype: Precision = "float32") -> IResNet:
    """IResNet-100: stages of 3, 13, 30, 3 blocks."""
    return IResNet(blocks=(3, 13, 30, 3), width=width, dimension=dimension, normalize=normalize, dtype=dtype)


def _conv(channels: int, side: int, stride: int, dtype: Precision, name: str) -> Convolution:
    return Convolution(
        features=channels,
        side=side,
        stride=stride,
        padding=side // 2,
        use_bias=False,
        dtype=dtype,
        kernel_init=nn.initializers.normal(0.1),
        name=name,
    )
