"""The MRF loss against brute force in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from float64 import check, cost, maps, refuse, smooth_mask

from likeness.research.losses import MRF

LAYERS = {"relu3_1": (6, 4, 3), "relu4_1": (4, 4, 2)}
OTHER_SIZE = {"relu3_1": (5, 7, 3), "relu4_1": (3, 5, 2)}


def patches(x: np.ndarray, side: int = 3) -> np.ndarray:
    """Each patch as ((place, channel)), rows of places first."""
    height, width = x.shape[0] - side + 1, x.shape[1] - side + 1
    return np.stack([x[i : i + side, j : j + side].reshape(-1) for i in range(height) for j in range(width)])


def best(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Normalized cross-correlation, one pair at a time."""
    correlation = [[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in others] for a in own]
    return np.argmax(correlation, axis=1)


def oracle(normalizer: str):
    def value(x, y, m, n):
        own, others = patches(x), patches(y)
        weights, allowed = patches(m[..., None]).min(1), patches(n[..., None]).min(1) >= 0.5
        others = others[allowed]
        distance = (weights[:, None] * (own - others[best(own, others)]) ** 2).sum()
        scale = {
            "sum": 1.0,
            "mean": weights.sum() * own.shape[1],
            "relative": weights.sum() * (others**2).sum(1).mean(),
        }
        return distance / scale[normalizer]

    return value


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
def test_value_and_gradient_equal_the_oracle(masked: bool):
    region = np.ones((12, 8), np.float32)
    region[:, :1] = 0.2
    masks = {"mask": smooth_mask(3), "reference_mask": region} if masked else {}
    oracles = {MRF(layers=tuple(LAYERS), normalizer=each): oracle(each) for each in ("relative", "sum", "mean")}
    check(oracles, maps(0, images=2, maps=LAYERS), maps(1, maps=OTHER_SIZE), **masks)


@pytest.mark.parametrize("chunk", [1, 3, 8, 100])
def test_chunks_change_nothing(chunk: int):
    generator = np.random.default_rng(0)
    own, others = (generator.normal(size=(n, 6)).astype(np.float32) for n in (8, 11))
    inside = np.ones(11, np.float32)
    inside[2:5] = 0
    found = jax.jit(MRF(layers=("a",), chunk=chunk).nearest)(jnp.asarray(own), jnp.asarray(others), jnp.asarray(inside))
    expected = np.flatnonzero(inside)[best(own.astype(np.float64), others[inside > 0].astype(np.float64))]
    np.testing.assert_array_equal(found, expected)


def test_memory_is_bounded_by_the_chunk():
    """1024 patches against 1024: all correlations at once would be 4 MiB."""
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in [(1024, 9), (1024, 9), (1024,)]]
    memory = [jax.jit(MRF(layers=("a",), chunk=c).nearest).lower(*shapes).compile().memory_analysis() for c in (64, 1024)]
    assert memory[0].temp_size_in_bytes < 0.25 * memory[1].temp_size_in_bytes


def test_an_image_made_of_the_references_patches_costs_nothing():
    y = maps(1, maps={"relu3_1": (6, 9, 3)})
    assert cost(MRF(layers=("relu3_1",)), {"relu3_1": y["relu3_1"][:, 1:5, 2:8]}, y) == 0


def test_scale_of_the_features_does_not_change_the_match():
    """Normalized: a brighter copy of a patch is still its nearest."""
    y = maps(1, maps=LAYERS)
    doubled = {layer: 2 * x for layer, x in y.items()}
    assert cost(MRF(layers=tuple(LAYERS)), doubled, y) == pytest.approx(1, rel=1e-5)


def test_layers_smaller_than_a_patch_are_refused():
    with pytest.raises(ValueError, match="'relu4_1' is 4×4, smaller than a patch"):
        refuse(MRF(layers=("relu4_1",), patch=5), maps(0, maps=LAYERS), maps(1, maps=LAYERS))
    loss, large = MRF(layers=("a",), patch=4), {"a": np.ones((1, 6, 6, 2), np.float32)}
    refuse(loss, {"a": np.ones((1, 4, 4, 2), np.float32)}, large)
    for small in ((3, 6), (6, 3)):
        features = {"a": np.ones((1, *small, 2), np.float32)}
        for own, other in ((features, large), (large, features)):
            with pytest.raises(ValueError, match=f"'a' is {small[0]}×{small[1]}, smaller than a patch"):
                refuse(loss, own, other)
    with pytest.raises(ValueError, match="chunk must be at least 1"):
        MRF(layers=("relu4_1",), chunk=0)
