"""Convolutions of images laid side by side against those of each image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.ops import convolution, side_by_side
from likeness.research.ops.convolution import convolve, convolve_plainly
from likeness.research.ops.side_by_side import side_by_side_pays


@pytest.mark.parametrize("width", [1, 20, 1000], ids=["each alone", "some", "all"])
@pytest.mark.parametrize("side", [3, 5])
def test_value_and_gradients_are_those_of_each_image(monkeypatch, width, side):
    monkeypatch.setattr(convolution, "side_by_side_pays", lambda *_: True)
    monkeypatch.setattr(side_by_side, "WIDTH", width)
    monkeypatch.setattr(side_by_side, "_cores", lambda: 1)
    rng = np.random.default_rng(side)
    x, weights, kernel = (
        jnp.asarray(rng.normal(size=size), jnp.float32) for size in ((6, 5, 7, 3), (6, 5, 7, 4), (side, side, 3, 4))
    )

    def everything(form):
        value, back = jax.vjp(lambda x, kernel: form(x, kernel, 1, side // 2), x, kernel)
        return value, *back(weights)

    ours, theirs = jax.jit(lambda: (everything(convolve), everything(convolve_plainly)))()
    for mine, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-5 * float(np.abs(expected).max()))


def test_it_is_for_several_cores_and_small_images_of_many_channels():
    kernel = (3, 3, 64, 64)
    assert side_by_side_pays((64, 32, 32, 64), kernel, cores=2)
    assert not side_by_side_pays((64, 32, 32, 64), kernel, cores=1)
    assert not side_by_side_pays((8, 112, 112, 64), kernel, cores=2)
    assert not side_by_side_pays((64, 32, 32, 64), (3, 3, 64, 256), cores=2)
    assert not side_by_side_pays((64, 64, 64, 3), (3, 3, 3, 64), cores=2)
    assert not side_by_side_pays((2, 8, 8, 64), kernel, cores=2)
