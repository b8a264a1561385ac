"""A classifier of crops, and the same weights over whole images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.encoders import WindowNetwork
from likeness.research.geometry import SlidingWindows, check_convolutional, receptive_fields, windows_of

NETWORKS = {
    "the course's": WindowNetwork(),
    "convolutions": WindowNetwork(window=20, widths=(6, 8, 8), sides=(3, 3, 3), pools=(1, 2, 1), hidden=(5,)),
    "two poolings": WindowNetwork(window=24, widths=(4, 6), sides=(5, 3), pools=(2, 2), hidden=(7, 3)),
    "a window that its layers do not fill": WindowNetwork(window=19, widths=(4, 6), sides=(3, 3), pools=(3, 1), hidden=(4,)),
    "no pooling": WindowNetwork(window=9, widths=(4,), sides=(4,), pools=(1,), hidden=(6, 6)),
}
both = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def weights(network):
    return network.init(jax.random.key(0), jnp.zeros((1, network.window, network.window, 3)))


@pytest.mark.slow
@both
def test_one_pass_says_what_the_crops_say(network):
    """D-g on five networks, to 1e-5, with the same parameters in both forms."""
    variables, last = weights(network), f"dense{len(network.hidden)}"
    whole = network.clone(form="convolutional")
    own = whole.init(jax.random.key(0), jnp.zeros((1, network.window, network.window, 3)))
    assert jax.tree.map(jnp.shape, own) == jax.tree.map(jnp.shape, variables)
    windows = SlidingWindows(size=network.window, stride=network.stride)
    said = jax.jit(lambda images: whole.apply(variables, images)[last])
    crops = jax.jit(lambda images: network.apply(variables, images)["embedding"])
    # Of noise in [0, 1], as images are.
    assert check_convolutional(said, windows, crops=crops) == network.stride
    image = np.random.default_rng(3).uniform(size=(2, network.window + 13, network.window + 22, 3)).astype(np.float32)
    cut = windows.crops(image)
    alone = crops(cut.reshape(-1, *cut.shape[3:])).reshape(*cut.shape[:3], -1)
    together = windows.of_map(said(image), *image.shape[1:3], network.stride)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert float(jnp.abs(alone).max()) > 0.1


@both
def test_the_geometry_is_that_of_the_maps(network):
    last = f"dense{len(network.hidden)}"
    field = receptive_fields(network)[last]
    assert field.stride == network.stride
    assert network.window - network.stride < field.size <= network.window
    assert windows_of(network, last).stride == network.stride
    whole = network.clone(form="convolutional")
    maps = jax.eval_shape(lambda v, x: whole.apply(v, x), weights(network), jnp.zeros((1, 37, 37, 3)))
    assert set(maps) == {layer.name for layer in network.geometry}


@both
def test_multiplications_are_those_of_the_loops(network):
    """Counted over the kernels and the maps that are really there."""
    variables = weights(network)["params"]
    whole = network.clone(form="convolutional")
    for side in (network.window, network.window + 14):
        maps = jax.eval_shape(lambda v, x: whole.apply(v, x), {"params": variables}, jnp.zeros((1, side, side, 3)))
        for name, count in network.multiplications(side, side).items():
            assert count == variables[name]["kernel"].size * np.prod(maps[name].shape[1:3])


def test_the_course_network_shares_a_quarter():
    """14 → 10 → 5 → 1, and 1.35 times the multiplications for crops, however large the image."""
    network = WindowNetwork()
    assert network.seen == 5
    alone = sum(network.multiplications(14, 14).values())
    for side, ratio in ((16, 1.21), (28, 1.33), (128, 1.36)):
        count = ((side - 14) // 2 + 1) ** 2
        assert count * alone / sum(network.multiplications(side, side).values()) == pytest.approx(ratio, abs=0.01)


def test_what_is_no_network_or_no_crop_is_refused():
    with pytest.raises(ValueError, match="one of each of the first three"):
        WindowNetwork(widths=(4, 4))
    with pytest.raises(ValueError, match="every number must be at least 1"):
        WindowNetwork(hidden=(0,))
    with pytest.raises(ValueError, match="window is 4, and its convolutions need crops of at least 6 pixels"):
        WindowNetwork(window=4)
    with pytest.raises(ValueError, match='a crop has 14×14 pixels, and these have 16×14.*form="convolutional"'):
        jax.eval_shape(lambda x: WindowNetwork().init(jax.random.key(0), x), jnp.zeros((1, 16, 14, 3)))
    with pytest.raises(ValueError, match="too small"):
        whole = WindowNetwork(form="convolutional")
        jax.eval_shape(lambda x: whole.init(jax.random.key(0), x), jnp.zeros((1, 13, 40, 3)))
