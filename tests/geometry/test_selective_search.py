"""Regions that are joined to a hierarchy, and the boxes that are proposed of it."""

import numpy as np
import pytest

from likeness.research.data.detection import Shapes
from likeness.research.geometry import GraphSegmentation, HierarchicalGrouping, SelectiveSearch, pairwise


def noise(seed: int, *shape: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (shape[0] // 8 + 1, shape[1] // 8 + 1, 3))
    return coarse.repeat(8, 0).repeat(8, 1)[: shape[0], : shape[1]].astype(np.uint8)


def follow(image: np.ndarray, labels: np.ndarray, bins: int, parents: np.ndarray) -> None:
    """Takes the steps of a hierarchy, and asks before each whether no pair is more alike, by sums from all pixels."""
    masks = {number: labels == number for number in range(labels.max() + 1)}

    def alike(a: np.ndarray, b: np.ndarray) -> float:
        color = 0.0
        for channel in range(image.shape[2]):
            own, other = (np.histogram(image[mask][:, channel], bins, (0, 256))[0] / mask.sum() for mask in (a, b))
            color += np.minimum(own, other).sum() / image.shape[2]
        ys, xs = np.nonzero(a | b)
        box = (ys.max() - ys.min() + 1) * (xs.max() - xs.min() + 1)
        return color + 1 - (a.sum() + b.sum()) / labels.size + 1 - (box - a.sum() - b.sum()) / labels.size

    def touch(a: np.ndarray, b: np.ndarray) -> bool:
        grown = np.zeros(np.add(a.shape, 2), bool)
        for dy in range(3):
            for dx in range(3):
                grown[dy : dy + a.shape[0], dx : dx + a.shape[1]] |= a
        return bool((grown[1:-1, 1:-1] & b).any())

    for number in range(labels.max() + 1, len(parents)):
        sums = {(a, b): alike(masks[a], masks[b]) for a in masks for b in masks if a < b and touch(masks[a], masks[b])}
        a, b = np.flatnonzero(parents == number).tolist()
        assert sums[a, b] >= max(sums.values()) - 1e-9
        masks[number] = masks.pop(a) | masks.pop(b)
    assert len(masks) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_those_are_joined_that_are_most_alike(seed):
    image = noise(seed, 24, 31)
    labels = GraphSegmentation(scale=20.0, min_size=8)(image)
    assert 4 < labels.max() < 60
    found = HierarchicalGrouping(by=("color", "size", "fill"), color_bins=7)(image, labels)
    follow(image, labels, 7, found.parents)


def test_regions_add_up_and_boxes_hold_them():
    image = noise(5, 40, 30)
    labels = GraphSegmentation(scale=20.0, min_size=6)(image)
    found = HierarchicalGrouping()(image, labels)
    first = labels.max() + 1
    assert len(found.sizes) == 2 * first - 1
    assert found.sizes[-1] == labels.size and found.boxes[-1].tolist() == [0, 0, 30, 40]
    np.testing.assert_array_equal(found.sizes[:first], np.bincount(labels.ravel()))
    for number in range(first, len(found.sizes)):
        own = found.parents == number
        assert own.sum() == 2 and found.sizes[own].sum() == found.sizes[number]
        np.testing.assert_array_equal(found.boxes[own][:, :2].min(axis=0), found.boxes[number, :2])
        np.testing.assert_array_equal(found.boxes[own][:, 2:].max(axis=0), found.boxes[number, 2:])
        assert len(set(found.likeness[own].tolist())) == 1
    assert (found.likeness >= 0).all() and (found.likeness <= 4).all()


def test_texture_tells_stripes_from_a_plain():
    image = np.full((20, 30, 1), 100, np.uint8)
    image[:, 10:20:2] = 140
    image[:, 20:] = 120
    labels = np.repeat([0, 1, 2], 10)[None].repeat(20, 0)
    near = HierarchicalGrouping(by=("texture",))(image, labels[:, ::-1].max() - labels)
    assert near.likeness[0] < 2
    plain = HierarchicalGrouping(by=("texture",))(np.full((20, 30, 1), 100, np.uint8), labels)
    assert plain.likeness[0] == pytest.approx(1.0)


@pytest.mark.slow
def test_drawn_shapes_are_among_the_first_proposals():
    examples = Shapes(train=40, validation=1, test=1).open()
    search = SelectiveSearch(colors=("rgb",), scales=(100.0,), limit=32)
    best = [
        np.asarray(pairwise(examples.boxes_of(row).astype(np.float64), search(examples.read(row)).astype(np.float64))).max(1)
        for row in range(40)
    ]
    assert (np.concatenate(best) >= 0.5).mean() >= 0.97


@pytest.mark.parametrize("size", [(480, 640), (90, 33), (1, 1), (1, 300), (64, 64)])
def test_boxes_lie_in_the_image_and_none_comes_twice(size):
    image = noise(1, *size)
    found = SelectiveSearch(limit=50)(image)
    assert found.dtype == np.float32 and 1 <= len(found) <= 50
    assert (found >= 0).all() and (found <= np.tile(size[::-1], 2)).all()
    assert (found[:, :2] < found[:, 2:]).all()
    assert len(np.unique(found, axis=0)) == len(found)
    np.testing.assert_array_equal(found[0], [0, 0, size[1], size[0]])
    np.testing.assert_array_equal(found, SelectiveSearch(limit=50)(image.copy()))


def test_fewer_proposals_are_the_first_of_more_and_gray_is_a_color():
    image = noise(2, 60, 60)
    np.testing.assert_array_equal(SelectiveSearch(limit=7)(image), SelectiveSearch(limit=500)(image)[:7])
    gray = image[..., :1]
    np.testing.assert_array_equal(SelectiveSearch()(gray), SelectiveSearch()(gray.repeat(3, axis=2)))


@pytest.mark.parametrize("value", [0, 114, 255])
def test_an_even_image_is_proposed_as_a_whole(value):
    assert SelectiveSearch()(np.full((30, 40, 3), value, np.uint8)).tolist() == [[0, 0, 40, 30]]


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 4), np.uint8)],
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ValueError, match=r"SelectiveSearch"):
        SelectiveSearch()(image)


@pytest.mark.parametrize(
    "fields",
    [
        {"longest": 0},
        {"limit": 0},
        {"min_size": 0},
        {"smoothing": -1.0},
        {"colors": ()},
        {"scales": (0.0,)},
    ],
)
def test_fields_out_of_range_are_refused(fields):
    with pytest.raises(ValueError, match=r"SelectiveSearch"):
        SelectiveSearch(**fields)


@pytest.mark.parametrize("fields", [{"by": ()}, {"by": ("color", "color")}, {"color_bins": 0}])
def test_groupings_that_compare_nothing_are_refused(fields):
    with pytest.raises(ValueError, match=r"HierarchicalGrouping"):
        HierarchicalGrouping(**fields)


def test_regions_without_pixels_are_refused():
    for labels in (np.full((4, 4), 1), np.array([[0, 2]] * 4), np.zeros((3, 4), int)):
        with pytest.raises(ValueError, match=r"HierarchicalGrouping"):
            HierarchicalGrouping()(np.zeros((4, labels.shape[1], 3)), labels)
