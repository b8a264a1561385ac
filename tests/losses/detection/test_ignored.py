"""Ignored objects, COCO's crowds and VOC's difficult ones: nothing is taught where they are, and they are no foreground."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from detection_losses import CASES, KEY, PYRAMID, finite, same
from detection_truth import noise, truth

from likeness.research.geometry import BalancedSample
from likeness.research.geometry.ignored import Ignored, places_on, regions_on
from likeness.research.losses import RoiHeadLoss, RoiSampling, RpnLoss

EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
CROWD = np.array([22, 22, 48, 48], np.float32)


def given_with(ignored_box=CROWD, own_box=(1.0, 2.0, 11.0, 13.0), images: int = 3) -> dict[str, np.ndarray]:
    """An object far from an ignored one, in each image, and a row that is neither."""
    boxes = np.broadcast_to(np.array([own_box, ignored_box, [np.nan] * 4], np.float32), (images, 3, 4)).copy()
    rows = np.broadcast_to(np.array([True, False, False]), (images, 3)).copy()
    return {"boxes": boxes, "classes": np.zeros((images, 3), np.int32), "mask": rows, "ignored": np.roll(rows, 1, axis=1)}


def on_crowd(case, outputs) -> list[np.ndarray]:
    """Which outputs are of a place on the crowd, level by level, by a loop."""
    where = []
    for level, grid in zip(jax.tree.leaves(outputs), PYRAMID.levels, strict=False):
        on = np.zeros(level.shape, bool)
        for row, column in np.ndindex(level.shape[1:3]):
            middle = (np.array([column, row]) + 0.5) * grid.stride
            if not isinstance(case.loss, RpnLoss):
                around = (np.array([column, row]) == (CROWD[:2] + CROWD[2:]) / 2 // grid.stride).all()
                on[:, row, column] = ((middle > CROWD[:2]) & (middle < CROWD[2:])).all() or around
                continue
            for number, shape in enumerate(np.array(grid.shapes)):
                sides = np.minimum(middle + shape / 2, CROWD[2:]) - np.maximum(middle - shape / 2, CROWD[:2])
                on[:, row, column, number] = np.maximum(sides, 0).prod() >= 0.5 * shape.prod()
        where.append(on)
    return where


@EVERY
def test_what_is_said_on_an_ignored_object_changes_neither_loss_nor_gradient(case):
    given, outputs = given_with(), case.outputs(3, 0)
    run = jax.jit(jax.value_and_grad(case.value_and_diagnostics, has_aux=True))
    (value, found), gradient = run(outputs, given)
    where, leaves = on_crowd(case, outputs), jax.tree.leaves(outputs)
    assert all(on.any() and not on.all() for on in where)
    for on, slope in zip(where, jax.tree.leaves(gradient), strict=True):
        np.testing.assert_array_equal(np.asarray(slope)[on], 0.0)
    for seed, scale in enumerate((1.0, 30.0, 1e3)):
        moved = [np.where(on, noise(*one.shape, seed=seed, scale=scale), one) for one, on in zip(leaves, where, strict=True)]
        other = jax.tree.unflatten(jax.tree.structure(outputs), moved)
        same(run(other, given), ((value, found), gradient))
    # Elsewhere nothing is background the less, and without the ignored object all of it is.
    alone = {name: each for name, each in given.items() if name != "ignored"}
    (whole, _), slopes = run(outputs, alone)
    assert found["foreground"] >= 1 and found["objects"] == 3
    assert any(np.asarray(slope)[on].any() for on, slope in zip(where, jax.tree.leaves(slopes), strict=True))
    if not isinstance(case.loss, RpnLoss):
        assert value < whole
        for on, slope, full in zip(where, jax.tree.leaves(gradient), jax.tree.leaves(slopes), strict=True):
            np.testing.assert_array_equal(np.where(on, 0.0, slope), np.where(on, 0.0, full))


@EVERY
def test_an_ignored_object_is_never_foreground_and_an_object_on_it_is(case):
    run = jax.jit(case.value_and_diagnostics)
    outputs = case.outputs(3, 1)
    # All of the image is a crowd, and in it there is an object.
    given = given_with((0.0, 0.0, 48.0, 48.0), (24.0, 24.0, 36.0, 36.0))
    _, found = run(outputs, given)
    _, alone = run(outputs, {name: each for name, each in given.items() if name != "ignored"})
    assert found["foreground"] == alone["foreground"] >= 3 and found["objects"] == 3 and found["missed"] == 0
    # Nothing but the crowd: nothing is learned at all.
    nobody = given | {"mask": np.zeros_like(given["mask"])}
    (value, found), gradient = jax.jit(jax.value_and_grad(case.value_and_diagnostics, has_aux=True))(outputs, nobody)
    assert found["foreground"] == found["objects"] == 0
    if not isinstance(case.loss, RpnLoss):
        # Of anchors of the border less than half may be in the image.
        assert value == 0 and not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradient))


@EVERY
def test_no_ignored_object_is_as_if_nobody_had_said_so(case):
    run = jax.jit(jax.value_and_grad(case.value_and_diagnostics, has_aux=True))
    for seed in range(3):
        given, outputs = truth(seed), case.outputs(3, seed)
        same(run(outputs, given | {"ignored": np.zeros_like(given["mask"])}), run(outputs, given))


@EVERY
def test_ignored_rows_that_are_no_boxes_cover_nothing(case):
    run = jax.jit(jax.value_and_grad(case.value_and_diagnostics, has_aux=True))
    given, outputs = given_with(), case.outputs(3, 2)
    expected = run(outputs, given)
    given["ignored"][:, 2] = True
    for wrong in ([np.nan] * 4, [0, 0, 0, 0], [9, 9, 3, 3], [5, 5, np.inf, 9]):
        given["boxes"][:, 2] = wrong
        result = run(outputs, given)
        assert finite(result)
        same(result, expected)


@EVERY
def test_a_row_cannot_be_both(case):
    given, outputs = given_with(), case.outputs(3, 3)
    given["boxes"][:, 2] = [3, 3, 9, 9]
    with pytest.raises(ValueError, match="row 0 of image 1 is under the mask, so to be found, and is ignored as well"):
        both = given["ignored"].copy()
        both[1, 0] = True
        case(outputs, given | {"ignored": both})
    for wrong in (given["ignored"][:, :2], given["ignored"].astype(np.float32)):
        with pytest.raises(ValueError, match=rf"^{type(case.loss).__name__}: ignored must be"):
            case(outputs, given | {"ignored": wrong})


def test_places_on_an_object_smaller_than_a_cell():
    """No middle of a cell is inside of it, so the cell that holds its middle says nothing."""
    small = Ignored(jnp.array([[[13.0, 25.0, 16.0, 28.0]]]), jnp.array([[True]]))
    on = places_on(small, jnp.asarray(cells()))
    assert np.argwhere(np.asarray(on).reshape(4, 4)).tolist() == [[2, 1]]
    assert places_on(None, jnp.asarray(cells())) is None


def cells() -> np.ndarray:
    y, x = np.meshgrid(np.arange(4) * 12.0, np.arange(4) * 12.0, indexing="ij")
    return np.stack([x, y, x + 12, y + 12], axis=-1).astype(np.float32).reshape(-1, 4)


def test_regions_are_on_an_object_by_their_own_area():
    """As COCO's evaluation has it of crowds: a large region around a small ignored object is not on it, a part of one is."""
    crowd = Ignored(jnp.array([[[10.0, 10.0, 30.0, 30.0], [0.0, 0.0, 40.0, 40.0]]]), jnp.array([[True, False]]))
    regions = jnp.array(
        [
            [12.0, 12.0, 16.0, 16.0],
            [0.0, 10.0, 20.0, 20.0],
            [0.0, 10.0, 19.9, 20.0],
            [0.0, 0.0, 40.0, 40.0],
            [12.0, 12.0, 12.0, 16.0],
        ]
    )
    assert regions_on(crowd, regions).tolist() == [[True, True, False, False, False]]
    assert regions_on(crowd, regions[None]).tolist() == [[True, True, False, False, False]]


