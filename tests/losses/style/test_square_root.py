"""The Newton–Schulz square root against SciPy's, and its derivative against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from float64 import assert_close, differences

from likeness.research.losses.style.square_root import matrix_square_root


def spread(seed: int, size: int = 4, least: float = 0.05) -> np.ndarray:
    """A symmetric matrix with eigenvalues from this one to 2."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]
    return (turn * np.geomspace(least, 2.0, size)) @ turn.T


def root(matrix: np.ndarray) -> np.ndarray:
    return np.real(scipy.linalg.sqrtm(matrix))


def test_equals_scipy():
    matrices = np.stack([spread(seed) for seed in range(3)])
    found = jax.jit(matrix_square_root)(jnp.asarray(matrices, jnp.float32))
    for a, s in zip(matrices, found, strict=True):
        assert_close(s, root(a))
        assert_close(s @ s, a)


def test_derivative_equals_finite_differences():
    """For weights that are not symmetric too, and for perturbations that are."""
    a, weights = spread(1), np.random.default_rng(2).normal(size=(4, 4))
    loss = lambda m: jnp.sum(jnp.asarray(weights, jnp.float32) * matrix_square_root(m))  # noqa: E731
    found = jax.jit(jax.grad(loss))(jnp.asarray(a, jnp.float32))
    symmetric = lambda m: (weights * root((m + m.T) / 2)).sum()  # noqa: E731
    expected = differences(symmetric, a, step=1e-5)
    assert_close((np.asarray(found) + np.asarray(found).T) / 2, expected)


def test_derivative_solves_the_lyapunov_equation():
    a, weights = spread(3), np.random.default_rng(4).normal(size=(4, 4))
    backward = jax.jit(lambda m, w: jax.vjp(matrix_square_root, m)[1](w)[0])
    expected = scipy.linalg.solve_continuous_lyapunov(root(a), weights)
    assert_close(backward(jnp.asarray(a, jnp.float32), jnp.asarray(weights, jnp.float32)), expected)


@pytest.mark.parametrize(("least", "iterations"), [(2e-1, 9), (2e-2, 12), (2e-3, 15)])
def test_more_iterations_see_smaller_eigenvalues(least: float, iterations: int):
    """About log(‖A‖/λ)/(2 log 1.5) + 4 of them; the bound for what is not yet there is one-sided."""
    a = spread(5, least=least)
    run = jax.jit(matrix_square_root, static_argnums=1)
    found = np.asarray(run(jnp.asarray(a, jnp.float32), iterations))
    assert_close(found, root(a))
    early = np.asarray(run(jnp.asarray(a, jnp.float32), iterations - 6))
    assert np.trace(early) < np.trace(found)


@pytest.mark.parametrize(("matrix", "trace"), [(np.zeros((3, 3)), 0), (np.ones((3, 3)), 3**0.5), (np.diag([1.0, 1.0, 0.0]), 2)])
def test_singular_matrices_are_finite(matrix: np.ndarray, trace: float):
    run = jax.jit(jax.value_and_grad(lambda m: jnp.trace(matrix_square_root(m))))
    value, gradient = run(jnp.asarray(matrix, jnp.float32))
    assert value == pytest.approx(trace, rel=1e-5)
    assert np.isfinite(gradient).all()
