import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from likeness.research.ops.pooling import avg_pool, l2_pool, max_pool, max_pool_2x2


def compiled(pool, *geometry, **fields):
    """The pooling as one program: its operations one by one would each be compiled."""
    return jax.jit(lambda x: pool(x, *geometry, **fields))


def windows(x: np.ndarray, window: int, stride: int, padding: int, fill: float) -> np.ndarray:
    """(b, rows, columns, window², c) of an image padded with `fill`."""
    edge = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = np.pad(x, edge, constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(1, 2))
    view = view[:, ::stride, ::stride]
    return np.moveaxis(view, 3, -1).reshape(*view.shape[:3], window**2, x.shape[3])


def random_map(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, height, width, 3)).astype(np.float32)


@pytest.mark.parametrize("geometry", [(2, 2, 0), (3, 2, 1), (3, 2, 0), (3, 3, 0), (2, 1, 1)])
def test_pooling_equals_numpy(geometry):
    pools = jax.jit(lambda x: [pool(x, *geometry) for pool in (max_pool, avg_pool, l2_pool)])
    for seed in range(12):
        x = random_map(seed, 7, 6)
        largest, mean, length = pools(x)
        np.testing.assert_array_equal(largest, windows(x, *geometry, -np.inf).max(3))
        zeros = windows(x.astype(np.float64), *geometry, 0.0)
        np.testing.assert_allclose(mean, zeros.mean(3), atol=1e-6)
        np.testing.assert_allclose(length, np.sqrt((zeros**2).sum(3)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_max_pool_2x2_has_the_value_and_gradient_of_flax_where_nothing_ties(size):
    x = random_map(0, *size)
    weights = np.random.default_rng(1).normal(size=(2, size[0] // 2, size[1] // 2, 3)).astype(np.float32)

    @jax.jit
    def both(x):
        (ours, back), (theirs, known) = (jax.vjp(pool, x) for pool in (max_pool_2x2, lambda x: nn.max_pool(x, (2, 2), (2, 2))))
        return (ours, theirs), (back(weights)[0], known(weights)[0])

    for found, expected in both(x):
        np.testing.assert_array_equal(found, expected)


def test_overlapping_max_pool_has_the_gradient_of_flax_where_nothing_ties():
    x = random_map(2, 7, 7)
    ours = jax.jit(jax.grad(lambda x: jnp.sum(max_pool(x, 3, 2, 1) ** 2)))(x)
    theirs = jax.jit(jax.grad(lambda x: jnp.sum(nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1))) ** 2)))(x)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("side", [4, 5, 6, 7])
@pytest.mark.parametrize("geometry", [(3, 2, 0), (3, 2, 1), (2, 2, 0), (3, 3, 0), (2, 1, 0)])
def test_ceil_keeps_a_last_window_that_begins_within_the_map(side, geometry):
    window, stride, padding = geometry
    x = random_map(4, side, 7)
    count = (
        max(i for i in range(side + 1) if i * stride - padding < side and (i - 1) * stride + window < side + 2 * padding) + 1
    )
    pooled = np.asarray(compiled(max_pool, *geometry, ceil=True)(x))
    assert pooled.shape[1] == count
    wide = np.pad(x, ((0, 0), (0, window), (0, window), (0, 0)), constant_values=-np.inf)
    full = windows(wide, window, stride, padding, -np.inf).max(3)
    np.testing.assert_array_equal(pooled, full[:, : pooled.shape[1], : pooled.shape[2]])


def test_ceil_takes_a_map_smaller_than_the_window():
    x = random_map(5, 2, 2)
    np.testing.assert_array_equal(compiled(max_pool, 3, 2, ceil=True)(x)[:, 0, 0], x.max((1, 2)))


@pytest.mark.parametrize("kind", [avg_pool, l2_pool])
def test_the_gradient_is_the_difference_quotient(kind):
    x = random_map(6, 6, 7).astype(np.float64)
    weights = np.random.default_rng(7).normal(size=(2, 3, 3, 3))
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(kind(x, 2) * weights.astype(np.float32))))(x.astype(np.float32))

    def value(x):
        squares = (windows(x, 2, 2, 0, 0.0) ** 2).sum(3) ** 0.5
        return np.sum(weights * (windows(x, 2, 2, 0, 0.0).mean(3) if kind is avg_pool else squares))

    direction = np.random.default_rng(8).normal(size=x.shape)
    quotient = (value(x + 1e-6 * direction) - value(x - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(np.sum(gradient * direction), quotient, rtol=1e-4)


shares_of = jax.jit(jax.grad(lambda x: jnp.sum(max_pool_2x2(x))))


@pytest.mark.parametrize(
    ("pixels", "shares"),
    [
        ([[1, 1], [1, 1]], [[0.25, 0.25], [0.25, 0.25]]),
        ([[1, 1], [1, 0]], [[0.25, 0.25], [0.5, 0.0]]),
        ([[1, 0], [1, 0]], [[0.5, 0.0], [0.5, 0.0]]),
        ([[0, 2], [1, 0]], [[0.0, 1.0], [0.0, 0.0]]),
    ],
)
def test_ties_share_the_gradient(pixels, shares):
    x = np.asarray(pixels, np.float32)[None, :, :, None]
    gradient = np.asarray(shares_of(x))
    np.testing.assert_array_equal(gradient[0, :, :, 0], shares)


def test_l2_pool_of_zeros_has_zero_gradient():
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(l2_pool(x, 3))))(np.zeros((1, 3, 3, 1), np.float32))
    np.testing.assert_array_equal(gradient, 0)


def test_pooling_keeps_bfloat16():
    x = jax.ShapeDtypeStruct((1, 3, 3, 1), jnp.bfloat16)
    dtypes = [jax.eval_shape(lambda x, pool=pool: pool(x, 3), x).dtype for pool in (max_pool, avg_pool, l2_pool)]
    assert dtypes == [jnp.bfloat16] * 3


def test_a_nan_is_not_pooled_away():
    x = np.asarray([[0.0, 1.0], [np.nan, 2.0]], np.float32)[None, :, :, None]
    assert np.isnan(compiled(max_pool_2x2)(x)).all()


@pytest.mark.parametrize("geometry", [(0, 1, 0), (2, 2, 2), (2, -1, 0)])
def test_an_illegal_window_is_refused(geometry):
    with pytest.raises(ValueError, match="window"):
        max_pool(jnp.zeros((1, 4, 4, 1)), *geometry)


def test_a_window_larger_than_the_map_is_refused():
    with pytest.raises(ValueError, match=r"1×4.*2×2 window"):
        max_pool_2x2(jnp.zeros((1, 1, 4, 1)))


@pytest.mark.peers
def test_pooling_equals_torch():
    torch = pytest.importorskip("torch")
    x = random_map(3, 9, 8)
    nchw = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    functional = torch.nn.functional
    for ours, theirs in (
        (compiled(max_pool, 3, 2, 1), functional.max_pool2d(nchw, 3, 2, 1)),
        (compiled(avg_pool, 3, 2, 1), functional.avg_pool2d(nchw, 3, 2, 1)),
        (compiled(l2_pool, 3), functional.lp_pool2d(nchw, 2, 3)),
        (compiled(max_pool, 3, 2, ceil=True), functional.max_pool2d(nchw, 3, 2, ceil_mode=True)),
        (compiled(max_pool, 3, 2, 1, ceil=True), functional.max_pool2d(nchw, 3, 2, 1, ceil_mode=True)),
    ):
        np.testing.assert_allclose(ours(x), theirs.numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6)
