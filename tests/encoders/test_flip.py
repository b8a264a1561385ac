import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import Conv4, FlipEmbedding

IMAGES = np.random.default_rng(0).random((3, 16, 16, 1), np.float32)


def both(normalize=True):
    encoder = Conv4(width=4, dimension=6)
    mirrored = FlipEmbedding(encoder=encoder, normalize=normalize)
    variables = mirrored.init(jax.random.key(0), IMAGES)
    return encoder, {name: tree["encoder"] for name, tree in variables.items()}, mirrored, variables


@pytest.mark.slow
@pytest.mark.parametrize("normalize", [True, False])
def test_embedding_is_the_sum_over_both_images(normalize):
    encoder, inner, mirrored, variables = both(normalize)
    embed = [np.asarray(encoder.apply(inner, x)["embedding"], np.float64) for x in (IMAGES, IMAGES[:, :, ::-1])]
    expected = sum(embed) / (np.linalg.norm(sum(embed), axis=1, keepdims=True) if normalize else 2)
    np.testing.assert_allclose(mirrored.apply(variables, IMAGES)["embedding"], expected, atol=1e-6)


def test_an_image_and_its_mirror_image_have_one_embedding():
    _, _, mirrored, variables = both()
    embed = [mirrored.apply(variables, x)["embedding"] for x in (IMAGES, IMAGES[:, :, ::-1])]
    np.testing.assert_array_equal(*embed)


def test_trains_as_the_encoder_alone():
    encoder, inner, mirrored, variables = both()
    alone, _ = encoder.apply(inner, IMAGES, train=True, mutable=["batch_stats"])
    wrapped, changed = mirrored.apply(variables, IMAGES, train=True, mutable=["batch_stats"])
    assert set(alone) == set(wrapped)
    np.testing.assert_array_equal(alone["embedding"], wrapped["embedding"])
    assert not jnp.array_equal(
        *(tree["encoder"]["norm1"]["mean"] for tree in (changed["batch_stats"], variables["batch_stats"]))
    )
