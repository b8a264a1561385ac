import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from likeness.research.ops.depthwise import Depthwise


def oracle(x, kernel, stride, padding):
    x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)[:, :, 0]
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    side = kernel.shape[0]
    rows, columns = ((length - side) // stride + 1 for length in x.shape[1:3])
    y = np.zeros((x.shape[0], rows, columns, x.shape[3]))
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + side, j * stride : j * stride + side]
            y[:, i, j] = (window * kernel).sum((1, 2))
    return y


def grouped(x, kernel, stride, padding):
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        ((padding, padding), (padding, padding)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


SHAPES = [
    (9, 8, 3, 1, 1),
    (9, 8, 3, 2, 1),
    (8, 9, 3, 2, 0),
    (7, 7, 7, 1, 0),
    (10, 12, 5, 3, 2),
    (7, 9, 7, 1, 0),
    (6, 6, 1, 2, 0),
    (30, 5, 3, 1, 1),
    (33, 6, 3, 2, 1),
    (31, 5, 3, 2, 0),
]


@pytest.mark.parametrize(("height", "width", "side", "stride", "padding"), SHAPES)
def test_values_and_both_gradients_are_those_of_a_grouped_convolution(height, width, side, stride, padding):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, height, width, 3)).astype(np.float32)
    layer = Depthwise(side=side, stride=stride, padding=padding)
    kernel = jax.jit(layer.init)(jax.random.key(0), x)["params"]["kernel"]
    assert kernel.shape == (side, side, 1, 3)

    def ours(x, kernel):
        return layer.apply({"params": {"kernel": kernel}}, x)

    def theirs(x, kernel):
        return grouped(x, kernel, stride, padding)

    expected = oracle(x, kernel, stride, padding)
    cotangent = rng.normal(size=expected.shape).astype(np.float32)

    @jax.jit
    def both(x, kernel):
        (y, back), (_, known) = (jax.vjp(convolve, x, kernel) for convolve in (ours, theirs))
        return y, list(zip(back(jnp.asarray(cotangent)), known(jnp.asarray(cotangent)), strict=True))

    y, gradients = both(x, kernel)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    for found, known in gradients:
        np.testing.assert_allclose(found, known, rtol=1e-4, atol=1e-5)


SIZES = [(3, 3, 1, 0), (3, 9, 2, 0), (8, 5, 2, 1), (7, 7, 3, 2), (9, 4, 1, 2), (6, 8, 3, 1)]


@pytest.mark.parametrize(("height", "width", "stride", "padding"), SIZES)
def test_the_gradient_is_the_transpose(height, width, stride, padding):
    """⟨y, conv x⟩ = ⟨convᵀ y, x⟩, also where windows do not reach the last rows."""
    layer = Depthwise(side=3, stride=stride, padding=padding)

    @jax.jit
    def products(x, other, kernel):
        y, back = jax.vjp(lambda x: layer.apply({"params": {"kernel": kernel}}, x), x)
        other = other[:, : y.shape[1], : y.shape[2]]
        return (y * other).sum(), (back(other)[0] * x).sum()

    for seed in range(5):
        rng = np.random.default_rng(seed)
        x, other = rng.normal(size=(2, 1, height, width, 2)).astype(np.float32)
        other = np.pad(other, ((0, 0), (0, 2), (0, 2), (0, 0)), mode="reflect")
        found, expected = products(x, other, rng.normal(size=(3, 3, 1, 2)).astype(np.float32))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_half_precision_is_summed_in_float32():
    x = jnp.ones((1, 7, 7, 1), jnp.bfloat16)
    kernel = {"params": {"kernel": jnp.full((7, 7, 1, 1), 1 / 49)}}
    for layer in (Depthwise(side=7, dtype="bfloat16"), Depthwise(side=7, padding=1, dtype="bfloat16")):
        y = jax.jit(layer.apply)(kernel, x)
        assert y.dtype == jnp.bfloat16
        assert float(y.max()) == pytest.approx(1.0, abs=0.005)


def test_a_bias_is_added_to_each_channel():
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype(np.float32)
    layer = Depthwise(side=3, padding=1, use_bias=True)
    params = jax.jit(layer.init)(jax.random.key(0), x)["params"]
    assert params["bias"].shape == (3,) and not params["bias"].any()
    bias = np.float32([1, -2, 3])
    plain, shifted = (jax.jit(layer.apply)({"params": {**params, "bias": each}}, x) for each in (params["bias"], bias))
    np.testing.assert_allclose(shifted, plain + bias, rtol=1e-6, atol=1e-6)
