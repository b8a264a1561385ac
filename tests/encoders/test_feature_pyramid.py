"""A pyramid upon a backbone: its maps, whose variables are whose, and that published weights have their place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks64 import Network, random_variables, relu

from likeness.research.encoders import FeaturePyramid, PatchPyramid, ShuffleNetV2

BACKBONE = PatchPyramid(patch=2, widths=(4, 5, 6), blocks=(0, 0, 0), pyramid_width=3)
PYRAMID = FeaturePyramid(backbone=BACKBONE, layers=("stage4", "stage8"), finest=4, width=7)
IMAGES = np.random.default_rng(0).uniform(size=(2, 16, 24, 3)).astype(np.float32)


def test_the_pyramid_equals_numpy_on_the_maps_of_the_backbone():
    variables = random_variables(jax.eval_shape(PYRAMID.init, jax.random.key(0), IMAGES))
    own = {kind: tree["backbone"] for kind, tree in variables.items()}
    maps, found = jax.jit(BACKBONE.apply)(own, IMAGES), jax.jit(PYRAMID.apply)(variables, IMAGES)
    network = Network(variables)

    def layer(x, name):
        return relu(network.norm(network.convolve(x, name), f"{name}_norm"))

    coarse = layer(np.asarray(maps["stage8"], np.float64), "pyramid8_in")
    fine = layer(np.asarray(maps["stage4"], np.float64), "pyramid4_in") + coarse.repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(found["pyramid8"], coarse, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["pyramid4"], layer(fine, "pyramid4"), rtol=1e-4, atol=1e-4)
    assert set(found) == set(maps) | {"pyramid4", "pyramid8"}


@pytest.mark.slow
def test_the_backbones_variables_are_its_own():
    """Published weights are put there as they are."""
    pyramid = FeaturePyramid()
    shapes = jax.eval_shape(pyramid.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    alone = jax.eval_shape(ShuffleNetV2().init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    for kind in ("params", "batch_stats"):
        assert jax.tree.map(jnp.shape, shapes[kind]["backbone"]) == jax.tree.map(jnp.shape, alone[kind])
    assert pyramid.strides == (8, 16, 32)
    found = jax.eval_shape(lambda: pyramid.init_with_output(jax.random.key(0), jnp.zeros((1, 64, 96, 3))))[0]
    assert [found[f"pyramid{stride}"].shape for stride in pyramid.strides] == [(1, 8, 12, 96), (1, 4, 6, 96), (1, 2, 3, 96)]


def test_images_and_fields_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="FeaturePyramid: images of 48×64 pixels have a side that is no multiple of 32"):
        jax.eval_shape(FeaturePyramid().init, jax.random.key(0), jnp.zeros((1, 48, 64, 3)))
    with pytest.raises(ValueError, match=r"FeaturePyramid\.layers"):
        FeaturePyramid(layers=())
