"""Convolutions over one, two or three spatial axes behind one name."""

import jax.numpy as jnp
from flax import linen as nn

from likeness.research.ops.convolution import Convolution, convolve
from likeness.research.types import AnyArray, Array, Float, Precision, SpatialDims

__all__ = ["VolumeConvolution", "convolution", "convolve_volumes"]


class VolumeConvolution(nn.Module, kw_only=True):
    """``flax.linen.Conv`` of stride 1 over volumes, by :func:`convolve_volumes`. Parameters: ``kernel``, ``bias``."""

    features: int
    """Channels that come out."""
    side: int
    """Of the window, along each axis."""
    padding: int = 0
    """Zeros added at each end of each axis."""
    use_bias: bool = True
    """Whether there is one."""
    dtype: Precision = "float32"
    """Compute dtype; parameters stay float32."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b d h w c"]) -> Float[Array, "b d2 h2 w2 f"]:
        """The convolution, plus a bias for each channel."""
        dtype, shape = jnp.dtype(self.dtype), (*[self.side] * 3, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape, jnp.float32)
        y = convolve_volumes(x.astype(dtype), kernel.astype(dtype), self.padding)
        if not self.use_bias:
            return y
        return y + self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32).astype(dtype)


def convolution(
    features: int,
    side: int,
    spatial_dims: SpatialDims,
    *,
    padding: int = 0,
    use_bias: bool = True,
    dtype: Precision = "float32",
    name: str | None = None,
) -> Convolution | nn.Conv | VolumeConvolution:
    """A convolution of stride 1, with a window of ``side`` along each of so many axes: ``flax.linen.Conv`` or its equal.

    Args:
        features: channels that come out.
        side: of the window.
        spatial_dims: axes between the batch and the channels.
        padding: zeros added at each end of each axis.
        use_bias: whether there is one.
        dtype: compute dtype; parameters stay float32.
        name: of the layer.
    """
    if spatial_dims == 3:
        return VolumeConvolution(features=features, side=side, padding=padding, use_bias=use_bias, dtype=dtype, name=name)
    if spatial_dims == 2:
        return Convolution(features=features, side=side, padding=padding, use_bias=use_bias, dtype=dtype, name=name)
    return nn.Conv(features, (side,), padding=padding, use_bias=use_bias, dtype=jnp.dtype(dtype), name=name)


def convolve_volumes(
    x: Float[AnyArray, "b d h w c"], kernel: Float[AnyArray, "kd kh kw c f"], padding: int = 0
) -> Float[Array, "b d2 h2 w2 f"]:
    """Cross-correlation of volumes, as one convolution of images.

    ``y[d, h, w] = Σ_ijl k[i, j, l] · x[d + i, h + j, w + l]`` with the sum over i written as one over channels: the slices d to
    d + kd − 1 lie one behind another in the channels of slice d. So the slices are images, for which XLA:CPU has fast
    kernels; for volumes it has none. 32 volumes of 24×24×24 from 1 to 16 channels take 50 ms of one core this way and 558 ms
    by ``lax.conv_general_dilated``, the gradient by the kernel 68 ms and 115 ms, by the volumes 57 ms and 1133 ms (jaxlib
    0.10.2; ``python -m likeness.experiments.benchmarks.volumes``). It costs the memory of kd copies of x.

    Args:
        x: volumes.
        kernel: the window.
        padding: zeros added at each end of each axis.

    Example:
        >>> convolve_volumes(jnp.ones((1, 3, 3, 3, 1)), jnp.ones((3, 3, 3, 1, 1))).tolist()
        [[[[[27.0]]]]]
    """
    depth, height, width, channels, features = kernel.shape
    x = jnp.pad(x, ((0, 0), (padding, padding), (0, 0), (0, 0), (0, 0)))
    batch, slices = x.shape[0], x.shape[1] - depth + 1
    x = jnp.concatenate([x[:, i : i + slices] for i in range(depth)], axis=-1)
    y = convolve(
        x.reshape(batch * slices, *x.shape[2:]),
        jnp.asarray(kernel).transpose(1, 2, 0, 3, 4).reshape(height, width, depth * channels, features),
        1,
        padding,
    )
    return y.reshape(batch, slices, *y.shape[1:])
