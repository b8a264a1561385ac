"""The network that Johnson et al. paint with, whatever normalizes its layers."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.encoders.layers import Images
from likeness.research.encoders.preprocessing import rgb
from likeness.research.ops.pooling import enlarge
from likeness.research.style_networks.borders import reflect, reflect_to_multiple
from likeness.research.style_networks.normalization import normalize
from likeness.research.types import Array, Float, ImagesFloat, Precision

__all__ = ["Transformer"]

_Norm: TypeAlias = Callable[[Array, str], Array]


class Transformer(nn.Module, kw_only=True):
    """Convolutions that shrink the image, residual blocks at the smallest size, and convolutions that enlarge it again.

    A window of ``outer`` × ``outer`` to the first width; a 3×3 of stride 2 to each further one; ``blocks`` residual blocks
    ``x + N(K(relu(N(K x))))`` of 3×3; as many enlargements with a 3×3 back through the widths; a window of ``outer`` ×
    ``outer`` to three channels; and a squashing to pixels. Every convolution K has no bias and a normalization N after it,
    the last one too, and a ReLU follows all but those that end a block or the network.

    An image of any size: it is mirrored at its lower and right edges to a multiple of the smallest map's stride, and what
    was painted is cut back.

    Differences to the paper: instance normalization in place of batch normalization, after the last convolution too;
    residual blocks that keep the size; enlarging by nearest neighbors; a sigmoid. All but the first are as in Dumoulin et
    al., and the fields give the paper's choices back where published weights need them.

    Papers: Johnson, Alahi and Fei-Fei, Perceptual losses for real-time style transfer and super-resolution, ECCV 2016;
    Dumoulin, Shlens and Kudlur, A learned representation for artistic style, ICLR 2017.
    """

    widths: tuple[int, ...] = (32, 64, 128)
    """Channels after the first convolution and after each of the following, of stride 2."""
    back: tuple[int, ...] = ()
    """Channels after each enlargement; () for the widths before the shrinkings, the last one first."""
    blocks: int = 5
    """Residual blocks."""
    outer: int = 9
    """Side of the first and the last window; odd."""
    padding: Literal["reflect", "zeros"] = "reflect"
    """What surrounds the maps; zeros make a frame around the image."""
    upsampling: Literal["nearest", "transposed"] = "nearest"
    """How maps grow: by :func:`enlarge` and a convolution, or by a transposed convolution of stride 2."""
    output: Literal["sigmoid", "tanh150"] = "sigmoid"
    """From the last map to RGB in [0, 1]: ``1/(1 + exp(-x))``, or ``(150 tanh(x) + 127.5)/255``, which leaves [0, 1]
    by 0.09 on both sides: clip what must be an image."""
    skip: bool = False
    """Whether the last window also sees the image that came in, each channel of it normalized, and not only the last map.
    What is fine then need not be learned to pass all the layers, which takes thousands of steps. In neither paper."""
    brightness: float = 1.0
    """What images in [0, 1] are multiplied by at first: 255 for weights that expect bytes."""
    epsilon: float = 1e-5
    """ε of the normalizations."""
    dtype: Precision = "float32"
    """Compute dtype; parameters, statistics and the painted image stay float32."""

    def __post_init__(self) -> None:
        name = type(self).__name__
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"{name}.widths is {self.widths}: give at least one width, each at least 1.")
        if self.back and (len(self.back) != len(self.widths) - 1 or min(self.back) < 1):
            raise ValueError(
                f"{name}.back is {self.back}: {len(self.widths)} widths shrink the image {len(self.widths) - 1} times, so give "
                "as many widths on the way back, each at least 1, or ()."
            )
        if self.blocks < 0:
            raise ValueError(f"{name}.blocks is {self.blocks}: give 0 or more.")
        if self.outer < 1 or self.outer % 2 == 0:
            raise ValueError(f"{name}.outer is {self.outer}: give an odd number, so that the window has a center.")
        for field in ("brightness", "epsilon"):
            if not 0 < getattr(self, field) < float("inf"):
                raise ValueError(f"{name}.{field} is {getattr(self, field)}: give a finite number above 0.")
        super().__post_init__()

    @property
    def stride(self) -> int:
        """Pixels of the image in one of the smallest map, on a side."""
        return 2 ** (len(self.widths) - 1)

    @property
    def smallest(self) -> int:
        """The least side of an image: every map then has enough pixels to mirror."""
        return max(self.stride + 1, self.outer // 2 + 1)

    def _paint(self, images: Images, norm: _Norm) -> ImagesFloat:
        """Paints images (b, h, w, 3) of RGB in [0, 1], normalizing each layer by its name.

        Raises:
            ValueError: images that are too small, not RGB, or not floating point.
        """
        height, width = self._check(images)
        whole = reflect_to_multiple(self.brightness * rgb(images), self.stride)
        x = self._layer(whole, self.widths[0], "down1", norm, side=self.outer)
        for number, features in enumerate(self.widths[1:], 2):
            x = self._layer(x, features, f"down{number}", norm, stride=2)
        for number in range(1, self.blocks + 1):
            inner = self._layer(x, self.widths[-1], f"block{number}_1", norm)
            x = x + self._layer(inner, self.widths[-1], f"block{number}_2", norm, ends=True)
        for number, features in enumerate(self.back or self.widths[-2::-1], 1):
            x = self._grow(x, features, f"up{number}", norm)
        if self.skip:
            x = jnp.concatenate([x, normalize(whole, self.epsilon).astype(x.dtype)], axis=-1)
        x = self._layer(x, 3, "last", norm, side=self.outer, ends=True)
        return self._squash(x.astype(jnp.float32))[:, :height, :width]

    def _check(self, images: Images) -> tuple[int, int]:
        height, width = rgb(images).shape[1:3]
        if min(height, width) < self.smallest:
            raise ValueError(
                f"{type(self).__name__}: images of {height}×{width} pixels are too small to paint; each side needs "
                f"{self.smallest} or more."
            )
        return height, width

    def _layer(
        self, x: Array, features: int, name: str, norm: _Norm, *, side: int = 3, stride: int = 1, ends: bool = False
    ) -> Array:
        around = "SAME"
        if self.padding == "reflect":
            x, around = reflect(x, side // 2), "VALID"
        x = nn.Conv(
            features,
            (side, side),
            strides=stride,
            padding=around,
            use_bias=False,
            kernel_init=nn.initializers.he_normal(),
            dtype=jnp.dtype(self.dtype),
            name=name,
        )(x)
        x = norm(x, f"{name}_norm").astype(x.dtype)
        return x if ends else nn.relu(x)

    def _grow(self, x: Array, features: int, name: str, norm: _Norm) -> Array:
        if self.upsampling == "nearest":
            return self._layer(enlarge(x), features, name, norm)
        x = nn.ConvTranspose(
            features,
            (3, 3),
            strides=(2, 2),
            padding="SAME",
            use_bias=False,
            # Each pixel is reached by a quarter of the window.
            kernel_init=nn.initializers.variance_scaling(8.0, "fan_in", "normal", in_axis=-1, out_axis=-2),
            dtype=jnp.dtype(self.dtype),
            transpose_kernel=True,
            name=name,
        )(x)
        return nn.relu(norm(x, f"{name}_norm").astype(x.dtype))

    def _squash(self, x: Float[Array, "b h w 3"]) -> ImagesFloat:
        return nn.sigmoid(x) if self.output == "sigmoid" else (150.0 * jnp.tanh(x) + 127.5) / 255.0
