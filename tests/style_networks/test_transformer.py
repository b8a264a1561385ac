"""The painting network against NumPy in float64, in both published forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from painted import IMAGES, TINY, abstract, oracle, random_variables

from likeness.research.ops.pooling import enlarge
from likeness.research.style_networks import Conditional, Johnson
from likeness.research.style_networks.borders import reflect, reflect_to_multiple

PUBLISHED = Johnson(
    widths=(2, 3, 4),
    blocks=1,
    outer=5,
    padding="zeros",
    upsampling="transposed",
    output="tanh150",
    brightness=255.0,
    epsilon=1e-3,
)


@pytest.mark.parametrize("network", [TINY.clone(skip=True), PUBLISHED], ids=["ours", "published"])
def test_painting_equals_numpy(network):
    variables = random_variables(network, IMAGES)
    painted = jax.jit(network.apply)(variables, IMAGES)
    assert painted.dtype == jnp.float32
    np.testing.assert_allclose(painted, oracle(network, variables, IMAGES), rtol=1e-4, atol=1e-5)


def test_the_gradient_by_the_weights_is_the_difference_quotient():
    variables = random_variables(TINY, IMAGES)
    rng = np.random.default_rng(2)
    seen = rng.normal(size=IMAGES.shape)

    def cost(variables):
        return jnp.sum(TINY.apply(variables, IMAGES) * jnp.asarray(seen, jnp.float32))

    gradient = jax.jit(jax.grad(cost))(variables)
    direction = jax.tree.map(lambda leaf: rng.choice([-1.0, 1.0], size=leaf.shape), variables)
    step = 1e-6

    def value(step):
        moved = jax.tree.map(lambda leaf, turn: np.asarray(leaf, np.float64) + step * turn, variables, direction)
        return np.sum(oracle(TINY, moved, IMAGES) * seen)

    found = sum(jax.tree.leaves(jax.tree.map(lambda g, d: float(np.sum(np.asarray(g) * d)), gradient, direction)))
    np.testing.assert_allclose(found, (value(step) - value(-step)) / (2 * step), rtol=2e-3)


def test_parameter_counts():
    count = lambda network, *given: sum(leaf.size for leaf in jax.tree.leaves(abstract(network, *given)[1]))  # noqa: E731
    image = jnp.zeros((1, 32, 32, 3))
    assert count(Johnson(), image) == 1_677_638
    two, three = (count(Conditional(styles=n), image, jnp.ones((1, n))) for n in (2, 3))
    assert three - two == 3_206
    assert two - 2 * 3_206 == 1_674_432


@pytest.mark.parametrize(("height", "width"), [(5, 5), (16, 16), (17, 30), (31, 6)])
def test_any_size_comes_back_as_it_was(height, width):
    assert abstract(TINY, jnp.zeros((1, height, width, 3)))[0].shape == (1, height, width, 3)


def test_an_image_of_a_multiple_is_painted_without_a_border():
    """The mirrored rows of an image that does not divide change nothing of one that does."""
    variables = random_variables(TINY, IMAGES)
    whole = np.concatenate([IMAGES, IMAGES[:, -2:-4:-1]], axis=1)[:, :12]
    whole = np.concatenate([whole, whole[:, :, -2:-5:-1]], axis=2)
    expected = jax.jit(TINY.apply)(variables, whole)[:, :10, :13]
    np.testing.assert_allclose(jax.jit(TINY.apply)(variables, IMAGES), expected, atol=1e-6)


def test_bfloat16_paints_the_same_image():
    variables = random_variables(TINY, IMAGES)
    coarse = jax.jit(TINY.clone(dtype="bfloat16").apply)(variables, IMAGES)
    assert coarse.dtype == jnp.float32
    assert np.abs(coarse - oracle(TINY, variables, IMAGES)).mean() < 0.03


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"widths": ()}, "widths is"),
        ({"outer": 4}, "outer is 4: give an odd number"),
        ({"blocks": -1}, "blocks is -1"),
        ({"epsilon": 0.0}, "epsilon is 0.0"),
        ({"brightness": float("inf")}, "brightness is inf"),
    ],
)
def test_illegal_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Johnson(**fields)


def test_images_that_cannot_be_painted_are_refused():
    with pytest.raises(ValueError, match="4×9 pixels are too small to paint; each side needs 5 or more"):
        abstract(TINY, jnp.zeros((1, 4, 9, 3)))
    with pytest.raises(ValueError, match="RGB"):
        abstract(TINY, jnp.zeros((1, 16, 16, 1)))


def test_borders_are_numpy_s():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 7, 3)).astype(np.float32)
    for width in (0, 1, 4):
        around = ((0, 0), (width, width), (width, width), (0, 0))
        np.testing.assert_array_equal(reflect(x, width), np.pad(x, around, mode="reflect"))
    np.testing.assert_array_equal(reflect_to_multiple(x, 4), np.pad(x, ((0, 0), (0, 2), (0, 1), (0, 0)), mode="reflect"))
    np.testing.assert_array_equal(enlarge(x), x.repeat(2, axis=1).repeat(2, axis=2))
    with pytest.raises(ValueError, match="6×7 has no 6 pixels"):
        reflect(x, 6)
    with pytest.raises(ValueError, match="smaller than 8×8"):
        reflect_to_multiple(x, 8)
