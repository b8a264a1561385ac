"""What two covariances share: the trace of the root of their product, and its derivative, by matrix products."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from likeness.research.losses.style.layers import safe_divide
from likeness.research.types import Array, Float

_LEAST = 1e-6
"""Singular values from this share of ‖K‖ on are sure to be brought to 1; float32 knows none below a tenth of it."""

_STEEPEST = 1.5
"""The largest scaling of a step. The fastest, √3, would send the largest singular values to 0 before they come up again, and
lose their digits."""

_BLOCK = 128
"""Side of the matrices that LAPACK is given. From 256 on OpenBLAS shares one among threads of its own, which wait for XLA's:
0.2 ms became 176 on two busy cores."""


@jax.custom_vjp
def fidelity(covariances: Float[Array, "*b n n"], factors: Float[Array, "*c n n"]) -> Float[Array, "*b"]:
    """``tr (Σ'^½ Σ Σ'^½)^½`` of symmetric positive definite Σ and Σ', of which the Cholesky factor L' is given.

    With ``Σ = L Lᵀ`` it is the sum of the singular values of ``K = L'ᵀ L``, which is ``⟨U, K⟩`` with the polar factor U of K.
    Its derivative by Σ is half of

        T = L' U L⁻¹,  T Σ T = Σ',

    the map that carries the one Gaussian to the other with the least work. Neither needs eigenvectors, so nothing is undefined
    where eigenvalues coincide. Nor is Σ'^½ Σ Σ'^½ formed, whose small eigenvalues are products of two small ones and vanish in
    float32. (Reverse mode only.)

    Bhatia, Jain and Lim, "On the Bures-Wasserstein distance between positive definite matrices", 2019.

    Args:
        covariances: Σ, any leading axes; float32.
        factors: L' (:func:`cholesky_factors` of Σ'), whose leading axes are those of Σ or 1.
    """
    return _forward(covariances, factors)[0]


def _forward(covariances: Array, factors: Array) -> tuple[Any, Any]:
    factor, inverse = cholesky_factors(covariances)
    core = _product(_transposed(factors), factor)
    turn = polar_factor(core)
    return jnp.sum(turn * core, axis=(-2, -1)), (factor, inverse, factors, turn)


def _backward(kept: Any, weights: Array) -> tuple[Array, Array]:
    factor, inverse, factors, turn = kept
    scaled = weights[..., None, None]
    transport = _product(_product(factors, turn), inverse)
    by_factors = scaled * _product(factor, _transposed(turn))
    # Factors that serve several matrices have the sum of their derivatives.
    shared = tuple(axis for axis in range(factors.ndim - 2) if factors.shape[axis] != factor.shape[axis])
    by_factors = jnp.sum(by_factors, axis=shared, keepdims=True) if shared else by_factors
    return 0.25 * scaled * (transport + _transposed(transport)), by_factors


fidelity.defvjp(_forward, _backward)


def cholesky_factors(covariances: Float[Array, "*b n n"]) -> tuple[Float[Array, "*b n n"], Float[Array, "*b n n"]]:
    """The lower triangular ``L`` with ``L Lᵀ = Σ``, and its inverse.

    Where rounding has left a matrix with an eigenvalue that is not above 0, a hundred-thousandth of its trace is added to the
    diagonal; float32 sees little less of a sum of such numbers.
    """
    found = _factors(covariances)
    trace = jnp.trace(covariances, axis1=-2, axis2=-1)[..., None, None]
    lifted = _factors(covariances + 1e-5 * trace * jnp.eye(covariances.shape[-1], dtype=covariances.dtype))
    finite = jnp.isfinite(found[1]).all(axis=(-2, -1), keepdims=True)
    return jnp.where(finite, found[0], lifted[0]), jnp.where(finite, found[1], lifted[1])


def _factors(a: Array) -> tuple[Array, Array]:
    size = a.shape[-1]
    if size <= _BLOCK:
        factor = _cholesky(a)
        return factor, _triangular_inverse(factor)
    half = _BLOCK * max(1, size // (2 * _BLOCK))
    first, below, last = a[..., :half, :half], a[..., half:, :half], a[..., half:, half:]
    top, top_inverse = _factors(first)
    side = _product(below, _transposed(top_inverse))
    # A product with an inverse is less exact than a solution; what is left of the equation is solved once more.
    side = side + _product(below - _product(side, _transposed(top)), _transposed(top_inverse))
    bottom, bottom_inverse = _factors(last - _product(side, _transposed(side)))
    corner = -_product(_product(bottom_inverse, side), top_inverse)
    return _lower(top, side, bottom), _lower(top_inverse, corner, bottom_inverse)


def _cholesky(matrices: Array) -> Array:
    """The lower triangular factors, of any leading axes."""
    if matrices.ndim == 2:
        return _cholesky_of_one(matrices)
    return jax.vmap(_cholesky)(matrices) if len(matrices) > 1 else _cholesky(matrices[0])[None]


@jax.custom_batching.custom_vmap
def _cholesky_of_one(matrix: Array) -> Array:
    """On CPUs several are factored one after another. Of a stack jaxlib's kernel (0.10.2) gives parts to XLA's threads, and
    waits for them in one of these: where as many stacks are factored at once as there are threads, each waits for ever."""
    return jnp.linalg.cholesky(matrix)


@_cholesky_of_one.def_vmap
def _(_count: int, _stacked: list[bool], matrices: Array) -> tuple[Array, bool]:
    one_by_one = functools.partial(jax.lax.map, _cholesky_of_one)
    return jax.lax.platform_dependent(matrices, cpu=one_by_one, default=jnp.linalg.cholesky), True


def _triangular_inverse(factor: Array) -> Array:
    """By halves: the inverses of the blocks on the diagonal, each twice as large as before, all of a size at once."""
    size = factor.shape[-1]
    whole = 1 << (size - 1).bit_length()
    padding = [(0, 0)] * (factor.ndim - 2) + [(0, whole - size)] * 2
    missing = jnp.diag((jnp.arange(whole) >= size).astype(factor.dtype))
    factor = jnp.pad(factor, padding) + missing
    lead = factor.shape[:-2]
    found = 1.0 / jnp.diagonal(factor, axis1=-2, axis2=-1)[..., None, None]
    side = 1
    while side < whole:
        count = whole // (2 * side)
        blocks = factor.reshape(*lead, count, 2 * side, count, 2 * side)
        below = jnp.moveaxis(jnp.diagonal(blocks, axis1=-4, axis2=-2), -1, -3)[..., side:, :side]
        first, last = found[..., 0::2, :, :], found[..., 1::2, :, :]
        found = _lower(first, -_product(_product(last, below), first), last)
        side *= 2
    return found.reshape(*lead, whole, whole)[..., :size, :size]


def _lower(first: Array, below: Array, last: Array) -> Array:
    above = jnp.zeros((*first.shape[:-1], last.shape[-1]), first.dtype)
    return jnp.concatenate([jnp.concatenate([first, above], axis=-1), jnp.concatenate([below, last], axis=-1)], axis=-2)


def polar_factor(matrices: Float[Array, "*b n n"]) -> Float[Array, "*b n n"]:
    """The orthogonal U with ``K = U H``, H positive semidefinite: K with every singular value made 1.

    A Newton–Schulz iteration, scaled to bring small singular values up 2.25 times a step instead of 1.5 (Chen and Chow, "A
    stable scaling of Newton–Schulz", 2014). Singular values below a millionth of ‖K‖ end between 0 and 1.
    """
    x = safe_divide(matrices, jnp.sqrt(jnp.sum(jnp.square(matrices), axis=(-2, -1), keepdims=True)))
    identity = jnp.eye(matrices.shape[-1], dtype=matrices.dtype)
    for alpha in _scalings(_LEAST):
        square = _product(_transposed(x), x)
        x = _product(x, (1.5 * alpha) * identity - (0.5 * alpha**3) * square)
    return x


@functools.cache
def _scalings(least: float) -> tuple[float, ...]:
    """The α of each step ``x ← α x (3 - α² x²)/2``, by which the least of numbers in [l, 1] grows fastest, if not too fast.

    ``α² = 3/(1 + l + l²)`` makes the cubic's values at both ends of the interval alike; once all are near 1 it is 1.
    """
    scalings: list[float] = []
    while 1 - least > 1e-7:
        alpha = min(_STEEPEST, math.sqrt(3 / (1 + least + least**2)))
        least = min(alpha * x * (3 - alpha**2 * x**2) / 2 for x in (least, 1.0))
        scalings.append(alpha)
    return (*scalings, 1.0)


def _transposed(a: Array) -> Array:
    return jnp.swapaxes(a, -2, -1)


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
