"""The pyramid of patches and the heads upon it, against NumPy in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks64 import Network, random_variables, relu

from likeness.research.encoders import PatchPyramid, PlaceHead, VoteHead

TINY = PatchPyramid(patch=2, widths=(4, 6, 5), blocks=(1, 0, 2), pyramid_width=3)
IMAGES = np.random.default_rng(0).uniform(size=(2, 24, 16, 3)).astype(np.float32)


def abstract(encoder, height=32, width=32):
    return jax.eval_shape(lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((2, height, width, 3)))


def squares(x, side):
    parts = [x[:, i::side, j::side] for i in range(side) for j in range(side)]
    return np.concatenate(parts, axis=-1)


def oracle(encoder, variables, images):
    network = Network(variables)

    def layer(x, name):
        return network.norm(network.convolve(x, name), f"{name}_norm")

    found = {"input": images}
    x = found["patches"] = relu(layer(squares(2 * images.astype(np.float64) - 1, encoder.patch), "patches"))
    for stage, (stride, blocks) in enumerate(zip(encoder.strides, encoder.blocks, strict=True)):
        x = relu(layer(x if stage == 0 else squares(x, 2), f"stage{stride}_in"))
        for block in range(1, blocks + 1):
            y = relu(layer(x, f"stage{stride}_block{block}a"))
            x = relu(x + layer(y, f"stage{stride}_block{block}b"))
        found[f"stage{stride}"] = x
    coarser = None
    for stride in reversed(encoder.strides):
        x = relu(layer(found[f"stage{stride}"], f"pyramid{stride}_in"))
        if coarser is not None:
            x = relu(layer(x + coarser.repeat(2, 1).repeat(2, 2), f"pyramid{stride}"))
        coarser = found[f"pyramid{stride}"] = x
    return found


@pytest.mark.parametrize("encoder", [TINY, TINY.clone(widths=(4,), blocks=(0,))], ids=["three", "one"])
def test_every_layer_equals_numpy(encoder):
    variables = random_variables(abstract(encoder)[1])
    activations = jax.jit(encoder.apply)(variables, IMAGES)
    expected = oracle(encoder, variables, IMAGES)
    assert set(activations) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(activations[name], value, rtol=1e-4, atol=1e-4 * np.abs(value).max(), err_msg=name)


def test_the_parameters_are_counted():
    assert sum(leaf.size for leaf in jax.tree.leaves(abstract(PatchPyramid())[1]["params"])) == 568_608


@pytest.mark.slow
def test_without_a_pyramid_the_stages_are_what_they_were():
    """Its layers are not built, and those that are begin with the same weights."""
    small, images = TINY.clone(pyramid_width=None), jnp.asarray(IMAGES)
    whole, alone = (jax.jit(each.init_with_output)(jax.random.key(3), images) for each in (TINY, small))
    assert set(alone[0]) == {name for name in whole[0] if not name.startswith("pyramid")}
    for kind, variables in alone[1].items():
        assert set(variables) == {name for name in whole[1][kind] if not name.startswith("pyramid")}
        jax.tree.map(np.testing.assert_array_equal, variables, {name: whole[1][kind][name] for name in variables})
    for name, value in alone[0].items():
        np.testing.assert_array_equal(value, whole[0][name])


@pytest.mark.parametrize("side", [8, 24, 64])
def test_strides_are_those_of_the_maps_and_of_the_geometry(side):
    activations = abstract(TINY, side, side)[0]
    for stride in TINY.strides:
        assert activations[f"stage{stride}"].shape[1:3] == activations[f"pyramid{stride}"].shape[1:3] == (side // stride,) * 2
    product = 1
    for layer, stride in zip(TINY.geometry, (2, 1, 2, 2), strict=True):
        product *= layer.stride
        assert layer.stride == stride
    assert product == TINY.strides[-1]


@pytest.mark.parametrize(
    "fields", [{"widths": ()}, {"widths": (4, 0)}, {"blocks": (1,)}, {"blocks": (1, -1)}, {"patch": 0}, {"pyramid_width": 0}]
)
def test_fields_that_make_no_network_are_refused(fields):
    with pytest.raises(ValueError, match=r"PatchPyramid"):
        PatchPyramid(**fields)


def test_images_that_are_no_multiple_of_the_coarsest_stride_are_refused():
    with pytest.raises(ValueError, match=r"PatchPyramid: images of 20×16 pixels have a side that is no multiple of 8"):
        abstract(TINY, 20, 16)


def test_training_updates_the_statistics_and_nothing_else():
    variables = random_variables(abstract(TINY)[1])
    train = jax.jit(functools.partial(TINY.apply, train=True, mutable=["batch_stats"]))
    _, changed = train(variables, IMAGES)
    before, after = variables["batch_stats"], changed["batch_stats"]
    assert jax.tree.structure(after) == jax.tree.structure(before)
    same = jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), after, before)
    assert not any(jax.tree.leaves(same))


HEAD = PlaceHead(groups=(4, 2), biases=((1.0, 2.0, 3.0, 4.0), (-3.0, 0.5)), width=5, depth=2)


def test_a_head_says_its_biases_before_anything_is_learned():
    maps = [jnp.zeros((2, 4, 6, 3)), jnp.zeros((2, 2, 3, 3))]
    said, variables = HEAD.init_with_output(jax.random.key(0), maps)
    assert [one.shape for one in said] == [(2, 4, 6, 6), (2, 2, 3, 6)]
    np.testing.assert_array_equal(said[1][0, 0, 0], [1.0, 2.0, 3.0, 4.0, -3.0, 0.5])
    # The convolutions are shared by the maps, their statistics are not.
    assert {name for name in variables["params"] if "norm" in name} == {
        f"tower{group}_{layer}_norm{level}" for group in (0, 1) for layer in (1, 2) for level in (0, 1)
    }


def test_a_head_equals_numpy():
    rng = np.random.default_rng(1)
    maps = [rng.normal(size=(2, 4, 4, 3)).astype(np.float32), rng.normal(size=(2, 2, 2, 3)).astype(np.float32)]
    variables = random_variables(jax.eval_shape(HEAD.init, jax.random.key(0), maps))
    network = Network(variables)
    for level, (one, said) in enumerate(zip(maps, jax.jit(HEAD.apply)(variables, maps), strict=True)):
        for group, place in ((0, slice(0, 4)), (1, slice(4, 6))):
            x = one.astype(np.float64)
            for layer in (1, 2):
                x = relu(network.norm(network.convolve(x, f"tower{group}_{layer}"), f"tower{group}_{layer}_norm{level}"))
            last = variables["params"][f"say{group}"]
            expected = x @ np.asarray(last["kernel"], np.float64) + np.asarray(last["bias"])
            np.testing.assert_allclose(said[..., place], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fields", [{"groups": (4,)}, {"groups": (4, 3)}, {"depth": -1}, {"width": 0}])
def test_a_head_without_sense_is_refused(fields):
    with pytest.raises(ValueError, match=r"PlaceHead"):
        HEAD.clone(**fields)


def test_what_a_head_says_is_float32_whatever_it_computes_in():
    head = HEAD.clone(dtype="bfloat16")
    said, variables = head.init_with_output(jax.random.key(0), [jnp.zeros((1, 4, 4, 3))])
    assert said[0].dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


VOTES = VoteHead(groups=(("number",), ("x",), ("x", "y")), biases=(-2.0, 0.25, 0.5, 0.75), width=5, depth=2, sharpness=4.0)


def test_votes_say_their_biases_before_anything_is_learned():
    (said,), variables = VOTES.init_with_output(jax.random.key(0), [jnp.zeros((2, 4, 6, 3))])
    np.testing.assert_allclose(said, np.tile(VOTES.biases, (2, 1)), atol=1e-6)
    assert variables["params"]["weigh"]["kernel"].shape == (5, 3)
    assert variables["params"]["say"]["kernel"].shape == (5, 4)


def test_votes_equal_numpy():
    """The mean of what 24 places say, place by place."""
    rng = np.random.default_rng(2)
    one = rng.normal(size=(2, 4, 6, 3)).astype(np.float32)
    variables = random_variables(jax.eval_shape(VOTES.init, jax.random.key(0), [one]))
    network = Network(variables)
    x = one.astype(np.float64)
    for layer in (1, 2):
        x = relu(network.norm(network.convolve(x, f"tower_{layer}"), f"tower_{layer}_norm"))
    weigh, say = (variables["params"][name] for name in ("weigh", "say"))
    sharp = VOTES.sharpness * (x @ np.asarray(weigh["kernel"], np.float64) + np.asarray(weigh["bias"]))
    votes = x @ np.asarray(say["kernel"], np.float64)
    expected = np.zeros((2, 4))
    for number, (group, kind) in enumerate([(0, "number"), (1, "x"), (2, "x"), (2, "y")]):
        for image in range(2):
            weights = np.exp(sharp[image, ..., group] - sharp[image, ..., group].max())
            for row in range(4):
                for column in range(6):
                    cells = votes[image, row, column, number]
                    said = {"x": (column + 0.5 + cells) / 6 - 0.5, "y": (row + 0.5 + cells) / 4 - 0.5, "number": cells}[kind]
                    expected[image, number] += weights[row, column] / weights.sum() * said
    expected += np.asarray(variables["params"]["bias"])
    np.testing.assert_allclose(jax.jit(VOTES.apply)(variables, [one])[0], expected, rtol=1e-4, atol=1e-4)


def test_what_moves_moves_the_votes_with_it():
    """A map of one bright place: the coordinate is the place, wherever it is, once it is believed."""
    head = VoteHead(groups=(("x", "y"),), biases=(0.5, 0.5), width=1, depth=0, sharpness=100.0)
    params = {
        "weigh": {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)},
        "say": {"kernel": jnp.zeros((1, 2))},
        "bias": jnp.array([0.5, 0.5]),
    }
    for row, column in ((0, 0), (3, 5), (2, 1)):
        bright = jnp.zeros((1, 4, 8, 1)).at[0, row, column, 0].set(1.0)
        (said,) = head.apply({"params": params}, [bright])
        np.testing.assert_allclose(said[0], [(column + 0.5) / 8, (row + 0.5) / 4], atol=1e-6)


@pytest.mark.parametrize(
    "fields", [{"groups": ()}, {"groups": (("x",), ())}, {"biases": (0.5,)}, {"depth": -1}, {"width": 0}, {"sharpness": 0.0}]
)
def test_votes_without_sense_are_refused(fields):
    with pytest.raises(ValueError, match=r"VoteHead"):
        VOTES.clone(**fields)


def test_votes_are_float32_whatever_they_are_computed_in():
    (said,), _ = VOTES.clone(dtype="bfloat16").init_with_output(jax.random.key(0), [jnp.zeros((1, 4, 4, 3))])
    assert said.dtype == jnp.float32
