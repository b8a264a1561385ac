"""Segmentation by a graph: against a loop that takes one edge after the other, and by what must hold of any result."""

import itertools

import numpy as np
import pytest

from likeness.research.geometry import GraphSegmentation
from likeness.research.geometry.segmentation import smoothed


def by_loop(image: np.ndarray, scale: float, least: int) -> np.ndarray:
    """The paper's algorithm 1 as it is written, with sets of pixels."""
    height, width = image.shape[:2]
    values = image.astype(np.float64)
    edges = []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        # In reading order of the upper left pixel, or of the upper right one.
        for y, x in itertools.product(range(height), range(width)):
            if 0 <= y + dy < height and 0 <= x + dx < width:
                a, b = (y, x), (y + dy, x + dx)
                edges.append((float(np.sqrt(((values[a] - values[b]) ** 2).sum())), a, b))
    edges.sort(key=lambda edge: edge[0])
    region = {pixel: frozenset([pixel]) for pixel in itertools.product(range(height), range(width))}
    inner = dict.fromkeys(region.values(), 0.0)

    def join(a: frozenset, b: frozenset, weight: float) -> None:
        both = a | b
        inner[both] = weight
        region.update(dict.fromkeys(both, both))

    for weight, p, q in edges:
        a, b = region[p], region[q]
        if a != b and weight <= min(inner[a] + scale / len(a), inner[b] + scale / len(b)):
            join(a, b, weight)
    for weight, p, q in edges:
        a, b = region[p], region[q]
        if a != b and min(len(a), len(b)) < least:
            join(a, b, weight)
    numbers: dict[frozenset, int] = {}
    for pixel in itertools.product(range(height), range(width)):
        numbers.setdefault(region[pixel], len(numbers))
    return np.array([[numbers[region[y, x]] for x in range(width)] for y in range(height)])


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_loop_over_all_edges(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 14, 2)
    # Few values, so that many weights are equal.
    image = rng.integers(0, rng.choice([3, 40, 256]), (height, width, 3)).astype(np.uint8)
    scale, least = float(rng.choice([1.0, 30.0, 300.0])), int(rng.choice([1, 4, 20]))
    found = GraphSegmentation(scale=scale, min_size=least, smoothing=0.0)(image)
    np.testing.assert_array_equal(found, by_loop(image, scale, least))


def test_smoothing_is_a_gaussian_that_keeps_what_is_even():
    image = np.random.default_rng(0).uniform(0, 255, (20, 30, 3))
    ndimage = pytest.importorskip("scipy.ndimage")
    expected = ndimage.gaussian_filter(image, (0.8, 0.8, 0), mode="nearest", radius=(4, 4, 0))
    np.testing.assert_allclose(smoothed(image, 0.8), expected, rtol=1e-10)
    np.testing.assert_allclose(smoothed(np.full((2, 3, 1), 7.0), 2.0), 7.0, rtol=1e-12)


def test_regions_are_numbered_connected_and_large_enough():
    image = np.random.default_rng(3).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    labels = GraphSegmentation(scale=200.0, min_size=15)(image)
    sizes = np.bincount(labels.ravel())
    assert sizes.min() >= 15 and len(sizes) > 3
    assert (np.diff(np.unique(labels, return_index=True)[1]) > 0).all()
    ndimage = pytest.importorskip("scipy.ndimage")
    for number in range(len(sizes)):
        assert ndimage.label(labels == number, np.ones((3, 3)))[1] == 1


def test_a_larger_scale_makes_fewer_regions():
    image = np.random.default_rng(1).integers(0, 256, (30, 30, 3)).astype(np.uint8)
    counts = [GraphSegmentation(scale=scale, min_size=1)(image).max() for scale in (1.0, 100.0, 1e4, 1e7)]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1] == 0


@pytest.mark.parametrize(
    "image", [np.zeros((1, 1, 3)), np.zeros((1, 40, 1)), np.full((9, 9, 3), 255.0), np.full((5, 4, 2), 1e300)]
)
def test_what_has_no_edges_is_one_region(image):
    assert (GraphSegmentation()(image) == 0).all()


def test_the_same_image_gives_the_same_regions_and_is_left_as_it_is():
    image = np.random.default_rng(2).integers(0, 256, (30, 20, 3)).astype(np.uint8)
    before = image.copy()
    assert (GraphSegmentation()(image) == GraphSegmentation()(image[:].copy())).all()
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 4)), r"shape \(h, w, c\)"),
        (np.zeros((0, 4, 3)), "has no pixels"),
        (np.full((4, 4, 3), np.nan), "not finite"),
        (np.zeros((4, 4, 3), bool), "must be numbers"),
    ],
)
def test_what_is_no_image_is_refused(image, said):
    with pytest.raises(ValueError, match=said):
        GraphSegmentation()(image)


@pytest.mark.parametrize("fields", [{"scale": 0.0}, {"scale": float("nan")}, {"min_size": 0}, {"smoothing": -1.0}])
def test_fields_out_of_range_are_refused(fields):
    with pytest.raises(ValueError, match=r"GraphSegmentation"):
        GraphSegmentation(**fields)
