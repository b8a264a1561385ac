"""3×3 convolution with fewer multiplications (Winograd's), for processors without matrix units."""

from collections.abc import Sequence
from typing import TypeAlias

import jax.numpy as jnp
from jax import lax

from likeness.research.types import AnyArray, Array, Float

__all__ = ["convolve_by_tiles", "convolve_turned_by_tiles", "kernel_gradient_by_tiles", "tiles_pay", "tiles_pay_for_kernel"]

# A list for each of four rows, with an array for each of four columns.
_Grid: TypeAlias = list[list[Array]]


def tiles_pay(images: Sequence[int], kernel: Sequence[int]) -> bool:
    """Whether a core of a CPU is done sooner by tiles than by the convolution as it is defined, from the shapes alone.

    Of 9·c·d multiplications a pixel 5·c·d are saved, while numbers in proportion to c + d more go through memory: it pays
    where c·d/(c + d) is large. The kernel's own transform is paid once for all pixels, of which there must be some
    (``python -m likeness.experiments.benchmarks.convolutions`` prints the times of both for the layers of VGG-19).

    Args:
        images: shape (b, h, w, c).
        kernel: shape (kh, kw, c, d).

    Example:
        >>> tiles_pay((1, 64, 64, 256), (3, 3, 256, 256)), tiles_pay((1, 256, 256, 64), (3, 3, 64, 64))
        (True, False)
    """
    b, h, w, c = images
    d = kernel[3]
    return tuple(kernel[:2]) == (3, 3) and c * d >= 80 * (c + d) and b * h * w * c * d >= 2**27


def tiles_pay_for_kernel(images: Sequence[int], kernel: Sequence[int]) -> bool:
    """The same for the gradient by the kernel, over which XLA:CPU takes several times as long as over the convolution.

    Args:
        images: shape (b, h, w, c).
        kernel: shape (kh, kw, c, d).
    """
    b, h, w, c = images
    d = kernel[3]
    return tuple(kernel[:2]) == (3, 3) and c * d >= 40 * (c + d) and b * h * w * c * d >= 2**28


