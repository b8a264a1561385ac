"""What two covariances share, its derivative, and the factors beneath them, against SciPy and finite differences."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from float64 import assert_close, differences

from likeness.research.losses.style.fidelity import cholesky_factors, fidelity, polar_factor


def spread(seed: int, size: int = 4, least: float = 0.05) -> np.ndarray:
    """A symmetric matrix with eigenvalues from this one to 2."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]
    return (turn * np.geomspace(least, 2.0, size)) @ turn.T


def expected(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.trace(np.real(scipy.linalg.sqrtm(a @ b))))


def test_equals_the_trace_of_the_root_of_the_product():
    matrices, other = np.stack([spread(seed) for seed in range(3)]), spread(7)
    found = jax.jit(fidelity)(jnp.asarray(matrices, jnp.float32), jnp.asarray(np.linalg.cholesky(other), jnp.float32)[None])
    assert_close(found, np.array([expected(a, other) for a in matrices]))


def test_derivatives_by_both_equal_finite_differences():
    """By symmetric perturbations of one, and by any of the factor of the other, which serves two matrices."""
    matrices, factor = np.stack([spread(1), spread(2)]), np.linalg.cholesky(spread(3))
    weights = np.array([0.3, 1.7])

    def loss(a, f):
        return jnp.sum(jnp.asarray(weights, jnp.float32) * fidelity(a, f))

    by_matrix, by_factor = jax.jit(jax.grad(loss, (0, 1)))(
        jnp.asarray(matrices, jnp.float32), jnp.asarray(factor, jnp.float32)[None]
    )
    for number in range(2):
        symmetric = lambda m: weights[number] * expected((m + m.T) / 2, factor @ factor.T)  # noqa: B023, E731
        assert_close(by_matrix[number], differences(symmetric, matrices[number]))
    of_factor = lambda f: sum(w * expected(a, f @ f.T) for w, a in zip(weights, matrices, strict=True))  # noqa: E731
    assert_close(by_factor[0], differences(of_factor, factor))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 129, 257, 300])
def test_factors_are_cholesky_s_and_their_inverse(size: int):
    """Also where they are put together of blocks."""
    matrices = np.stack([spread(seed, size, 1e-3) for seed in range(2)])
    factor, inverse = jax.jit(cholesky_factors)(jnp.asarray(matrices, jnp.float32))
    exact = np.linalg.cholesky(matrices)
    assert_close(factor, exact, 1e-4)
    assert_close(inverse, np.linalg.inv(exact), 1e-4)
    assert not np.triu(np.asarray(factor), 1).any() and not np.triu(np.asarray(inverse), 1).any()


@pytest.mark.parametrize("axes", [0, 1, 2])
def test_lapack_is_given_one_matrix_at_a_time_on_cpus(axes: int):
    """Two stacks factored at once wait for each other's threads, and never end."""
    factors = cholesky_factors
    for _ in range(axes):
        factors = jax.vmap(factors)
    matrices = np.stack([spread(seed, 5, 1e-3) for seed in range(6)]).reshape(3, 2, 5, 5).astype(np.float32)
    program = jax.jit(factors).lower(matrices)
    calls = [line for line in program.as_text("hlo").splitlines() if "potrf" in line]
    assert calls and all(re.search(r"= \(f32\[(1,)*5,5\]", line) for line in calls), calls
    found = program.compile()(matrices)[0]
    assert_close(found, np.linalg.cholesky(matrices.astype(np.float64)), 1e-4)


def test_a_matrix_that_rounding_made_indefinite_is_lifted_and_no_other():
    broken = np.ones((3, 3), np.float32)
    broken[0, 0] -= 1e-6
    factor, inverse = jax.jit(cholesky_factors)(jnp.asarray([broken, np.eye(3)], jnp.float32))
    assert np.isfinite(factor).all() and np.isfinite(inverse).all()
    np.testing.assert_allclose(factor[0] @ factor[0].T, broken, atol=1e-4)
    np.testing.assert_array_equal(factor[1], np.eye(3))


@pytest.mark.parametrize("least", [1.0, 1e-2, 1e-4])
def test_the_polar_factor_makes_every_singular_value_one(least: float):
    generator = np.random.default_rng(4)
    left, right = (np.linalg.qr(generator.normal(size=(9, 9)))[0] for _ in range(2))
    matrix = (left * np.geomspace(least, 1.0, 9)) @ right
    assert_close(jax.jit(polar_factor)(jnp.asarray(matrix, jnp.float32)), left @ right, 1e-6 / least + 2e-6)


@pytest.mark.slow
def test_nothing_shares_nothing():
    found, gradient = jax.value_and_grad(lambda a: jnp.sum(fidelity(a, jnp.eye(3)[None])))(1e-8 * jnp.eye(3)[None])
    assert found == pytest.approx(3e-4, rel=1e-5) and np.isfinite(gradient).all()
