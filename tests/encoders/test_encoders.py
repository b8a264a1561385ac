"""What holds for every encoder; each family's own numbers are in its own file."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tyro
from flax import linen as nn

from likeness.research.encoders import HOG, Conv4, EdgeNet, IResNet, Koch, NN4Small2, ResidualConv, dimension_of, l2_normalize
from likeness.research.encoders.layers import standardize

TINY = {
    "conv4": (Conv4(width=4), (16, 16, 1)),
    "conv4_flatten": (Conv4(width=4, head="flatten", normalize=False), (35, 32, 3)),
    "koch": (Koch(dimension=8), (65, 65, 1)),
    "iresnet": (IResNet(blocks=(1, 1, 1, 1), width=4), (16, 16, 3)),
    "gradients": (HOG(dimension=8), (17, 16, 3)),
    "residual": (ResidualConv(widths=(4, 6), units=(0, 1), last=3), (9, 8, 1)),
    "edges": (EdgeNet(width=4, dimension=8), (17, 16, 3)),
}
FULL = {
    "conv4": (Conv4(), (28, 28, 1)),
    "koch": (Koch(), (105, 105, 1)),
    "nn4small2": (NN4Small2(), (96, 96, 3)),
    "iresnet50": (IResNet(), (112, 112, 3)),
    "gradients": (HOG(), (48, 48, 1)),
    "residual": (ResidualConv(head="dense", normalize=True), (36, 36, 1)),
    "edges": (EdgeNet(), (64, 64, 1)),
}
tiny = pytest.mark.parametrize("name", TINY)
full = pytest.mark.parametrize("name", FULL)


@functools.cache
def abstract(encoder, shape, batch=2):
    return jax.eval_shape(lambda images: encoder.init_with_output(jax.random.key(0), images), jnp.zeros((batch, *shape)))


def variables_like(template, seed=0):
    """Random values without the compilation of an initializer; positive, as variances must be."""
    rng = np.random.default_rng(seed)

    def draw(leaf):
        scale = 0.5 / np.sqrt(np.prod(leaf.shape[:-1])) if leaf.ndim > 1 else 1.0
        return (rng.normal(size=leaf.shape) * scale + (leaf.ndim == 1)).astype(np.float32)

    return {
        "params": jax.tree.map(draw, template["params"]),
        "batch_stats": jax.tree.map(lambda leaf: np.abs(draw(leaf)) + np.float32(0.1), template.get("batch_stats", {})),
    }


@functools.cache
def prepared(name):
    """The encoder, its variables, and its jitted evaluation and training step."""
    encoder, shape = TINY[name]
    variables = variables_like(abstract(encoder, shape)[1])
    evaluate = jax.jit(lambda images: encoder.apply(variables, images)["embedding"])

    @jax.jit
    def step(images):
        def cost(params):
            activations, state = encoder.apply({**variables, "params": params}, images, train=True, mutable=["batch_stats"])
            return jnp.sum(activations["embedding"][0]), (activations["embedding"], state)

        return jax.grad(cost, has_aux=True)(variables["params"])

    images = np.random.default_rng(1).uniform(size=(3, *shape)).astype(np.float32)
    return variables, evaluate, step, images


@tiny
def test_two_images_pass_one_parameter_tree_and_swapping_them_leaves_the_distance(name):
    """F5."""
    _, embed, _, images = prepared(name)
    first, second = embed(images), embed(images[::-1])
    np.testing.assert_allclose(first, second[::-1], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(((first - second) ** 2).sum(-1), ((second - first) ** 2).sum(-1))


@tiny
def test_evaluation_of_an_image_does_not_depend_on_its_batch(name):
    _, embed, _, images = prepared(name)
    others = images.copy()
    others[1:] = 0.5
    np.testing.assert_allclose(embed(images)[0], embed(others)[0], rtol=1e-5, atol=1e-6)


@tiny
def test_normalize_gives_unit_length(name):
    encoder, _ = TINY[name]
    _, embed, _, images = prepared(name)
    norms = np.linalg.norm(embed(images), axis=-1)
    assert encoder.normalize == bool(np.allclose(norms, 1, atol=1e-6))


@tiny
def test_batch_statistics_move_in_training_only(name):
    variables, embed, step, images = prepared(name)
    _, (trained, state) = step(images)
    before, after = jax.tree.leaves(variables["batch_stats"]), jax.tree.leaves(state)
    assert all(not np.array_equal(*pair) for pair in zip(before, after, strict=True))
    assert bool(before) != np.allclose(trained, embed(images))


@tiny
def test_gradients_are_finite_for_blank_images(name):
    _, _, step, images = prepared(name)
    gradients, _ = step(np.zeros_like(images))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


@full
def test_the_code_has_128_dimensions_and_no_softmax_head(name):
    """F5."""
    encoder, shape = FULL[name]
    activations, _ = abstract(encoder, shape)
    dimension = 4096 if name == "koch" else 128
    assert activations["embedding"].shape == (2, dimension) == (2, encoder.dimension)
    assert activations["embedding"].dtype == jnp.float32
    assert dimension_of(encoder, shape) == dimension


@full
def test_parameters_and_embedding_are_float32_under_bfloat16(name):
    encoder, shape = FULL[name]
    activations, variables = abstract(encoder.clone(dtype="bfloat16"), shape)
    activations = dict(activations)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert activations.pop("embedding").dtype == jnp.float32
    assert {value.dtype for value in activations.values()} == {jnp.dtype("bfloat16")}


def test_bfloat16_embeds_nearly_as_float32():
    variables, embed, _, images = prepared("conv4")
    rounded = jax.jit(TINY["conv4"][0].clone(dtype="bfloat16").apply)(variables, images)["embedding"]
    # Eight bits of mantissa through five layers: a few percent of a unit vector.
    assert np.linalg.norm(embed(images) - rounded, axis=-1).max() < 0.05


def test_init_is_jittable_and_the_same_for_the_same_key():
    encoder, shape = TINY["conv4"]
    init = jax.jit(encoder.init)
    first, second = (init(jax.random.key(seed), jnp.zeros((1, *shape))) for seed in (0, 0))
    jax.tree.map(np.testing.assert_array_equal, first, second)
    assert not np.array_equal(
        first["params"]["conv1"]["kernel"],
        init(jax.random.key(1), jnp.zeros((1, *shape)))["params"]["conv1"]["kernel"],
    )


@full
def test_a_field_is_replaced_as_in_any_dataclass(name):
    encoder, _ = FULL[name]
    assert isinstance(encoder, nn.Module)
    assert dataclasses.replace(encoder, dimension=16).dimension == 16


@pytest.mark.parametrize("kind", [Conv4, Koch, NN4Small2, IResNet, HOG, ResidualConv, EdgeNet])
def test_tyro_overrides_a_field_and_shows_no_parent_or_name(kind, capsys):
    options = (tyro.conf.AvoidSubcommands,)
    encoder = tyro.cli(kind, args=["--dimension", "16", "--dtype", "bfloat16"], config=options)
    assert (encoder.dimension, encoder.dtype) == (16, "bfloat16")
    with pytest.raises(SystemExit):
        tyro.cli(kind, args=["--help"], config=options)
    text = capsys.readouterr().out
    assert "--dimension" in text
    assert "Scale the embedding" in text
    assert "--parent" not in text
    assert "--name" not in text


@pytest.mark.parametrize(
    ("kind", "fields", "named"),
    [
        (Conv4, {"width": 0}, "width"),
        (Conv4, {"dimension": -1}, "dimension"),
        (Koch, {"dimension": 0}, "dimension"),
        (NN4Small2, {"dimension": 0}, "dimension"),
        (IResNet, {"blocks": (1, 0, 1, 1)}, "blocks"),
        (ResidualConv, {"last": 0}, "last"),
        (ResidualConv, {"widths": ()}, "widths"),
        (ResidualConv, {"widths": (8, 8)}, "units"),
        (ResidualConv, {"units": (0, -1, 1)}, "units"),
        (HOG, {"cell": 0}, "cell"),
        (HOG, {"directions": 0}, "directions"),
        (EdgeNet, {"width": 0}, "width"),
        (EdgeNet, {"side": 2}, "side"),
        (EdgeNet, {"side": 1, "start": "differences"}, "side"),
        (EdgeNet, {"power": 0}, "power"),
    ],
)
def test_an_illegal_field_is_named(kind, fields, named):
    with pytest.raises(ValueError, match=rf"{kind.__name__}\.{named}"):
        kind(**fields)


@pytest.mark.parametrize(
    ("encoder", "minimum", "layer"),
    [
        (Conv4(), 16, "pool4"),
        (Koch(), 65, "conv4"),
        (NN4Small2(), 65, "inception_5a"),
        (IResNet(), 9, "layer4"),
        (HOG(), 8, "cells"),
        (ResidualConv(), 8, "pool3"),
        (EdgeNet(), 8, "cells"),
    ],
)
def test_an_image_too_small_is_refused_by_layer_and_size(encoder, minimum, layer):
    abstract(encoder, (minimum, minimum, 3))
    with pytest.raises(ValueError, match=rf"{minimum - 1}×{minimum - 1} .*{layer}.*{minimum}×{minimum}"):
        abstract(encoder, (minimum - 1, minimum - 1, 3))


def test_a_one_pixel_image_is_refused():
    with pytest.raises(ValueError, match="1×1 pixels are too small"):
        abstract(Conv4(), (1, 1, 3))


def test_bytes_and_single_images_are_refused():
    with pytest.raises(ValueError, match="divide 8-bit images by 255"):
        standardize(np.zeros((1, 4, 4, 1), np.uint8), "float32", signed=True)
    with pytest.raises(ValueError, match="batch of images"):
        standardize(np.zeros((4, 4, 1), np.float32), "float32", signed=True)


def test_l2_normalize_is_exact_and_smooth_at_zero():
    x = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    exact = x / np.linalg.norm(x.astype(np.float64), axis=-1, keepdims=True)
    np.testing.assert_allclose(l2_normalize(x), exact, atol=1e-7)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(l2_normalize(x))))(jnp.zeros((2, 8)))
    assert np.isfinite(gradient).all()
