"""YOLO's matching: which cell and which anchor of it an object belongs to, against a loop over objects."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.geometry import AnchorGrid, AnchorPyramid, MidpointCell, centers, shape_iou, sizes

ONE = (AnchorGrid(shapes=((20.0, 20.0), (12.0, 36.0), (40.0, 14.0)), stride=30),)
TWO = (AnchorGrid(shapes=((8.0, 8.0), (6.0, 14.0)), stride=15), AnchorGrid(shapes=((30.0, 30.0), (60.0, 25.0)), stride=30))


def oracle(cells: MidpointCell, maps, boxes, mask):
    """Objects in turn: the cell and the anchor of each, and whom nothing answers for."""
    owners: dict[tuple[int, int, int, int], int] = {}
    shapes = [shape for level in cells.levels for shape in level.shapes]
    level_of = [(i, a) for i, level in enumerate(cells.levels) for a in range(len(level.shapes))]
    rows = np.flatnonzero(mask).tolist()
    areas = np.prod(sizes(boxes), axis=1)
    if cells.precedence != "first":
        rows.sort(key=lambda row: areas[row] * (1 if cells.precedence == "smallest" else -1))
    for row in rows:
        x, y = centers(boxes[row])
        fit = shape_iou(sizes(boxes[row])[None], np.array(shapes))[0]
        level, _ = level_of[fit.argmax()]
        height, width = maps[level]
        stride = cells.levels[level].stride
        if not (0 <= x <= width * stride and 0 <= y <= height * stride):
            continue
        column = next(j for j in range(width) if x < (j + 1) * stride or j == width - 1)
        line = next(i for i in range(height) if y < (i + 1) * stride or i == height - 1)
        for best in np.argsort(-fit, kind="stable"):
            own, anchor = level_of[best]
            place = (level, line, column, anchor)
            if own == level and place not in owners:
                owners[place] = row
                break
            if cells.collision == "drop":
                break
    return owners


def as_places(cells: MidpointCell, maps, found) -> dict[tuple[int, int, int, int], int]:
    places = []
    for level, (rows, columns) in enumerate(maps):
        shapes = range(len(cells.levels[level].shapes))
        places += list(itertools.product([level], range(rows), range(columns), shapes))
    return {place: int(found.truth[i]) for i, place in enumerate(places) if found.foreground[i]}


def scene(seed: int, rows: int, height: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    middle = rng.uniform(0, [width, height], (rows, 2))
    # In eighths of a pixel float32 is exact, and which side of a border a midpoint is on is no matter of rounding.
    half = np.round(rng.uniform(3, 25, (rows, 2)) * 8) / 8
    middle = np.round(middle * 8) / 8
    middle[::3] = np.round(middle[::3] / 15) * 15
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    return boxes.astype(np.float32), rng.random(rows) < 0.8


@pytest.mark.parametrize("precedence", ["first", "largest", "smallest"])
@pytest.mark.parametrize("collision", ["drop", "next_anchor"])
@pytest.mark.parametrize(("levels", "maps"), [(ONE, [(3, 4)]), (TWO, [(6, 8), (3, 4)])], ids=["one", "pyramid"])
def test_equals_a_loop_over_objects(levels, maps, precedence, collision):
    cells = MidpointCell(levels=levels, precedence=precedence, collision=collision)
    run = jax.jit(lambda boxes, mask: cells(maps, boxes, mask))
    collided = 0
    for seed in range(25):
        boxes, mask = scene(seed, 14, 90, 120)
        expected, found = oracle(cells, maps, boxes.astype(np.float64), mask), run(boxes, mask)
        assert as_places(cells, maps, found) == expected
        answered = np.isin(np.arange(14), list(expected.values()))
        np.testing.assert_array_equal(found.missed, mask & ~answered)
        collided += int(found.missed.sum())
        shapes = np.concatenate([sizes(level(*size)).reshape(-1, 2) for level, size in zip(levels, maps, strict=True)])
        best = shape_iou(shapes, sizes(boxes.astype(np.float64)))[np.arange(len(shapes)), found.truth]
        np.testing.assert_allclose(found.quality, np.where(found.foreground, best, 0), atol=1e-5)
    assert collided


@pytest.mark.slow
def test_places_are_in_the_order_of_the_anchors():
    """The place that an object has is the anchor that stands there."""
    pyramid, maps = AnchorPyramid(levels=TWO), [(6, 8), (3, 4)]
    anchors = pyramid(maps)
    boxes, mask = scene(3, 10, 90, 120)
    found = MidpointCell(levels=TWO)(maps, boxes, mask)
    assert found.foreground.shape == (len(anchors),)
    for place in np.flatnonzero(found.foreground):
        level = TWO[0] if place < 6 * 8 * 2 else TWO[1]
        away = centers(boxes[found.truth[place]]) - centers(anchors[place])
        assert (np.abs(away) <= level.stride / 2).all()


@pytest.mark.slow
@pytest.mark.parametrize("side", [3, 7, 10, 13, 19])
def test_a_midpoint_on_a_border_or_at_one_is_in_one_cell(side):
    """D-h. usnistgov/dioptra#1328: at 1.0 the index was the number of cells. eriklindernoren/PyTorch-YOLOv3#384: the same.
    A midpoint on a border belongs to the cell that begins there, and the last cell owns the end of the image."""
    for stride in (1, 7, 10, 30):
        grid = AnchorGrid(shapes=((stride, stride),), stride=stride)
        marks = np.arange(side + 1, dtype=np.float32) * stride
        middle = np.stack(np.meshgrid(marks, marks, indexing="xy"), axis=-1).reshape(-1, 2)
        boxes = np.concatenate([middle - stride / 2, middle + stride / 2], axis=1).astype(np.float32)
        cells = MidpointCell(levels=(grid,))
        found = jax.vmap(lambda box, cells=cells: cells([(side, side)], box[None], jnp.array([True])))(jnp.asarray(boxes))
        assert (found.foreground.sum(axis=1) == 1).all() and not found.missed.any()
        place = np.asarray(found.foreground).argmax(axis=1)
        expected = np.minimum(np.arange(side + 1), side - 1)
        np.testing.assert_array_equal(place.reshape(side + 1, side + 1), expected[:, None] * side + expected)


@pytest.mark.slow
def test_a_midpoint_just_before_a_border_is_in_the_cell_before():
    grid = AnchorGrid(shapes=((30.0, 30.0),), stride=30)
    for x, column in ((29.999998, 0), (30.0, 1), (59.999996, 1), (60.0, 2), (90.0, 2), (0.0, 0)):
        box = np.array([[x - 8, 37, x + 8, 53]], np.float32)
        # The midpoint as float32 has it.
        middle = float(centers(jnp.asarray(box))[0, 0])
        if middle != np.float32(x):
            continue
        found = MidpointCell(levels=(grid,))([(3, 3)], box, np.array([True]))
        assert np.flatnonzero(found.foreground).tolist() == [3 + column]


def test_a_midpoint_outside_of_the_image_is_in_no_cell():
    grid = AnchorGrid(shapes=((30.0, 30.0),), stride=30)
    for box in ([[-30, 20, -1, 40]], [[20, -30, 40, -2]], [[85, 20, 96, 40]], [[20, 85, 40, 95.5]]):
        found = MidpointCell(levels=(grid,))([(3, 3)], np.array(box, np.float32), np.array([True]))
        assert not found.foreground.any() and found.missed.all()


@pytest.mark.slow
def test_two_objects_of_different_shapes_share_a_cell_and_two_alike_collide():
    """D-m: n × n × A places; what collides is counted."""
    cells = MidpointCell(levels=(AnchorGrid(shapes=((10.0, 28.0), (28.0, 10.0)), stride=30),))
    tall, wide = [40, 31, 50, 59], [31, 40, 59, 50]
    found = cells([(3, 3)], np.array([tall, wide], np.float32), np.array([True, True]))
    assert as_places(cells, [(3, 3)], found) == {(0, 1, 1, 0): 0, (0, 1, 1, 1): 1} and not found.missed.any()
    three = np.array([tall, wide, [41, 32, 51, 60]], np.float32)
    found = cells([(3, 3)], three, np.ones(3, bool))
    assert as_places(cells, [(3, 3)], found) == {(0, 1, 1, 0): 0, (0, 1, 1, 1): 1}
    np.testing.assert_array_equal(found.missed, [False, False, True])
    alike = np.array([tall, [41, 32, 51, 60]], np.float32)
    moved = MidpointCell(levels=cells.levels, collision="next_anchor")([(3, 3)], alike, np.ones(2, bool))
    assert as_places(cells, [(3, 3)], moved) == {(0, 1, 1, 0): 0, (0, 1, 1, 1): 1} and not moved.missed.any()


@pytest.mark.parametrize("collision", ["drop", "next_anchor"])
def test_padding_and_empty_images(collision):
    cells = MidpointCell(levels=ONE, collision=collision)
    run = jax.jit(lambda boxes, mask: cells([(3, 4)], boxes, mask))
    for rows in (0, 4):
        found = run(np.full((rows, 4), np.nan, np.float32), np.zeros(rows, bool))
        assert found.background.all() and not found.missed.any()
    boxes, mask = scene(1, 9, 90, 120)
    for padding in (np.nan, np.inf, 1e30, -7.0):
        other = np.where(mask[:, None], boxes, np.float32(padding))
        jax.tree.map(np.testing.assert_array_equal, run(boxes, mask), run(other, mask))
    degenerate = np.array([[10, 10, 10, 20], [5, 5, 25, 25]], np.float32)
    found = run(degenerate, np.array([True, True]))
    np.testing.assert_array_equal(found.missed, [True, False])
    assert found.foreground.sum() == 1


@pytest.mark.slow
def test_a_batch_is_a_vmap():
    cells = MidpointCell(levels=TWO, precedence="largest", collision="next_anchor")
    maps = [(6, 8), (3, 4)]
    boxes, mask = (np.stack(each) for each in zip(*(scene(seed, 10, 90, 120) for seed in range(3)), strict=True))
    found = jax.jit(jax.vmap(lambda own, real: cells(maps, own, real)))(boxes, mask)
    for i in range(3):
        one = cells(maps, boxes[i], mask[i])
        jax.tree.map(lambda whole, own, i=i: np.testing.assert_array_equal(whole[i], own), found, one)


def test_wrong_fields_are_refused():
    with pytest.raises(ValueError, match="levels is empty"):
        MidpointCell(levels=())
    with pytest.raises(ValueError, match='center="middle"'):
        MidpointCell(levels=(AnchorGrid(shapes=((8.0, 8.0),), stride=8, center="corner"),))
    with pytest.raises(ValueError, match="2 levels of anchors and 1 maps"):
        MidpointCell(levels=TWO)([(6, 8)], *scene(0, 4, 90, 120))
    for field in ("precedence", "collision"):
        broken = MidpointCell(levels=ONE)
        object.__setattr__(broken, field, "none")
        with pytest.raises(ValueError, match=f"{field} must be one of"):
            broken.__post_init__()
