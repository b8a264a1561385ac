"""Landmark errors beside the formula, and what is not visible counts nowhere."""

import numpy as np
import pytest
from scipy import stats

from likeness.research.metrics.detection import box_sizes, distance_between, landmark_errors


def faces(seed=0, n=20, k=5):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 100, (n, k, 2))
    return truth + rng.normal(0, 2, truth.shape), truth, rng.uniform(20, 60, n)


def test_d_d_errors_are_the_formula():
    """D-d: the mean over landmarks of the distance, in units of the face."""
    predicted, truth, sizes = faces()
    found = landmark_errors(predicted, truth, sizes)
    for face in range(20):
        distances = [np.hypot(*(predicted[face, i] - truth[face, i])) for i in range(5)]
        assert found.errors[face] == pytest.approx(np.mean(distances) / sizes[face])
    low, high = stats.t.interval(0.95, 19, found.errors.mean(), stats.sem(found.errors))
    assert (found.nme.value, found.nme.low, found.nme.high) == pytest.approx((found.errors.mean(), low, high))
    assert found.points.mean() == pytest.approx(found.errors.mean()) and found.nme.n == 20


def test_what_is_not_visible_is_not_looked_at():
    predicted, truth, sizes = faces()
    visible = np.ones((20, 5), bool)
    visible[0, 2:], visible[1] = False, False
    truth[~visible] = np.nan
    found = landmark_errors(predicted, truth, sizes, visible)
    assert found.errors[0] == pytest.approx(np.linalg.norm(predicted[0, :2] - truth[0, :2], axis=1).mean() / sizes[0])
    assert np.isnan(found.errors[1]) and found.nme.n == 19
    with pytest.raises(ValueError, match="8 landmarks that count are not finite, the first in face 0"):
        landmark_errors(predicted, truth, sizes)


def test_failures_and_the_area_under_the_curve():
    truth = np.zeros((4, 1, 2))
    predicted = np.array([0.0, 0.5, 2.0, 1.0]).reshape(4, 1, 1) * [1.0, 0.0]
    found = landmark_errors(predicted, truth, np.full(4, 10.0))
    assert found.failures().value == 0.25 and found.failures(0.04).value == 0.75
    grid = np.linspace(0, 0.1, 100_001)
    curve = (found.errors[:, None] <= grid).mean(axis=0)
    assert found.area_under() == pytest.approx(np.trapezoid(curve, grid) / 0.1, abs=1e-4)
    assert found.area_under() == pytest.approx((1 + 0.5) / 4)


def test_sizes_of_faces():
    points = np.array([[[0.0, 0], [2, 0], [10, 0], [14, 0]]])
    assert distance_between(points, [0], [3]).tolist() == [14]
    assert distance_between(points, [0, 1], [2, 3]).tolist() == [11]
    assert box_sizes(np.array([[0.0, 0, 4, 9]])).tolist() == [6]


def test_what_makes_no_sense_is_refused():
    predicted, truth, sizes = faces()
    with pytest.raises(ValueError, match="sizes must be above 0, and 1 of 20 are not"):
        landmark_errors(predicted, truth, np.where(np.arange(20) == 3, 0, sizes))
    with pytest.raises(ValueError, match="truth must be numbers of shape"):
        landmark_errors(predicted, truth[:, :4], sizes)
    assert not landmark_errors(predicted[:1], truth[:1], sizes[:1]).nme.resolved
