import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import Conv4, TestTimeAugmentation
from likeness.research.geometry.affine import look_up, places

IMAGES = np.random.default_rng(0).random((3, 16, 16, 1), np.float32)
ENCODER = Conv4(width=4, dimension=6, normalize=False)


INNER = jax.jit(ENCODER.init)
ALONE = jax.jit(lambda variables, images: ENCODER.apply(variables, images)["embedding"])


def wrapped(**fields):
    averaged = TestTimeAugmentation(encoder=ENCODER, views=3, **fields)
    inner = INNER(jax.random.key(0), IMAGES)
    return averaged, {name: {"encoder": tree} for name, tree in inner.items()}, inner


def test_the_variables_are_those_of_the_encoder():
    averaged, variables, _ = wrapped()
    own = jax.eval_shape(averaged.init, jax.random.key(0), IMAGES)
    assert jax.tree.map(jnp.shape, own) == jax.tree.map(jnp.shape, variables)


@pytest.mark.parametrize("normalize", [True, False])
def test_embedding_is_the_mean_over_the_image_and_its_moved_copies(normalize):
    averaged, variables, inner = wrapped(normalize=normalize, border="constant", fill=0.5)
    matrices, offsets = averaged.maps()
    total = np.asarray(ALONE(inner, IMAGES), np.float64)
    move = jax.jit(lambda matrix, offset: look_up(IMAGES, *places(matrix, offset, 16, 16), "constant", 0.5))
    for matrix, offset in zip(matrices, offsets, strict=True):
        total += ALONE(inner, move(jnp.stack([matrix] * 3), jnp.stack([offset] * 3)))
    expected = total / (np.linalg.norm(total, axis=1, keepdims=True) if normalize else 4)
    np.testing.assert_allclose(jax.jit(averaged.apply)(variables, IMAGES)["embedding"], expected, rtol=1e-5, atol=1e-6)


def test_maps_that_move_nothing_leave_the_encoder_as_it_is():
    averaged, variables, inner = wrapped(rotate=0.0, scale=1.0, shear=0.0, translate=0.0, normalize=False)
    np.testing.assert_allclose(jax.jit(averaged.apply)(variables, IMAGES)["embedding"], ALONE(inner, IMAGES), atol=1e-6)


def test_maps_stay_within_their_ranges():
    matrices, offsets = TestTimeAugmentation(
        encoder=ENCODER, views=500, rotate=20.0, scale=1.5, shear=0.0, translate=0.1
    ).maps()
    zoom = np.sqrt(np.linalg.det(matrices))
    assert 1 / 1.5 - 1e-5 <= zoom.min() < 0.7
    assert 1.45 < zoom.max() <= 1.5 + 1e-5
    angle = np.rad2deg(np.arctan2(matrices[:, 0, 1], matrices[:, 0, 0]))
    assert 19 < np.abs(angle).max() <= 20.001
    assert 0.095 < np.abs(offsets).max() <= 0.1


def test_trains_as_the_encoder_alone():
    averaged, variables, inner = wrapped()
    train = {"train": True, "mutable": ["batch_stats"]}
    alone, _ = jax.jit(lambda variables: ENCODER.apply(variables, IMAGES, **train))(inner)
    together, changed = jax.jit(lambda variables: averaged.apply(variables, IMAGES, **train))(variables)
    np.testing.assert_array_equal(alone["embedding"], together["embedding"])
    means = [tree["encoder"]["norm1"]["mean"] for tree in (changed["batch_stats"], variables["batch_stats"])]
    assert not jnp.array_equal(*means)


@pytest.mark.parametrize("field", [{"views": 0}, {"scale": 0.9}, {"rotate": -1.0}, {"shear": 70.0}, {"translate": 2.0}])
def test_illegal_ranges_are_refused(field):
    with pytest.raises(ValueError, match=f"TestTimeAugmentation.{next(iter(field))}"):
        TestTimeAugmentation(encoder=ENCODER, **field)
