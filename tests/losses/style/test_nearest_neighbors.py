"""Neural neighbors against their definition in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from float64 import as_arrays, averaged, check, check_joined, cost, maps, smooth_mask
from joined import LAYERS, cosine, generic
from scipy.ndimage import map_coordinates

from likeness.research.losses import NearestNeighbors, NeuralNeighbors
from likeness.research.losses.style.hypercolumns import draw_places
from likeness.research.losses.style.nearest_neighbors import nearest_neighbors


def grid(activations: dict[str, np.ndarray], height: int, width: int, weights=None) -> np.ndarray:
    """Hypercolumns at the centers of a grid, each layer divided by its channels."""
    rows, across = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    read = []
    for index, x in enumerate(activations.values()):
        at = [
            np.clip(rows.ravel() * x.shape[0] - 0.5, 0, x.shape[0] - 1),
            np.clip(across.ravel() * x.shape[1] - 0.5, 0, x.shape[1] - 1),
        ]
        factor = 1 / x.shape[2] if weights is None else weights[index]
        read += [
            factor * map_coordinates(x[:, :, c], at, order=1, mode="nearest", output=np.float64) for c in range(x.shape[2])
        ]
    return np.stack(read, axis=1)


@pytest.mark.parametrize("weights", [(), (2.0, 1.0, 0.5)], ids=["by channels", "given"])
@pytest.mark.parametrize("stride", [4, 2])
def test_value_and_gradient_equal_the_oracle(stride: int, weights):
    loss = NeuralNeighbors(layers=tuple(LAYERS), stride=stride, weights=weights)
    size = 12 // stride, 8 // stride

    def oracle(x, y):
        x, y = (grid(each, *size, weights or None) for each in (x, y))
        nearest = cosine(x - x.mean(0), y - y.mean(0)).argmin(1)
        return np.mean(np.diag(cosine(x, y[nearest])))

    check_joined(loss, oracle, generic(0, images=2), generic(1))


def test_masks_weigh_places_and_leave_out_those_of_the_style():
    loss = NeuralNeighbors(layers=tuple(LAYERS), stride=2)
    mask, other = smooth_mask(3), smooth_mask(4)
    weights, inside = averaged(mask, (6, 4)).ravel(), averaged(other, (6, 4)).ravel() >= 0.5

    def oracle(x, y):
        x, y = (grid(each, 6, 4) for each in (x, y))
        y = y[inside]
        nearest = cosine(x - x.mean(0), y - y.mean(0)).argmin(1)
        return (weights * np.diag(cosine(x, y[nearest]))).sum() / weights.sum()

    check_joined(loss, oracle, generic(0), generic(1), mask=mask, reference_mask=other)


@pytest.mark.slow
def test_an_image_is_held_to_the_partners_of_its_query():
    loss = NeuralNeighbors(layers=tuple(LAYERS), stride=2)
    x, y, query = (as_arrays(generic(seed)) for seed in range(3))
    target = loss.target(y)
    matches = loss.match(query, target)
    rows = [grid({layer: z[0] for layer, z in generic(seed).items()}, 6, 4) for seed in range(3)]
    expected = cosine(rows[2] - rows[2].mean(0), rows[1] - rows[1].mean(0)).argmin(1)
    np.testing.assert_array_equal(matches, expected[None])
    value = np.mean(np.diag(cosine(rows[0], rows[1][expected])))
    assert loss.matched(x, target, matches) == pytest.approx(value, rel=1e-5)
    assert loss(x, target) == loss.matched(x, target, loss.match(x, target))


@pytest.mark.slow
def test_the_search_in_chunks_finds_the_same():
    generator = np.random.default_rng(0)
    queries, references = (jnp.asarray(generator.normal(size=(n, 5)), jnp.float32) for n in (103, 60))
    inside = jnp.asarray(generator.uniform(size=60) > 0.3, jnp.float32)
    found = nearest_neighbors(queries, references, inside, 10)
    np.testing.assert_array_equal(found, nearest_neighbors(queries, references, inside))
    assert np.all(np.asarray(inside)[found] == 1)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [NeuralNeighbors(layers=tuple(LAYERS)), NearestNeighbors(layers=tuple(LAYERS))])
def test_of_several_references_each_has_parts_to_give(loss):
    """Joined they are as near as the nearest of them, but for the center; with itself among them an image costs nothing."""
    x, y = as_arrays(generic(0)), as_arrays(generic(1, maps={"input": (8, 12, 3), "relu1_1": (4, 6, 3), "relu2_1": (4, 3, 2)}))
    joined = loss.join([loss.target(y), loss.target(x)])
    assert loss(x, joined) < 0.7 * loss(x, loss.target(y))
    twice = loss.join([loss.target(y), loss.target(y)])
    assert loss(x, twice) == pytest.approx(float(loss(x, loss.target(y))), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [4096, 6])
def test_each_layer_finds_its_own_nearest(samples: int):
    loss = NearestNeighbors(layers=("relu1_1", "relu2_1"), samples=samples, reference_samples=9)

    def oracle(x, y, m, n):
        index = 0 if x.shape[2] == 3 else 1
        rows = []
        for features, count in ((x, samples), (y, 9)):
            h, w, c = features.shape
            key = jax.random.fold_in(jax.random.key(0), index)
            rows.append(features.reshape(-1, c)[np.asarray(draw_places(key, jnp.ones((h, w)), min(count, h * w)))])
        return cosine(rows[0] - rows[0].mean(0), rows[1] - rows[1].mean(0)).min(1).mean()

    check({loss: oracle}, *({k: z for k, z in generic(s, images=b).items() if k != "input"} for s, b in ((0, 2), (1, 1))))


@pytest.mark.parametrize("loss", [NeuralNeighbors(layers=("relu1_1",)), NearestNeighbors(layers=("relu1_1",))])
def test_a_region_of_no_place_costs_nothing(loss):
    none = np.zeros((12, 8), np.float32)
    assert cost(loss, generic(0), generic(1), none) == cost(loss, generic(0), generic(1), None, none) == 0


def test_what_is_no_share_and_no_number_of_things_is_refused():
    with pytest.raises(ValueError, match="content=1.5"):
        NeuralNeighbors(layers=("a",), content=1.5)
    with pytest.raises(ValueError, match="stride=0"):
        NeuralNeighbors(layers=("a",), stride=0)
    with pytest.raises(ValueError, match="the target is"):
        NeuralNeighbors(layers=("relu1_1",))(
            as_arrays(maps(0)), NeuralNeighbors(layers=("relu1_1",)).target(as_arrays(maps(0, maps={"relu1_1": (6, 4, 5)})))
        )
