import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.encoders.layer_geometry import LayerGeometry, check_image, map_sides, smallest_side
from likeness.research.ops.pooling import max_pool

LAYERS = [
    LayerGeometry("conv", ("input",), 3, padding=1),
    LayerGeometry("pool1", ("conv",), 2, 2, needs=2),
    LayerGeometry("pool2", ("pool1",), 3, 2, ceil=True, needs=2),
]


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 20), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_the_sides_are_those_of_the_maps(side, window, stride, ceil):
    stride = min(stride, window)
    layer = LayerGeometry("pool", ("input",), window, stride, ceil=ceil)
    pooled = jax.eval_shape(lambda x: max_pool(x, window, stride, ceil=ceil), jnp.zeros((1, side, side, 1)))
    assert map_sides([layer], side) == {"input": side, "pool": pooled.shape[1]}


def test_smallest_side():
    assert smallest_side(LAYERS) == 4
    assert smallest_side(LAYERS[:1]) == 1


def test_a_small_image_is_refused_by_the_layer_it_does_not_reach():
    check_image("Net", LAYERS, np.zeros((1, 4, 9, 3)))
    with pytest.raises(ValueError, match=r"Net: images of 9×3 pixels .* pool2 gets a map of 4×1 and needs 2×2.* least 4×4"):
        check_image("Net", LAYERS, np.zeros((1, 9, 3, 3)))
