"""The same layers and encoders over one, two and three dimensions (N1 to N3 and N5 of the checklist)."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from likeness.research.encoders import Conv4, PlainConvNet, avg_pool, l2_pool, max_pool
from likeness.research.geometry import receptive_fields
from likeness.research.ops.spatial import convolution, convolve_volumes
from likeness.research.visualization import TopPatches

DIMS = pytest.mark.parametrize("dims", [1, 2, 3])
KEY = jax.random.key(0)


def windows(x: np.ndarray, side: int, stride: int = 1) -> np.ndarray:
    """(b, *places, c, side, …, side)."""
    axes = tuple(range(1, x.ndim - 1))
    view = np.lib.stride_tricks.sliding_window_view(x, (side,) * len(axes), axis=axes)
    return view[:, *[slice(None, None, stride)] * len(axes)]


def convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Cross-correlation in float64: the sum over the window and the channels, plus the bias."""
    dims = x.ndim - 2
    view = windows(x.astype(np.float64), kernel.shape[0])
    # The kernel has its channels after the window, the view before it.
    turned = np.moveaxis(kernel.astype(np.float64), dims, 0)
    return np.tensordot(view, turned, dims + 1) + bias


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def drawn(encoder: nn.Module, shape: tuple[int, ...]):
    x = np.random.default_rng(1).random(shape, np.float32)
    variables = jax.jit(encoder.init)(KEY, x)
    return x, variables, jax.jit(encoder.apply)(variables, x)


@pytest.mark.parametrize(("dims", "channels"), [(1, 1), (2, 3), (3, 1)])
def test_the_course_example(dims, channels):
    """14 * 5 → 10 with 16 filters, * 5 → 6 with 32: N1, N2 and N3."""
    x, variables, activations = drawn(PlainConvNet(spatial_dims=dims, dimension=4), (2, *[14] * dims, channels))
    variables = jax.tree.map(np.asarray, variables["params"])
    assert activations["conv1"].shape == (2, *[10] * dims, 16)
    assert activations["conv2"].shape == (2, *[6] * dims, 32)
    for layer, before in (("conv1", x), ("conv2", np.maximum(activations["conv1"], 0))):
        expected = convolved(before, variables[layer]["kernel"], variables[layer]["bias"])
        assert np.abs(activations[layer] - expected).max() <= 1e-6 * np.abs(expected).max()


@DIMS
@pytest.mark.parametrize("padding", [0, 1])
def test_convolution_is_that_of_flax(dims, padding):
    """Parameters, values and both gradients, also where the window is even."""
    x, side = normal(0, 2, *[5, 4, 6][:dims], 3), 2 + padding
    ours = convolution(4, side, dims, padding=padding)
    theirs = nn.Conv(4, (side,) * dims, padding=padding)

    @functools.partial(jax.jit, static_argnums=0)
    def all_of(layer, variables, x):
        value, back = jax.vjp(layer.apply, variables, x)
        return value, back(jnp.sin(jnp.arange(value.size, dtype=value.dtype)).reshape(value.shape))

    variables = jax.jit(theirs.init)(KEY, x)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, jax.eval_shape(ours.init, KEY, x))
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5),
        all_of(ours, variables, x),
        all_of(theirs, variables, x),
    )


@DIMS
def test_the_gradient_is_the_difference_quotient(dims):
    """Of a convolution, a ReLU and a pooling, by the weights and by what goes in: against float64 in NumPy."""
    x, kernel = normal(0, 2, *[6] * dims, 2), normal(1, *[3] * dims, 2, 3)
    weights = normal(2, 2, *[2] * dims, 3)
    layer = convolution(3, 3, dims, use_bias=False)

    def value(kernel, x):
        pooled = max_pool(nn.relu(layer.apply({"params": {"kernel": kernel}}, x)), 2)
        return jnp.sum(pooled * weights)

    def oracle(kernel, x):
        y = np.maximum(convolved(x, kernel, np.zeros(3)), 0)
        return np.sum(windows(y, 2, 2).max(axis=tuple(range(-dims, 0))) * weights)

    gradients = jax.jit(jax.grad(value, (0, 1)))(kernel, x)
    for turn in range(4):
        along = normal(3 + turn, *kernel.shape), normal(13 + turn, *x.shape)
        ahead, behind = (
            oracle(kernel + sign * 1e-6 * along[0].astype(np.float64), x + sign * 1e-6 * along[1].astype(np.float64))
            for sign in (1, -1)
        )
        slope = sum(float(np.sum(np.asarray(g, np.float64) * a)) for g, a in zip(gradients, along, strict=True))
        np.testing.assert_allclose(slope, (ahead - behind) / 2e-6, rtol=1e-4)


@DIMS
@pytest.mark.parametrize("geometry", [(2, 2, 0), (3, 2, 1), (2, 1, 0)])
def test_pooling_equals_numpy(dims, geometry):
    window, stride, padding = geometry
    x = normal(4, 2, *[7, 6, 5][:dims], 3)
    largest, mean, length = jax.jit(lambda x: [pool(x, *geometry) for pool in (max_pool, avg_pool, l2_pool)])(x)
    edge, axes = [(0, 0), *[(padding, padding)] * dims, (0, 0)], tuple(range(-dims, 0))
    np.testing.assert_array_equal(largest, windows(np.pad(x, edge, constant_values=-np.inf), window, stride).max(axes))
    zeros = windows(np.pad(x.astype(np.float64), edge), window, stride)
    np.testing.assert_allclose(mean, zeros.mean(axes), atol=1e-6)
    np.testing.assert_allclose(length, np.sqrt((zeros**2).sum(axes)), rtol=1e-5, atol=1e-6)


