"""A convolution over images whose value and gradients are each computed the fastest way a device knows."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jax.typing import DTypeLike

from likeness.research.ops.few_channels import convolve_few_channels, few_channels_pay
from likeness.research.ops.kernel_gradient import blocks_pay, kernel_gradient_by_blocks
from likeness.research.ops.shares import by_shares, summed_shares
from likeness.research.ops.side_by_side import lay_side_by_side, side_by_side_pays
from likeness.research.ops.winograd import (
    convolve_by_tiles,
    convolve_turned_by_tiles,
    kernel_gradient_by_tiles,
    tiles_pay,
    tiles_pay_for_kernel,
)
from likeness.research.types import AnyArray, Array, Float, Precision, PRNGKey

Draw: TypeAlias = Callable[[PRNGKey, tuple[int, ...], DTypeLike], Array]
"""Draws parameters: of a key, a shape and a dtype."""

Shape: TypeAlias = tuple[int, ...]
Form: TypeAlias = Literal["xla", "products", "tiles", "term by term", "side by side", "turned", "blocks"]
"""How a CPU computes one of the three; ``turned`` is the gradient by x as a convolution."""

__all__ = [
    "Convolution",
    "Form",
    "convolve",
    "convolve_plainly",
    "form_of_gradient_by_kernel",
    "form_of_gradient_by_x",
    "form_of_value",
]


def convolve_plainly(
    x: Float[AnyArray, "b h w c"], kernel: Float[AnyArray, "kh kw c d"], stride: int = 1, padding: int = 0
) -> Float[Array, "b h2 w2 d"]:
    """``y[i, j] = Σ_uv x[i·stride + u − padding, j·stride + v − padding] · k[u, v]``, as XLA computes it.

    What :func:`convolve` and its gradients must equal.

    Args:
        x: images.
        kernel: the window.
        stride: step between windows.
        padding: zeros added on every side.
    """
    return lax.conv_general_dilated(
        jnp.asarray(x),
        jnp.asarray(kernel),
        (stride, stride),
        [(padding, padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def convolve(
    x: Float[AnyArray, "b h w c"], kernel: Float[AnyArray, "kh kw c d"], stride: int = 1, padding: int = 0
) -> Float[Array, "b h2 w2 d"]:
    """The convolution of :func:`convolve_plainly`, which is what runs on accelerators, value and gradients.

    On a CPU, in float32, each of the three is computed as is fastest there, chosen by the shapes:

    * windows of 1×1 are products of matrices, and so are their gradients;
    * windows of 3×3 that keep the size are computed by tiles between many channels (:mod:`likeness.research.ops.winograd`);
    * windows over an image's own few channels, to few features, are sums of products
      (:mod:`likeness.research.ops.few_channels`);
    * other small images are laid side by side where there are several cores (:mod:`likeness.research.ops.side_by_side`);
    * the gradient by the kernel is elsewhere summed over blocks, where batch × pixels are many
      (:mod:`likeness.research.ops.kernel_gradient`);
    * of stride 1, the gradient by x is written as what it is: the incoming gradient convolved with the kernel, turned by half
      a turn and its channels exchanged. JAX's own form of it is as fast, but not inside ``lax.scan``, ``while_loop`` or
      ``fori_loop``, where XLA:CPU has no fast kernel for it (jaxlib 0.10.2;
      ``python -m likeness.experiments.benchmarks.loops``).

    Where a mesh of a CPU's devices is set, each computes the images that it holds (:mod:`likeness.research.ops.shares`).
    ``python -m likeness.experiments.benchmarks.convolutions`` prints the times of each beside XLA's. Reverse mode only.

    Args:
        x: images.
        kernel: the window.
        stride: step between windows.
        padding: zeros added on every side.

    Example:
        >>> convolve(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1, 1)), 1, 1)[0, :, :, 0].tolist()
        [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    return _convolve(x, kernel, stride, padding)


def form_of_value(x: Shape, kernel: Shape, stride: int, padding: int) -> Form:
    """How :func:`convolve` computes its value on a CPU, in float32.

    Args:
        x: the shape of the images.
        kernel: that of the window.
        stride: step between windows.
        padding: zeros added on every side.
    """
    if _is_pointwise(kernel, padding):
        return "products"
    same = _keeps_size(kernel, stride, padding)
    if same and tiles_pay(x, kernel):
        return "tiles"
    if few_channels_pay(kernel):
        return "term by term"
    return "side by side" if same and side_by_side_pays(x, kernel) else "xla"


def form_of_gradient_by_x(gradient: Shape, kernel: Shape, stride: int, padding: int) -> Form:
    """How its gradient by x is computed there.

    Args:
        gradient: the shape of the incoming gradient, which is that of the value.
        kernel: that of the window.
        stride: step between windows.
        padding: zeros added on every side.
    """
    if _is_pointwise(kernel, padding):
        return "products"
    if stride != 1:
        return "xla"
    turned, same = (*kernel[:2], kernel[3], kernel[2]), _keeps_size(kernel, 1, padding)
    if same and tiles_pay(gradient, turned):
        return "tiles"
    return "side by side" if same and side_by_side_pays(gradient, turned) else "turned"


def form_of_gradient_by_kernel(x: Shape, kernel: Shape, gradient: Shape, stride: int, padding: int) -> Form:
    """How its gradient by the kernel is computed there.

    Args:
        x: the shape of the images.
        kernel: that of the window.
        gradient: that of the incoming gradient, which is that of the value.
        stride: step between windows.
        padding: zeros added on every side.
    """
    if _is_pointwise(kernel, padding):
        return "products"
    if _keeps_size(kernel, stride, padding) and tiles_pay_for_kernel(x, kernel):
        return "tiles"
    return "blocks" if kernel[0] == kernel[1] and blocks_pay(gradient) else "xla"


def _value(x: Any, kernel: Any, stride: int, padding: int) -> Array:
    return by_shares(lambda x, kernel: _of_share(x, kernel, stride, padding), (x,), (kernel,))


def _of_share(x: Any, kernel: Any, stride: int, padding: int) -> Array:
    form = form_of_value(x.shape, kernel.shape, stride, padding) if _exact(x, kernel) else "xla"
    return _on_cpus(_VALUES[form], convolve_plainly, stride, padding)(x, kernel)


_convolve = jax.custom_vjp(_value, nondiff_argnums=(2, 3))


def _forward(x: Any, kernel: Any, stride: int, padding: int) -> tuple[Array, tuple[Any, Any]]:
    # Not `_convolve`: what has a gradient of its own is opaque to whoever looks into the program.
    return _value(x, kernel, stride, padding), (x, kernel)


def _backward(stride: int, padding: int, kept: tuple[Any, Any], gradient: Any) -> tuple[Array, Array]:
    x, kernel = kept

    def by_x(gradient: Any, kernel: Any) -> Array:
        # Of x only the shape is asked for, which is that of the share.
        share = jax.ShapeDtypeStruct((gradient.shape[0], *x.shape[1:]), x.dtype)
        return _gradient_by_x(share, kernel, gradient, stride, padding)

    def by_kernel(x: Any, gradient: Any) -> Array:
        return _gradient_by_kernel(x, kernel, gradient, stride, padding)

    return by_shares(by_x, (gradient,), (kernel,)), summed_shares(by_kernel, (x, gradient))


_convolve.defvjp(_forward, _backward)


def _gradient_by_x(x: jax.ShapeDtypeStruct, kernel: Any, gradient: Any, stride: int, padding: int) -> Array:
    def xla_by_x(gradient: Any, kernel: Any, stride: int, padding: int) -> Array:
        return jax.linear_transpose(lambda x: convolve_plainly(x, kernel, stride, padding), x)(gradient)[0]

    def pointwise_by_x(gradient: Any, kernel: Any, stride: int, padding: int) -> Array:
        del padding
        return _every_pixel(_pointwise(gradient, kernel.swapaxes(2, 3)), x.shape, stride)

    ours = {
        "xla": xla_by_x,
        "products": pointwise_by_x,
        "turned": _turned,
        "tiles": _turned_by_tiles,
        "side by side": _turned_side_by_side,
    }
    form = form_of_gradient_by_x(gradient.shape, kernel.shape, stride, padding) if _exact(x, kernel) else "xla"
    return _on_cpus(ours[form], xla_by_x, stride, padding)(gradient, kernel)


def _gradient_by_kernel(x: Any, kernel: Any, gradient: Any, stride: int, padding: int) -> Array:
    def xla_by_kernel(x: Any, gradient: Any, stride: int, padding: int) -> Array:
        return jax.linear_transpose(lambda kernel: convolve_plainly(x, kernel, stride, padding), kernel)(gradient)[0]

    def by_blocks(x: Any, gradient: Any, stride: int, padding: int) -> Array:
        x, gradient = lax.optimization_barrier((x, gradient))
        return kernel_gradient_by_blocks(x, gradient, kernel.shape[0], stride, padding)

    def behind_a_barrier(x: Any, gradient: Any, stride: int, padding: int) -> Array:
        # Else XLA computes what comes before anew as it brings it into the order that this gradient reads, at many times the
        # cost of reading it.
        x, gradient = lax.optimization_barrier((x, gradient))
        return xla_by_kernel(x, gradient, stride, padding)

    if not _exact(x, kernel):
        return xla_by_kernel(x, gradient, stride, padding)
    ours = {"xla": behind_a_barrier, "products": _pointwise_by_kernel, "tiles": _kernel_by_tiles, "blocks": by_blocks}
    form = form_of_gradient_by_kernel(x.shape, kernel.shape, gradient.shape, stride, padding)
    return _on_cpus(ours[form], xla_by_kernel, stride, padding)(x, gradient)


def _exact(x: Any, kernel: Any) -> bool:
    return x.dtype == kernel.dtype == jnp.float32


def _is_pointwise(kernel: Shape, padding: int) -> bool:
    return kernel[:2] == (1, 1) and padding == 0


def _keeps_size(kernel: Shape, stride: int, padding: int) -> bool:
    return stride == 1 and kernel[:2] == (2 * padding + 1, 2 * padding + 1)


def _on_cpus(
    ours: Callable[[Any, Any, int, int], Array], default: Callable[[Any, Any, int, int], Array], stride: int, padding: int
) -> Callable[[Any, Any], Array]:
    """One of two functions of two arrays, by the device that it will run on."""

    def chosen(first: Any, second: Any) -> Array:
        if ours is default:
            return default(first, second, stride, padding)
        return lax.platform_dependent(
            first,
            second,
            cpu=lambda first, second: ours(first, second, stride, padding),
            default=lambda first, second: default(first, second, stride, padding),
        )

    return chosen


def _by_tiles(x: Any, kernel: Any, stride: int, padding: int) -> Array:
    del stride, padding
    return convolve_by_tiles(x, kernel)


def _turned_by_tiles(gradient: Any, kernel: Any, stride: int, padding: int) -> Array:
    del stride, padding
    return convolve_turned_by_tiles(gradient, kernel)


def _kernel_by_tiles(x: Any, gradient: Any, stride: int, padding: int) -> Array:
    del stride, padding
    return kernel_gradient_by_tiles(x, gradient)


def _side_by_side(x: Any, kernel: Any, stride: int, padding: int) -> Array:
    return lay_side_by_side(lambda x: convolve_plainly(x, kernel, stride, padding), x, padding)


def _turned_side_by_side(gradient: Any, kernel: Any, stride: int, padding: int) -> Array:
    return lay_side_by_side(lambda gradient: _turned(gradient, kernel, stride, padding), gradient, padding)


def _turned(gradient: Any, kernel: Any, stride: int, padding: int) -> Array:
    # Without the barrier XLA folds the turning into the convolution, and is back at the form without a fast kernel.
    turned = lax.optimization_barrier(jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    around = [(side - 1 - padding, side - 1 - padding) for side in kernel.shape[:2]]
    return lax.conv_general_dilated(gradient, turned, (stride, stride), around, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _pointwise(x: Any, kernel: Any, stride: int = 1, padding: int = 0) -> Array:
    del padding
    x = x[:, ::stride, ::stride]
    return (x.reshape(-1, x.shape[-1]) @ kernel[0, 0]).reshape(*x.shape[:-1], kernel.shape[-1])


def _pointwise_by_kernel(x: Any, gradient: Any, stride: int, padding: int) -> Array:
    del padding
    x = x[:, ::stride, ::stride]
    x, gradient = x.reshape(-1, x.shape[-1]), gradient.reshape(-1, gradient.shape[-1])
    rows = (((0,), (0,)), ((), ()))
    # Of a product of this kind XLA:CPU is faster where the result has more columns than rows.
    wide = x.shape[1] <= gradient.shape[1]
    product = lax.dot_general(x, gradient, rows) if wide else lax.dot_general(gradient, x, rows).T
    return product[None, None]


_VALUES: dict[Form, Callable[[Any, Any, int, int], Array]] = {
    "xla": convolve_plainly,
    "products": _pointwise,
    "tiles": _by_tiles,
    "term by term": convolve_few_channels,
    "side by side": _side_by_side,
}


def _every_pixel(x: Array, shape: tuple[int, ...], stride: int) -> Array:
    """Zeros between the pixels of x, and behind the last, up to that shape."""
    if stride == 1:
        return x
    edges = [(0, full - stride * (had - 1) - 1, stride - 1) for had, full in zip(x.shape[1:3], shape[1:3], strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *edges, (0, 0, 0)))


class Convolution(nn.Module, kw_only=True):
    """``flax.linen.Conv`` over images with a square window, by :func:`convolve`. Parameters: ``kernel``, ``bias``."""

    features: int
    """Channels that come out."""
    side: int = 3
    """Of the window."""
    stride: int = 1
    """Step between windows."""
    padding: int = 0
    """Zeros added on every side."""
    use_bias: bool = True
    """Whether there is one."""
    kernel_init: Draw = nn.initializers.lecun_normal()
    """Draws the kernel."""
    bias_init: Draw = nn.initializers.zeros_init()
    """Draws the bias."""
    input_order: Literal["as given", "reversed"] = "as given"
    """``reversed``: the kernel is for channels in the reverse of the order in which they are given, such as for BGR images
    where RGB ones are. To turn the kernel round costs nothing, and to turn images does."""
    dtype: Precision = "float32"
    """Compute dtype; parameters stay float32."""

    @nn.compact
    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b h2 w2 d"]:
        """The convolution, plus a bias for each channel."""
        dtype, shape = jnp.dtype(self.dtype), (self.side, self.side, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        if self.input_order == "reversed":
            kernel = jnp.flip(jnp.asarray(kernel), axis=2)
        y = convolve(jnp.asarray(x).astype(dtype), kernel.astype(dtype), self.stride, self.padding)
        if not self.use_bias:
            return y
        return y + self.param("bias", self.bias_init, (self.features,), jnp.float32).astype(dtype)
