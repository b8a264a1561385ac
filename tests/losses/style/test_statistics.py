"""Sums over pixels: what they are, and that an image's are those of its tiles added up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from float64 import MAPS, as_arrays, assert_close, averaged, maps, smooth_mask

from likeness.research.losses import AdditiveLayers, BlendsTargets, Covariance, Gram, MeanStd, Wasserstein
from likeness.research.losses.style.statistics import pixel_sums

LAYERS = tuple(MAPS)
LOSSES = [
    Gram(layers=LAYERS),
    Gram(layers=LAYERS, normalizer="course_unsquared"),
    MeanStd(layers=LAYERS),
    Covariance(layers=LAYERS),
    Wasserstein(layers=LAYERS, eps=0.01, iterations=4),
]


@pytest.mark.parametrize("moments", ["full", "diagonal"])
@pytest.mark.parametrize("masked", [False, True])
def test_sums_equal_numpy(moments, masked: bool):
    x = maps(0, images=2)["relu1_1"]
    mask = averaged(smooth_mask(1), x.shape[1:3]).astype(np.float32) if masked else None
    sums = jax.jit(pixel_sums, static_argnums=2)(jnp.asarray(x), None if mask is None else jnp.asarray(mask), moments)
    weighted = x.astype(np.float64) * (1.0 if mask is None else mask[..., None])
    squared = np.ones((6, 4)) if mask is None else mask.astype(np.float64) ** 2
    assert_close(sums["count"], np.full(2, squared.sum()), 1e-6)
    assert_close(sums["first"], np.einsum("bijk,ij->bk", x.astype(np.float64), squared), 1e-6)
    assert_close(
        sums["second"], np.einsum("bijk,bijl->bkl" if moments == "full" else "bijk,bijk->bk", weighted, weighted), 1e-6
    )


@pytest.mark.parametrize("loss", LOSSES, ids=lambda x: f"{type(x).__name__}-{x.normalizer}")
def test_tiles_add_up_to_the_image(loss: AdditiveLayers):
    """Value and gradient, from tiles that overlap by a halo which their masks leave out."""
    x, y = maps(0), maps(1)

    def cut(start: int, stop: int) -> dict[str, np.ndarray]:
        """Rows of the image, 12 high, at each layer."""
        return {layer: a[:, start * a.shape[1] // 12 : stop * a.shape[1] // 12] for layer, a in x.items()}

    tiles = [cut(0, 8), cut(0, 12), cut(4, 12)]
    kept = [np.repeat(rows, 4) for rows in ([1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0])]
    masks = [(rows[:, None] * np.ones((1, 8))).astype(np.float32) for rows in kept]

    @jax.jit
    def whole_and_in_tiles(x, y, tiles, masks):
        target = loss.target(y)
        parts, backs = zip(
            *(jax.vjp(lambda t, m=mask: loss.statistics(t, m), tile) for tile, mask in zip(tiles, masks, strict=True)),
            strict=True,
        )
        value, weights = jax.value_and_grad(loss.from_statistics)(jax.tree.map(lambda *a: sum(a), *parts), target)
        return jax.value_and_grad(loss)(x, target), value, [back(weights)[0] for back in backs]

    arrays = as_arrays(x), as_arrays(y), [as_arrays(tile) for tile in tiles], [jnp.asarray(mask) for mask in masks]
    (value, gradient), again, slopes = whole_and_in_tiles(*arrays)
    assert again == pytest.approx(float(value), rel=1e-5)
    rows = {layer: [] for layer in LAYERS}
    for part, own in zip(slopes, [(0, 4), (4, 8), (4, 8)], strict=True):
        for layer, slope in part.items():
            height = x[layer].shape[1]
            rows[layer].append(slope[:, own[0] * height // 12 : own[1] * height // 12])
    for layer in LAYERS:
        assert_close(np.concatenate(rows[layer], axis=1), np.asarray(gradient[layer], np.float64))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda x: f"{type(x).__name__}-{x.normalizer}")
def test_references_blend_into_the_mixture_of_their_places(loss: AdditiveLayers):
    """Of three references of equally many places, weighed by numbers of copies, it is what all of these together keep."""
    assert isinstance(loss, BlendsTargets)
    parts = [as_arrays(maps(seed)) for seed in (1, 2, 3)]
    copies = (1, 2, 1)
    together = {
        layer: jnp.concatenate([part[layer] for part, count in zip(parts, copies, strict=True) for _ in range(count)], axis=1)
        for layer in LAYERS
    }
    blended = loss.blend([loss.target(part) for part in parts], [count / 4 for count in copies])
    expected = loss.keep(loss.statistics(together))
    for layer in LAYERS:
        for name, kept in expected[layer].items():
            np.testing.assert_allclose(blended[layer][name], kept, rtol=2e-4, atol=2e-5)


def test_losses_share_their_statistics():
    """Gram, covariance and Wasserstein read the same sums, so an experiment needs them only once."""
    x = as_arrays(maps(0))
    first, *others = [
        jax.jit(loss.statistics)(x) for loss in (Gram(layers=LAYERS), Covariance(layers=LAYERS), Wasserstein(layers=LAYERS))
    ]
    for other in others:
        jax.tree.map(np.testing.assert_array_equal, first, other)
