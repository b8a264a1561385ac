"""ShuffleNetV2 against NumPy in float64, layer by layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks64 import Network, random_variables, shufflenet

from likeness.research.encoders import ShuffleNetV2
from likeness.research.encoders.layer_geometry import map_sides

TINY = ShuffleNetV2(first=4, widths=(8, 14, 20), blocks=(2, 1, 2))
IMAGES = np.random.default_rng(0).uniform(size=(2, 64, 96, 3)).astype(np.float32)


def abstract(encoder, height=64, width=64):
    return jax.eval_shape(lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((2, height, width, 3)))


@pytest.mark.parametrize("trained_on", ["bgr", "rgb"])
def test_every_layer_equals_numpy(trained_on):
    encoder = TINY.clone(trained_on=trained_on)
    variables = random_variables(abstract(encoder)[1])
    activations = jax.jit(encoder.apply)(variables, IMAGES)
    expected = shufflenet(encoder, Network(variables), IMAGES)
    assert set(activations) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(activations[name], value, rtol=1e-4, atol=1e-5 * np.abs(value).max(), err_msg=name)


def test_parameter_count_is_the_definition_s():
    total, before = 27 * 24 + 2 * 24, 24
    for width, blocks in ((48, 4), (96, 8), (192, 4)):
        half = width // 2
        shortcut = 9 * before + 2 * before + before * before + 2 * before
        first = before * half + 2 * half + 9 * half + 2 * half + half * (width - before) + 2 * (width - before)
        later = half * half + 2 * half + 9 * half + 2 * half + half * half + 2 * half
        total, before = total + shortcut + first + (blocks - 1) * later, width
    assert sum(leaf.size for leaf in jax.tree.leaves(abstract(ShuffleNetV2())[1]["params"])) == total == 143_136


@pytest.mark.parametrize("side", [33, 64, 97])
def test_geometry_lists_what_is_computed(side):
    activations = abstract(TINY, side, side)[0]
    assert {name: value.shape[1] for name, value in activations.items()} == map_sides(TINY.geometry, side)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"first": 0}, "first is 0"),
        ({"widths": (48, 96)}, "a width and a number of units for each stage"),
        ({"blocks": (4, 0, 4)}, "blocks"),
        ({"widths": (48, 95, 192)}, "even number"),
        ({"widths": (48, 48, 192)}, "larger than the one before"),
    ],
)
def test_an_illegal_field_is_named(fields, why):
    with pytest.raises(ValueError, match=rf"ShuffleNetV2.*{why}"):
        ShuffleNetV2(**fields)


@pytest.mark.slow
def test_training_updates_the_statistics_and_gradients_are_finite():
    images = jnp.asarray(IMAGES[:, :32, :32])
    variables = random_variables(abstract(TINY)[1])

    @jax.jit
    def step(params):
        def cost(params):
            state = {"params": params, "batch_stats": variables["batch_stats"]}
            activations, updated = TINY.apply(state, images, train=True, mutable=["batch_stats"])
            return jnp.sum(jnp.square(activations["stage4"])), updated

        return jax.grad(cost, has_aux=True)(params)

    gradient, updated = step(variables["params"])
    assert all(np.isfinite(leaf).all() and np.any(leaf) for leaf in jax.tree.leaves(gradient["stage2_1"]))
    before = variables["batch_stats"]["stage3_1"]["expand_norm"]["mean"]
    assert not np.array_equal(updated["batch_stats"]["stage3_1"]["expand_norm"]["mean"], before)


def test_bfloat16_keeps_parameters_and_input_in_float32():
    activations, variables = abstract(TINY.clone(dtype="bfloat16"))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert activations.pop("input").dtype == jnp.float32
    assert {value.dtype for value in activations.values()} == {jnp.dtype("bfloat16")}


def test_its_units_can_be_computed_twice():
    """They are parts, of which a gradient may keep the input alone."""
    from likeness.research.ops.remat import count_parts

    assert count_parts(TINY, (1, 64, 64, 3)) == sum(TINY.blocks)
