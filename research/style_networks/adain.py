"""Any style in one pass: adaptive instance normalization and the decoder behind it (Huang and Belongie 2017)."""

from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders import Vgg
from likeness.research.ops.pooling import enlarge
from likeness.research.style_networks.borders import reflect
from likeness.research.style_networks.normalization import mean_and_variance
from likeness.research.types import AnyArray, Array, Float, Precision

__all__ = ["Decoder", "StyleStatistics", "adain", "mirror", "style_statistics"]


class StyleStatistics(NamedTuple):
    """All that :func:`adain` sees of a style, float32."""

    mean: Float[AnyArray, "b 1 1 c"]
    deviation: Float[AnyArray, "b 1 1 c"]


def style_statistics(features: Float[AnyArray, "b h w c"], epsilon: float = 1e-5) -> StyleStatistics:
    """Mean and deviation ``√(σ² + ε)`` of each channel, σ² biased; ε in squared units of the activations.

    Statistics may be averaged: their weighted mean is the style between, as the mean of what :func:`adain` makes would be.
    """
    mean, variance = mean_and_variance(features)
    return StyleStatistics(mean, jnp.sqrt(variance + epsilon))


def adain(
    content: Float[AnyArray, "b h w c"], style: StyleStatistics, alpha: float | Array = 1.0, epsilon: float = 1e-5
) -> Float[Array, "b h w c"]:
    """``(1 - α) x + α (σ_s (x - μ_x)/√(σ_x² + ε) + μ_s)``: the content's features with the style's mean and deviation.

    In float32 whatever the features' dtype.

    Args:
        content: x, a layer's activations of the content images.
        style: μ_s and σ_s by :func:`style_statistics`, of one style for each image, or of one for all.
        alpha: strength: 0 leaves x as it is.
        epsilon: ε, in squared units of the activations.

    Example:
        >>> x, s = jnp.array([[[[0.0], [2.0]]]]), jnp.array([[[[10.0], [30.0]]]])
        >>> adain(x, style_statistics(s)).round(2).ravel().tolist()
        [10.0, 30.0]
    """
    x = jnp.asarray(content).astype(jnp.float32)
    mean, variance = mean_and_variance(x)
    moved = style.deviation * ((x - mean) / jnp.sqrt(variance + epsilon)) + style.mean
    return (1.0 - alpha) * x + alpha * moved


class Decoder(nn.Module, kw_only=True):
    """A VGG backward: 3×3 convolutions between mirrored edges, ReLU, and nearest-neighbor enlarging in place of pooling.

    For the encoder to ``relu4_1`` of VGG-19 it is the paper's decoder: convolutions to 256, enlarge, 256 three times and
    128, enlarge, 128 and 64, enlarge, 64 and 3. Nothing is normalized, since a style lives in the statistics. The last
    convolution has no ReLU: clip what must be an image.
    """

    convolutions: tuple[int, ...] = (2, 2, 4, 1)
    """Of each block of the encoder, counted from the image; of the last, only those up to the layer that is decoded."""
    widths: tuple[int, ...] = (64, 128, 256, 512)
    """Channels of each of the encoder's blocks."""
    dtype: Precision = "float32"
    """Compute dtype; parameters and the image stay float32."""

    def __post_init__(self) -> None:
        if not self.widths or len(self.widths) != len(self.convolutions) or min(*self.widths, *self.convolutions) < 1:
            raise ValueError(
                f"Decoder has convolutions {self.convolutions} and widths {self.widths}: give as many of the one as of the "
                "other, each at least 1."
            )
        super().__post_init__()

    @property
    def stride(self) -> int:
        """Pixels of the image in one of the decoded map, on a side."""
        return 2 ** (len(self.widths) - 1)

    @nn.compact
    def __call__(self, features: Float[AnyArray, "b h w c"]) -> Float[Array, "b h2 w2 3"]:
        """Paints what has these features.

        Args:
            features: (b, h, w, c) with c the last of the widths.

        Returns:
            RGB, (b, h · stride, w · stride, 3), float32.

        Raises:
            ValueError: another number of channels, or maps of a single row or column, which have nothing to mirror.
        """
        if features.shape[-1] != self.widths[-1]:
            raise ValueError(f"Decoder: features of {features.shape[-1]} channels, and {self.widths[-1]} are decoded.")
        x = jnp.asarray(features).astype(self.dtype)
        inputs = (3, *self.widths)
        for block in range(len(self.widths), 0, -1):
            for number in range(self.convolutions[block - 1], 0, -1):
                first = number == 1
                width = inputs[block - 1] if first else self.widths[block - 1]
                x = nn.Conv(
                    width,
                    (3, 3),
                    padding="VALID",
                    kernel_init=nn.initializers.he_normal(),
                    dtype=jnp.dtype(self.dtype),
                    name=f"conv{block}_{number}",
                )(reflect(x, 1))
                x = x if first and block == 1 else nn.relu(x)
            x = enlarge(x) if block > 1 else x
        return x.astype(jnp.float32)


def mirror(encoder: Vgg, layer: str) -> Decoder:
    """The decoder of a layer of an encoder.

    Raises:
        ValueError: the encoder has no such layer, or it is no ReLU; poolings and what is before a ReLU are not decoded.

    Example:
        >>> mirror(Vgg(), "relu4_1") == Decoder()
        True
    """
    names = [one.name for one in encoder.geometry]
    decodable = [name for name in names if name.startswith("relu")]
    if layer not in decodable:
        raise ValueError(f"The layer {layer!r} cannot be decoded: give one of {', '.join(decodable)}.")
    block, number = map(int, layer.removeprefix("relu").split("_"))
    return Decoder(
        convolutions=(*encoder.convolutions[: block - 1], number), widths=encoder.widths[:block], dtype=encoder.dtype
    )