@DIMS
def test_batch_norm_takes_the_statistics_of_all_places(dims):
    encoder = Conv4(spatial_dims=dims, width=3, dimension=4)
    x = np.random.default_rng(5).random((3, *[16] * dims, 2), np.float32)
    variables = jax.jit(encoder.init)(KEY, x)
    apply = jax.jit(functools.partial(encoder.apply, train=True, mutable=["batch_stats"]))
    activations, changed = apply(variables, x)
    before = np.asarray(activations["conv1"], np.float64)
    axes = tuple(range(dims + 1))
    expected = np.maximum((before - before.mean(axes)) / np.sqrt(before.var(axes) + 1e-5), 0)
    np.testing.assert_allclose(activations["relu1"], expected, atol=1e-5)
    np.testing.assert_allclose(changed["batch_stats"]["norm1"]["mean"], 0.1 * before.mean(axes), rtol=1e-4, atol=1e-6)
    assert activations["embedding"].shape == (3, 4)


def test_volumes_that_do_not_change_along_an_axis_are_images():
    """A kernel of one slice sees each slice as an image."""
    x, kernel = normal(6, 2, 3, 5, 4, 2), normal(7, 1, 3, 3, 2, 4)
    volumes = jax.jit(convolve_volumes)(x, kernel)
    images = lax.conv_general_dilated(
        x.reshape(6, 5, 4, 2), kernel[0], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(volumes, images.reshape(2, 3, 3, 2, 4), rtol=1e-5, atol=1e-5)


@DIMS
def test_receptive_fields_are_the_support_of_the_gradient(dims):
    encoder = PlainConvNet(spatial_dims=dims, widths=(2, 2), side=3, pool=2, dimension=2)
    x, variables, activations = drawn(encoder, (1, *[14] * dims, 1))
    # All weights positive, so that nothing is cancelled or cut off.
    variables = jax.tree.map(jnp.abs, variables)
    for layer, field in receptive_fields(encoder).items():
        if layer == "input":
            continue
        unit = activations[layer].shape[1] - 1
        # A maximum has the gradient of one place only; with an average in its stead all places that are seen have one.
        seen = jax.jit(jax.grad(lambda x, layer=layer, unit=unit: _positive(variables, x, layer)[0, *[unit] * dims, 0]))(x)
        start, stop = field.window(unit)
        expected = np.zeros([14] * dims, bool)
        expected[(slice(start, stop),) * dims] = True
        np.testing.assert_array_equal(np.asarray(seen)[0, ..., 0] > 0, expected)


def _positive(variables, x, layer):
    """The layers of that encoder with an average for the maximum, as far as ``layer``."""
    dims = x.ndim - 2
    for index in (1, 2):
        x = convolution(2, 3, dims).apply({"params": variables["params"][f"conv{index}"]}, x)
        if layer in (f"conv{index}", f"relu{index}"):
            return x
        x = avg_pool(x, 2)
        if layer == f"pool{index}":
            return x
    raise AssertionError(layer)


@pytest.mark.parametrize("dims", [1, 3])
def test_top_patches_of_signals_and_volumes(dims):
    """The places that excite a unit most, and what it sees there, recomputed from the patch alone."""
    encoder = PlainConvNet(spatial_dims=dims, widths=(3,), side=3, dimension=2)
    x, variables, activations = drawn(encoder, (6, *[7] * dims, 2))
    top = TopPatches(k=4, once=False)
    found = jax.jit(top)(top.init(3, dims), activations["conv1"], jnp.arange(6, dtype=jnp.int32), KEY)
    response, field = np.asarray(activations["conv1"]), receptive_fields(encoder)["conv1"]
    weights = jax.tree.map(np.asarray, variables["params"]["conv1"])
    for unit in range(3):
        values = np.sort(response[..., unit].ravel())[::-1][:4]
        np.testing.assert_array_equal(found.value[unit], values)
        for value, image, place in zip(values, found.image[unit], np.asarray(found.place[unit]), strict=True):
            patch = x[image, *itertools.starmap(slice, map(field.window, place.tolist()))]
            assert patch.shape == (3,) * dims + (2,)
            again = convolved(patch[None], weights["kernel"], weights["bias"])[0, *[0] * dims, unit]
            np.testing.assert_allclose(value, again, rtol=1e-5)


@pytest.mark.parametrize(
    ("dims", "shape", "says"),
    [
        (
            1,
            (2, 12, 1),
            "signals of 12 samples are too small: pool4 gets a map of 1 and needs 2. Use signals of at least 16 samples",
        ),
        (3, (2, 16, 16, 9, 1), "at least 16×16×16 voxels"),
        (3, (2, 16, 16, 1), r"spatial_dims=3 takes a batch of volumes \(b, d, h, w, c\), not an array of shape"),
        (2, (2, 16, 16, 16, 1), "takes a batch of images"),
    ],
)
def test_what_does_not_fit_is_refused(dims, shape, says):
    with pytest.raises(ValueError, match=says):
        jax.eval_shape(Conv4(spatial_dims=dims, width=2).init, KEY, jnp.zeros(shape))


@pytest.mark.parametrize("fields", [{"widths": ()}, {"widths": (4, 0)}, {"side": 0}, {"pool": 0}])
def test_plain_refuses_fields_without_meaning(fields):
    with pytest.raises(ValueError, match="PlainConvNet"):
        PlainConvNet(**fields)