def convolve_by_tiles(x: Float[AnyArray, "b h w c"], kernel: Float[AnyArray, "3 3 c d"]) -> Float[Array, "b h w d"]:
    """Cross-correlation of stride 1 between zeros, that keeps the size: F(2×2, 3×3) of Lavin and Gray.

    Each 2×2 pixels y of the result come from 4×4 pixels p of the input by y = Aᵀ((G k Gᵀ) ⊙ (Bᵀ p B))A, summed over channels::

        Bᵀ = 1  0 −1  0     G = 1   0   0     Aᵀ = 1  1  1  0
             0  1  1  0         ½   ½   ½          0  1 −1 −1
             0 −1  1  0         ½  −½   ½
             0  1  0 −1         0   0   1

    which is 16 products of matrices (tiles × c) and (c × d) where the definition has 36. In float32 it is as exact as the
    definition: all of Bᵀ and Aᵀ is 0 or ±1.

    Paper: Lavin and Gray, Fast algorithms for convolutional neural networks, CVPR 2016.

    Example:
        >>> convolve_by_tiles(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1, 1)))[0, :, :, 0].tolist()
        [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    tiles, filters = _tiles(jnp.asarray(x)), _filters(jnp.asarray(kernel))
    return _pixels([[tiles[a][b] @ filters[a][b] for b in range(4)] for a in range(4)], x.shape)


def convolve_turned_by_tiles(
    gradient: Float[AnyArray, "b h w d"], kernel: Float[AnyArray, "3 3 c d"]
) -> Float[Array, "b h w c"]:
    """The gradient of :func:`convolve_by_tiles` by its input.

    It is a convolution with the kernel turned by half a turn, its channels exchanged. To turn a kernel is to exchange the first
    and the last of its transform's rows and columns: so both directions of a step have one transform, which XLA computes once.
    """
    tiles, filters = _tiles(jnp.asarray(gradient)), _filters(jnp.asarray(kernel))
    turned = (3, 1, 2, 0)

    def product(a: int, b: int) -> Array:
        return lax.dot_general(tiles[a][b], filters[turned[a]][turned[b]], (((1,), (1,)), ((), ())))

    return _pixels([[product(a, b) for b in range(4)] for a in range(4)], gradient.shape)


def kernel_gradient_by_tiles(x: Float[AnyArray, "b h w c"], gradient: Float[AnyArray, "b h w d"]) -> Float[Array, "3 3 c d"]:
    """The gradient of :func:`convolve_by_tiles` by its kernel: Gᵀ(Σ (Bᵀ p B) ⊗ (A g Aᵀ))G, summed over tiles."""
    tiles, spread = _tiles(jnp.asarray(x)), _spread(jnp.asarray(gradient))
    products = [[lax.dot_general(tiles[a][b], spread[a][b], (((0,), (0,)), ((), ()))) for b in range(4)] for a in range(4)]
    columns = [_filters_transposed(row) for row in products]
    return jnp.stack(
        [jnp.stack(row) for row in zip(*(_filters_transposed(list(c)) for c in zip(*columns, strict=True)), strict=True)]
    )


def _tiles(x: Array) -> _Grid:
    """Bᵀ p B of every tile, (tiles, c) each."""
    h, w, c = x.shape[1:]
    x = jnp.pad(x, ((0, 0), (1, 1 + h % 2), (1, 1 + w % 2), (0, 0)))
    h, w = h + h % 2, w + w % 2
    rows = _differences([x[:, i : i + h - 1 : 2] for i in range(4)])
    return [_differences([row[:, :, j : j + w - 1 : 2].reshape(-1, c) for j in range(4)]) for row in rows]


def _differences(p: list[Array]) -> list[Array]:
    return [p[0] - p[2], p[1] + p[2], p[2] - p[1], p[1] - p[3]]


def _filters(kernel: Array) -> _Grid:
    """G k Gᵀ, (c, d) each."""

    def along(k: list[Array]) -> list[Array]:
        outer = 0.5 * (k[0] + k[2])
        return [k[0], outer + 0.5 * k[1], outer - 0.5 * k[1], k[2]]

    return [along(list(row)) for row in along(list(kernel))]


def _filters_transposed(u: list[Array]) -> list[Array]:
    return [u[0] + 0.5 * (u[1] + u[2]), 0.5 * (u[1] - u[2]), 0.5 * (u[1] + u[2]) + u[3]]


def _pixels(products: _Grid, shape: Sequence[int]) -> Array:
    """Aᵀ m A of every tile, side by side as an image of that height and width."""
    b, h, w, _ = shape
    high, wide, d = (h + 1) // 2, (w + 1) // 2, products[0][0].shape[-1]
    sums = [[products[0][j] + products[1][j] + products[2][j] for j in range(4)]]
    sums.append([products[1][j] - products[2][j] - products[3][j] for j in range(4)])
    rows = []
    for m in sums:
        pair = [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]
        rows.append(jnp.stack([pixel.reshape(b, high, wide, d) for pixel in pair], axis=3).reshape(b, high, 2 * wide, d))
    return jnp.stack(rows, axis=2).reshape(b, 2 * high, 2 * wide, d)[:, :h, :w]


def _spread(gradient: Array) -> _Grid:
    """A g Aᵀ of every tile, (tiles, d) each."""
    h, w, d = gradient.shape[1:]
    g = jnp.pad(gradient, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)))

    def along(p: list[Array]) -> list[Array]:
        return [p[0], p[0] + p[1], p[0] - p[1], -p[1]]

    return [along([row[:, :, j::2].reshape(-1, d) for j in range(2)]) for row in along([g[:, i::2] for i in range(2)])]
