import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import NN4Small2
from likeness.research.encoders.inception import Inception


@functools.cache
def abstract(side, **fields):
    return jax.eval_shape(
        lambda images: NN4Small2(**fields).init_with_output(jax.random.key(0), images),
        jnp.zeros((2, side, side, 3)),
    )


@pytest.mark.slow
def test_parameter_count_is_openface_s():
    _, variables = abstract(96)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 3_733_968


def test_names_and_shapes():
    activations, _ = abstract(96)
    assert {name: value.shape[1:] for name, value in activations.items()} == {
        "conv1": (48, 48, 64),
        "pool1": (24, 24, 64),
        "norm1": (24, 24, 64),
        "conv2": (24, 24, 64),
        "conv3": (24, 24, 192),
        "norm2": (24, 24, 192),
        "pool2": (12, 12, 192),
        "inception_3a": (12, 12, 256),
        "inception_3b": (12, 12, 320),
        "inception_3c": (6, 6, 640),
        "inception_4a": (6, 6, 640),
        "inception_4e": (3, 3, 1024),
        "inception_5a": (3, 3, 736),
        "inception_5b": (3, 3, 736),
        "avgpool": (736,),
        "embedding": (128,),
    }


@pytest.mark.parametrize(("side", "border"), [(12, (3, 4)), (6, (2, 2))])
def test_the_pooled_column_is_centered_in_zeros(side, border):
    pool = "max" if side == 12 else "l2"
    module = Inception(three=(2, 4), pool=pool, one=3)
    x = 1 + np.random.default_rng(0).random((1, side, side, 5), np.float32)
    output, _ = jax.jit(functools.partial(module.init_with_output, train=False))(jax.random.key(1), x)
    pooled = np.asarray(output)[0, :, :, 4:9]
    inner = slice(border[0], side - border[1])
    assert (pooled[inner, inner] > 0).all()
    assert np.count_nonzero(pooled) == pooled[inner, inner].size


@pytest.mark.slow
def test_an_untrained_network_embeds_at_unit_length_and_trains():
    encoder = NN4Small2(dimension=8)
    images = np.random.default_rng(1).random((2, 65, 65, 3), np.float32)
    variables = jax.eval_shape(lambda: encoder.init(jax.random.key(0), images))
    variables = jax.tree.map(
        lambda leaf: np.random.default_rng(leaf.size).uniform(0.01, 0.1, leaf.shape).astype(np.float32),
        variables,
    )

    @jax.jit
    def embed(variables):
        activations, state = encoder.apply(variables, images, train=True, mutable=["batch_stats"])
        return activations["embedding"], state

    embedding, state = embed(variables)
    np.testing.assert_allclose(jnp.linalg.norm(embedding, axis=-1), 1, atol=1e-6)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))
