"""The course's YOLO: the notes' target number by number, and the loss against a loop in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from detection_truth import SIZE, check_against, noise, truth

from likeness.research.geometry import AnchorGrid, MidpointCell
from likeness.research.losses import CourseYoloLoss

PEDESTRIAN, CAR, MOTORBIKE = 0, 1, 2
NOTES = CourseYoloLoss(anchors=AnchorGrid(shapes=((24.0, 60.0), (72.0, 30.0)), stride=30), classes=3)
"""3 × 3 cells of an image of 90 × 90 pixels; the first anchor is tall, as a pedestrian is, and the second wide, as a car is."""

LOSS = CourseYoloLoss(
    anchors=AnchorGrid(shapes=((10.0, 10.0), (10.0, 22.0), (22.0, 10.0)), stride=12),
    classes=3,
    object_weight=2.0,
    background_weight=0.5,
    box_weight=3.0,
    class_weight=1.5,
)


def scene() -> dict[str, np.ndarray]:
    """A pedestrian before a car, both with their midpoints in the lower middle cell, and a motorbike in the upper right one."""
    boxes = np.array([[[33, 39, 54, 90], [9, 60, 84, 84], [66, 6, 87, 24], [0, 0, 0, 0]]], np.float32)
    return {
        "boxes": boxes,
        "classes": np.array([[PEDESTRIAN, CAR, MOTORBIKE, 0]]),
        "mask": np.array([[True, True, True, False]]),
    }


@pytest.mark.slow
def test_the_target_of_the_notes_number_by_number():
    """D-o: 3 × 3 × 2 × 8, [p_c, b_x, b_y, b_h, b_w, c_1, c_2, c_3] for each of two anchors."""
    target = np.asarray(NOTES.targets(**scene(), rows=3, columns=3))
    assert target.shape == (1, 3, 3, 2, 8)
    expected = np.zeros((3, 3, 2, 8))
    # The pedestrian: its midpoint (43.5, 64.5) is in the cell that begins at (30, 60), .45 and .15 of a cell from there; it is
    # 51 pixels high and 21 wide, 1.7 and .7 cells. A height in cells may exceed 1.
    expected[2, 1, 0] = [1, 0.45, 0.15, 1.7, 0.7, 1, 0, 0]
    # The car has the other anchor of the same cell: midpoint (46.5, 72), 24 high and 75 wide.
    expected[2, 1, 1] = [1, 0.55, 0.4, 0.8, 2.5, 0, 1, 0]
    # The motorbike: midpoint (76.5, 15) in the cell that begins at (60, 0), 18 high and 21 wide, and of the two anchors the
    # tall one, 24 × 60, overlaps 21 × 18 by 378 / 1440 and the wide one, 72 × 30, by 378 / 2160.
    expected[0, 2, 0] = [1, 0.55, 0.5, 0.6, 0.7, 0, 0, 1]
    np.testing.assert_allclose(target[0], expected, atol=1e-6)
    # What is given back is what there was.
    decoded = np.asarray(NOTES.boxes(target)).reshape(3, 3, 2, 4)
    for place, row in (((2, 1, 0), 0), ((2, 1, 1), 1), ((0, 2, 0), 2)):
        np.testing.assert_allclose(decoded[place], scene()["boxes"][0, row], atol=1e-4)


def test_the_network_that_says_the_target_costs_nothing():
    target = NOTES.targets(**scene(), rows=3, columns=3)
    value, found = NOTES.value_and_diagnostics(target, **scene())
    assert value == 0
    assert (found["objects"], found["foreground"], found["missed"]) == (3, 3, 0)
    # One that is wrong by a half in everything pays for eight numbers at three places, and for one at fifteen.
    assert NOTES(target + 0.5, **scene()) == pytest.approx(0.25 * (3 * 8 + 15))


def test_every_object_is_in_one_cell_and_comes_back():
    """D-h: the round trip through target and outputs, to 1e-4 of a pixel, for objects without rivals."""

    def of(given):
        target = LOSS.targets(**given, rows=4, columns=4)
        cells = MidpointCell(levels=(LOSS.anchors,))([(4, 4)], given["boxes"][0], given["mask"][0])
        return target, LOSS.value_and_diagnostics(target, **given)[1], cells, LOSS.boxes(target)[0]

    run = jax.jit(of)
    for seed in range(30):
        given = truth(seed, images=1, rows=3)
        target, found, assignment, decoded = run(given)
        assert found["foreground"] + found["missed"] == found["objects"]
        places = np.flatnonzero(assignment.foreground)
        np.testing.assert_allclose(decoded[places], given["boxes"][0, assignment.truth[places]], atol=1e-4, rtol=0)
        own = np.asarray(target).reshape(-1, 8)[places]
        assert (own[:, 1:3] >= 0).all() and (own[:, 1:3] <= 1).all()


def oracle(outputs: np.ndarray, given: dict[str, np.ndarray]) -> float:
    total = 0.0
    for image in range(len(outputs)):
        place = MidpointCell(levels=(LOSS.anchors,))([(4, 4)], given["boxes"][image], given["mask"][image])
        flat = outputs[image].reshape(-1, 8)
        for i in range(len(flat)):
            if not place.foreground[i]:
                total += LOSS.background_weight * flat[i, 0] ** 2
                continue
            x1, y1, x2, y2 = given["boxes"][image, place.truth[i]].astype(np.float64)
            row, column = np.unravel_index(i // 3, (4, 4))
            box = [(x1 + x2) / 24 - column, (y1 + y2) / 24 - row, (y2 - y1) / 12, (x2 - x1) / 12]
            one_hot = np.eye(3)[given["classes"][image, place.truth[i]]]
            total += LOSS.object_weight * (flat[i, 0] - 1) ** 2
            total += LOSS.box_weight * ((flat[i, 1:5] - box) ** 2).sum()
            total += LOSS.class_weight * ((flat[i, 5:] - one_hot) ** 2).sum()
    return total / len(outputs)


@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_equal_a_loop(seed):
    given = truth(seed)
    check_against(lambda y: LOSS(y, **given), lambda y: oracle(y, given), noise(3, 4, 4, 3, 8, seed=seed))


def test_a_tensor_of_targets_gives_the_same_and_its_undefined_entries_do_not_matter():
    """D-b in every cell."""
    given, outputs = truth(1), noise(3, 4, 4, 3, 8)
    target = np.asarray(jax.jit(lambda given: LOSS.targets(**given, rows=4, columns=4))(given))
    run = jax.jit(jax.value_and_grad(LOSS.of_targets))
    value, gradient = run(outputs, target)
    assert value == pytest.approx(float(jax.jit(LOSS)(outputs, **given)), rel=1e-6)
    for undefined in (np.nan, np.inf, 4.0):
        other = np.where((target[..., :1] == 0) & (np.arange(8) > 0), np.float32(undefined), target)
        found, other_gradient = run(outputs, other)
        assert found == value
        np.testing.assert_array_equal(gradient, other_gradient)


@pytest.mark.slow
def test_collisions_are_counted():
    """D-m."""
    box = [10, 10, 20, 20]
    given = {"boxes": np.array([[box, box, box]], np.float32), "classes": np.zeros((1, 3), int), "mask": np.ones((1, 3), bool)}
    _, found = LOSS.value_and_diagnostics(noise(1, 4, 4, 3, 8), **given)
    assert (found["objects"], found["foreground"], found["missed"]) == (3, 1, 2)
    moved = CourseYoloLoss(anchors=LOSS.anchors, classes=3, collision="next_anchor")
    _, found = moved.value_and_diagnostics(noise(1, 4, 4, 3, 8), **given)
    assert (found["objects"], found["foreground"], found["missed"]) == (3, 3, 0)


@pytest.mark.slow
def test_a_midpoint_at_the_end_of_the_image_is_in_the_last_cell():
    """usnistgov/dioptra#1328, eriklindernoren/PyTorch-YOLOv3#384."""
    given = {
        "boxes": np.array([[[SIZE - 5, SIZE - 5, SIZE + 5, SIZE + 5]]], np.float32),
        "classes": np.zeros((1, 1), int),
        "mask": np.ones((1, 1), bool),
    }
    target = np.asarray(LOSS.targets(**given, rows=4, columns=4))
    assert target[0, 3, 3, 0, 0] == 1 and target[..., 0].sum() == 1
    np.testing.assert_allclose(target[0, 3, 3, 0, 1:3], 1)


def test_one_output_for_all_cells_is_a_convolution():
    """D-i: (n, n, A·8) of one call equals the head applied to each cell by itself."""
    features, kernel = noise(1, 4, 4, 6), noise(6, 24, seed=1)
    together = jnp.einsum("bhwc,cf->bhwf", features, kernel).reshape(1, 4, 4, 3, 8)
    apart = np.stack([[(features[0, i, j] @ kernel).reshape(3, 8) for j in range(4)] for i in range(4)])
    np.testing.assert_allclose(together[0], apart, atol=1e-5)


def test_wrong_fields_are_refused():
    with pytest.raises(ValueError, match='center="middle"'):
        CourseYoloLoss(anchors=AnchorGrid(shapes=((8.0, 8.0),), stride=8, center="corner"), classes=3)
    with pytest.raises(ValueError, match=r"CourseYoloLoss: outputs must be numbers of shape \(b, rows, columns, 3, 8\)"):
        LOSS(noise(3, 4, 4, 24), **truth(0))
