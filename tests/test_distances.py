"""Squared distances and their derivative."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.losses import (
    Contrastive,
    Cosine,
    Distance,
    Dot,
    Euclidean,
    Identity,
    SquaredEuclidean,
    Triplet,
    cross_squared_distances,
    pairwise_squared_distances,
    safe_sqrt,
    squared_distance,
    unit,
)

matrix_of = jax.jit(pairwise_squared_distances)


def points(rows: int, dimension: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)


def oracle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = x.astype(np.float64), y.astype(np.float64)
    return np.array([[((a - b) ** 2).sum() for b in y] for a in x])


def test_squared_distance_is_the_squared_l2_of_the_codes():
    """F6: equals NumPy to 1e-6, elementwise and as a matrix, with a diagonal of exactly 0 and nothing negative."""
    x = points(17, 8)
    expected = oracle(x, x)
    np.testing.assert_allclose(jax.jit(squared_distance)(x[:, None], x[None]), expected, rtol=1e-6)
    matrix = np.asarray(matrix_of(x))
    np.testing.assert_allclose(matrix, expected, rtol=1e-6, atol=1e-6)
    assert (np.diagonal(matrix) == 0).all()
    assert (matrix >= 0).all()


def test_nothing_is_negative_for_near_duplicates():
    """F6: rounding errors of the expansion never show as negative distances."""
    x = np.repeat(points(4, 16), 8, axis=0) * (1 + 1e-7 * points(32, 16, seed=1))
    assert (np.asarray(matrix_of(x)) >= 0).all()


def test_nearby_points_far_from_the_origin_keep_their_digits():
    """A cluster of radius 1e-2 at distance 10 would be lost altogether without the common center."""
    x = (10.0 + 1e-2 * points(12, 16)).astype(np.float32)
    matrix = np.asarray(matrix_of(x))
    np.testing.assert_allclose(matrix, oracle(x, x), rtol=1e-4, atol=1e-9)


def test_bfloat16_embeddings_are_compared_in_float32():
    x = jnp.asarray(points(6, 16) * 0.03 + 1.0, jnp.bfloat16)
    matrix = matrix_of(x)
    assert matrix.dtype == jnp.float32
    exact = oracle(np.asarray(x.astype(jnp.float32)), np.asarray(x.astype(jnp.float32)))
    np.testing.assert_allclose(matrix, exact, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("root", [False, True])
def test_derivative_equals_finite_differences(root: bool):
    x, y = points(5, 4), points(3, 4, seed=1)
    weights = points(5, 3, seed=2).astype(np.float64)

    def value(a, b):
        d = cross_squared_distances(a, b)
        return jnp.sum(weights.astype(np.float32) * (safe_sqrt(d) if root else d))

    def exact(a, b):
        d = oracle(a, b)
        return (weights * (np.sqrt(d) if root else d)).sum()

    gradients = jax.device_get(jax.jit(jax.grad(value, argnums=(0, 1)))(x, y))
    for which, gradient in enumerate(gradients):
        for index in np.ndindex(gradient.shape):
            step = np.zeros(gradient.shape)
            step[index] = 1e-5
            arguments = [x.astype(np.float64), y.astype(np.float64)]
            up, down = list(arguments), list(arguments)
            up[which], down[which] = arguments[which] + step, arguments[which] - step
            assert gradient[index] == pytest.approx((exact(*up) - exact(*down)) / 2e-5, abs=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_derivative_of_the_root_is_finite_for_equal_rows(value: float):
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(safe_sqrt(pairwise_squared_distances(x)))))(jnp.full((4, 3), value))
    assert np.isfinite(gradient).all()


def test_batch_of_one():
    assert matrix_of(jnp.ones((1, 3))).tolist() == [[0.0]]


@pytest.mark.parametrize(("rows", "dimension"), [(12, 5), (64, 128), (90, 129)])
def test_equal_rows_are_exactly_zero_apart(rows: int, dimension: int):
    """Their root would be 2e-4 otherwise; and what is compared is symmetric to the last bit."""
    x = points(rows, dimension)
    x[rows // 2 :] = x[: rows - rows // 2]
    matrix = np.asarray(matrix_of(x))
    for i in range(rows - rows // 2):
        assert matrix[i, rows // 2 + i] == matrix[rows // 2 + i, i] == 0
    np.testing.assert_array_equal(matrix, matrix.T)
    assert np.count_nonzero(matrix == 0) == rows + 2 * (rows - rows // 2)


def test_distances_of_whole_numbers_are_exact():
    """Far from the origin too, so that ties are ties."""
    x = np.random.default_rng(0).integers(-3, 4, size=(40, 16)).astype(np.float32)
    for shift in (0.0, 1000.0):
        np.testing.assert_array_equal(matrix_of(x + np.float32(shift)), oracle(x, x))


@pytest.mark.parametrize("rows", [90, 91])
def test_both_sides_of_the_bound_keep_their_digits(rows: int):
    """Up to 2²⁰ differences are formed one by one; beyond that the squares are expanded."""
    assert (rows * rows * 128 <= 2**20) == (rows == 90)
    x = points(rows, 128)
    assert ("dot_general" in str(jax.make_jaxpr(pairwise_squared_distances)(x))) == (rows == 91)
    np.testing.assert_allclose(matrix_of(x), oracle(x, x), rtol=1e-6, atol=1e-5)
    weights = points(rows, rows, seed=2)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(weights * pairwise_squared_distances(x))))(x)
    both = (weights + weights.T).astype(np.float64)
    expected = 2 * (both.sum(1)[:, None] * x - both @ x.astype(np.float64))
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("compare", [squared_distance, cross_squared_distances])
def test_embeddings_of_two_dimensions_are_refused(compare):
    """A last axis of 1 would be stretched."""
    for size in (1, 3):
        with pytest.raises(ValueError, match=rf"{compare.__name__}: embeddings of shapes \(5, 4\) and \(5, {size}\)"):
            jax.eval_shape(compare, points(5, 4), points(5, size))


@dataclasses.dataclass(frozen=True)
class Manhattan(Distance):
    def paired(self, first, second):
        return jnp.sum(jnp.abs(first - second), axis=-1)


ORACLES = {
    SquaredEuclidean(): lambda a, b: ((a - b) ** 2).sum(),
    Euclidean(): lambda a, b: np.linalg.norm(a - b),
    Cosine(): lambda a, b: 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b),
    Dot(): lambda a, b: -a @ b,
    Manhattan(): lambda a, b: abs(a - b).sum(),
}


@pytest.mark.parametrize("distance", ORACLES, ids=repr)
def test_a_distance_is_its_formula_paired_and_pairwise(distance: Distance):
    x, y = points(7, 5), points(9, 5, seed=1)
    expected = [[ORACLES[distance](a, b) for b in y.astype(np.float64)] for a in x.astype(np.float64)]
    np.testing.assert_allclose(jax.jit(distance.pairwise)(x, y), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(distance.pairwise(x), distance.pairwise(x, x), atol=1e-6)
    np.testing.assert_allclose(distance(x[:, None], y[None]), expected, rtol=1e-5, atol=1e-6)
    assert np.min(expected) >= distance.lowest


@pytest.mark.parametrize("distance", ORACLES, ids=repr)
def test_what_orders_as_euclid_says_so_and_nothing_else_does(distance: Distance):
    x, y = points(200, 4) * np.arange(1, 201)[:, None], points(200, 4, seed=1)
    equal = np.array_equal(np.argsort(distance(x, y)), np.argsort(np.linalg.norm(x - y, axis=1)))
    assert distance.euclidean == equal


def test_who_measures_anew_does_not_pass_for_what_it_derives_from():
    @dataclasses.dataclass(frozen=True)
    class Signed(SquaredEuclidean):
        def paired(self, first, second):
            return jnp.sum(first - second, axis=-1)

    assert (Signed().euclidean, Signed().lowest) == (False, -np.inf)
    np.testing.assert_array_equal(Signed().pairwise(jnp.eye(2), jnp.zeros((3, 2))), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"never be negative, and nothing says so of Signed"):
        Contrastive(distance=Signed())


@pytest.mark.parametrize("owner", [Triplet(), Contrastive(), Identity()], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("distance", ["euclidean", Euclidean, np.linalg.norm], ids=["word", "class", "function"])
def test_what_is_no_distance_is_refused_by_name(owner, distance):
    # The tests' own type checker would refuse the value before __post_init__ sees it.
    broken = dataclasses.replace(owner)
    object.__setattr__(broken, "distance", distance)
    said = "is the class Euclidean: give one of its values" if distance is Euclidean else "which is no Distance"
    with pytest.raises(ValueError, match=rf"{type(owner).__name__}\.distance .*{said}"):
        broken.__post_init__()


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 2.0])
def test_the_cosine_of_equal_embeddings_is_exact_and_smooth(value: float):
    """0 with gradient 0 where there is a direction, and 1 where there is none."""
    x = jnp.full((3, 4), value)
    expected = np.full((3, 3), 0.0 if value else 1.0)
    np.testing.assert_array_equal(Cosine().pairwise(x), expected)
    np.testing.assert_array_equal(Cosine()(x[:, None], x[None]), expected)
    for of in (Cosine().pairwise, lambda x: Cosine()(x[:, None], x[None])):
        assert (jax.grad(lambda x: jnp.sum(of(x)))(x) == 0).all()  # noqa: B023


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e18])
def test_unit_length_whatever_the_length_and_none_without_direction(scale: float):
    x = points(6, 5)
    expected = x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(unit(np.float32(scale) * x), expected, rtol=1e-6)
    flat = jnp.zeros((1, 5))
    assert (unit(flat) == 0).all()
    assert (jax.grad(lambda x: jnp.sum(unit(x)))(flat) == 0).all()