@pytest.mark.slow
def test_proposals_on_an_ignored_object_are_not_drawn():
    sampling = RoiSampling(classes=3, sample=BalancedSample(size=16))
    given = given_with()
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 38, (3, 40, 2))
    proposals = np.concatenate([corner, corner + rng.uniform(4, 10, corner.shape)], axis=-1).astype(np.float32)
    rois = jax.jit(sampling)(KEY, proposals, np.ones((3, 40), bool), **given)
    sides = np.minimum(rois.boxes[..., 2:], CROWD[2:]) - np.maximum(rois.boxes[..., :2], CROWD[:2])
    share = np.maximum(sides, 0).prod(axis=-1) / np.maximum((rois.boxes[..., 2:] - rois.boxes[..., :2]).prod(axis=-1), 1e-9)
    assert rois.valid.sum(axis=1).tolist() == [16, 16, 16] and (share < 0.5).all()
    # Without the word of it some are.
    del given["ignored"]
    rois = jax.jit(sampling)(KEY, proposals, np.ones((3, 40), bool), **given)
    assert (np.minimum(rois.boxes[..., 2:], CROWD[2:]) - np.maximum(rois.boxes[..., :2], CROWD[:2])).min(axis=-1).max() > 0
    # The object itself is drawn from the midst of a crowd.
    given = given_with((0.0, 0.0, 48.0, 48.0), (24.0, 24.0, 36.0, 36.0))
    rois = jax.jit(sampling)(KEY, proposals, np.ones((3, 40), bool), **given)
    assert (rois.valid == rois.foreground).all() and (rois.valid.sum(axis=1) >= 1).all()
    value = RoiHeadLoss(classes=3)(noise(3, 16, 4), noise(3, 16, 4), rois)
    assert np.isfinite(value)
