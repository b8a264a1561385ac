"""The square root of a symmetric positive definite matrix, by matrix products only."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from likeness.research.losses.style.layers import safe_divide
from likeness.research.types import Array, Float


def matrix_square_root(matrices: Float[Array, "*b n n"], iterations: int = 12) -> Float[Array, "*b n n"]:
    """``S`` with ``S S = A`` for symmetric positive semidefinite A, by the coupled Newton–Schulz iteration.

    ``T = (3 I - Z Y)/2, Y ← Y T, Z ← T Z`` from ``Y = A/‖A‖, Z = I`` tends to ``Y = (A/‖A‖)^½``. An iteration brings
    the small eigenvalues of Y up by half, then converges quadratically: an eigenvalue λ is there after about
    ``log(‖A‖/λ)/(2 log 1.5) + 4`` iterations and is still too small before; 12 see a thousandth of ‖A‖ right. No
    eigenvectors are needed, so nothing is undefined where eigenvalues coincide.

    The derivative is not that of the iteration. With ``W = ∂L/∂S`` it is the solution of the Lyapunov equation
    ``S X + X S = W``, found by the same iteration for the sign of ``[[S, W], [0, -S]]``, which is ``[[I, 2 X], [0,
    -I]]``. (Reverse mode only.)

    Higham, "Functions of matrices", 2008, chapters 5 and 6; Lin and Maji, "Improved bilinear pooling with CNNs", 2017.

    Args:
        matrices: any leading axes; float32.
        iterations: of the root, and again of its derivative.
    """
    return _root(matrices, iterations)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _root(matrices: Array, iterations: int) -> Array:
    identity = jnp.eye(matrices.shape[-1], dtype=jnp.float32)
    norm = _norm(matrices)
    root, inverse = safe_divide(matrices, norm), jnp.broadcast_to(identity, matrices.shape)
    for _ in range(iterations):
        step = 0.5 * (3.0 * identity - _product(inverse, root))
        root, inverse = _product(root, step), _product(step, inverse)
    return root * jnp.sqrt(norm)


def _forward(matrices: Array, iterations: int) -> tuple[Any, Any]:
    root = _root(matrices, iterations)
    return root, root


def _backward(iterations: int, root: Array, weights: Array) -> tuple[Array]:
    identity = jnp.eye(root.shape[-1], dtype=jnp.float32)
    norm = _norm(root)
    sign, solution = safe_divide(root, norm), safe_divide(weights, norm)
    for _ in range(iterations):
        rest = 3.0 * identity - _product(sign, sign)
        commutator = _product(solution, sign) - _product(sign, solution)
        solution = 0.5 * (_product(solution, rest) + _product(sign, commutator))
        sign = 0.5 * _product(sign, rest)
    return (0.5 * solution,)


_root.defvjp(_forward, _backward)


def _norm(matrices: Array) -> Array:
    return jnp.sqrt(jnp.sum(jnp.square(matrices), axis=(-2, -1), keepdims=True))


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
