"""Resampled AP beside evaluations of resampled images, and intervals beside simulated detectors."""

import numpy as np
import pytest
from detection_sets import random_coco

from likeness.experiments.benchmarks.detection_intervals import Detectors, simulate
from likeness.research.metrics.detection import (
    CocoEvaluator,
    GroundTruth,
    Predictions,
    coco_set,
    compare,
    per_class_intervals,
    precision_band,
    with_intervals,
)
from likeness.research.metrics.detection.resampling import ImageResampler
from likeness.research.metrics.intervals import wilson_interval


def distinct(seed, images=14):
    """Random files in which no two scores tie, so that copies of an image stand beside one another."""
    annotations, detections = random_coco(seed, images=images, ignore=True)
    order = np.random.default_rng(seed).permutation(len(detections))
    detections = [each | {"score": float(1 + place) / len(order)} for each, place in zip(detections, order, strict=True)]
    return coco_set(annotations, detections)


def drawn(read, weights, evaluator):
    rows = np.repeat(np.arange(len(read.truths)), weights)
    return evaluator([read.truths[i] for i in rows], [read.predictions[i] for i in rows], read.class_ids)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("area", "most"), [(0, 2), (1, 2), (2, 1), (0, 0)])
def test_resamples_equal_evaluations_of_resampled_images(seed, area, most):
    read, evaluator = distinct(seed), CocoEvaluator(max_detections=(1, 3, 100))
    evaluation = drawn(read, np.ones(14, int), evaluator)
    weights = np.random.default_rng(seed).multinomial(14, np.full(14, 1 / 14), size=4)
    weights = np.concatenate([np.ones((1, 14), int), weights])
    resampler = ImageResampler(evaluation, area, most)
    ap, recall = resampler(weights)
    tables = resampler.precision(weights, 3)
    for row, each in enumerate(weights):
        again = drawn(read, each, evaluator)
        expected = again.precision[..., area, most].mean(axis=1)
        known = again.recall[..., area, most] >= 0
        assert np.array_equal(np.isnan(ap[row]), ~known) and np.array_equal(np.isnan(recall[row]), ~known)
        np.testing.assert_allclose(ap[row][known], expected[known], rtol=0, atol=1e-12)
        np.testing.assert_allclose(recall[row][known], again.recall[..., area, most][known], rtol=0, atol=1e-12)
        some = known[3]
        np.testing.assert_allclose(tables[row][:, some], again.precision[3][:, some, area, most], rtol=0, atol=1e-12)


def test_many_resamples_are_taken_in_batches(monkeypatch):
    read = distinct(0)
    resampler = ImageResampler(drawn(read, np.ones(14, int), CocoEvaluator()))
    weights = np.random.default_rng(0).multinomial(14, np.full(14, 1 / 14), size=50)
    whole = resampler(weights)
    monkeypatch.setattr("likeness.research.metrics.detection.resampling._CELLS", 100)
    for one, other in zip(whole, resampler(weights), strict=True):
        np.testing.assert_array_equal(one, other)


def simulated(images=80, seed=0, qualities=(1.0,), **fields):
    truths, said = Detectors(**fields).draw(np.random.default_rng(seed), images, qualities)
    labels = np.arange(fields.get("classes", 3))
    return [CocoEvaluator()(truths, each, labels) for each in said]


def test_every_number_has_its_interval():
    (evaluation,) = simulated()
    numbers, found = evaluation.numbers, with_intervals(evaluation, tuple(evaluation.numbers))
    assert list(found) == list(numbers)
    for name, estimate in found.items():
        if numbers[name] < 0:
            assert not estimate.resolved and "nothing to be found" in estimate.why
        else:
            assert estimate.value == pytest.approx(numbers[name], abs=1e-9) and estimate.n == 80
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert with_intervals(evaluation) == with_intervals(evaluation)
    assert with_intervals(evaluation) != with_intervals(evaluation, seed=1)


def test_intervals_of_classes_are_wider_than_that_of_their_mean():
    (evaluation,) = simulated(classes=5)
    each = per_class_intervals(evaluation, "AP50")
    mean = with_intervals(evaluation, ("AP50",))["AP50"]
    assert list(each) == [0, 1, 2, 3, 4]
    assert np.mean([one.value for one in each.values()]) == pytest.approx(mean.value)
    assert min(one.high - one.low for one in each.values()) > mean.high - mean.low


def test_a_detector_without_mistakes_is_not_certain_to_make_none():
    boxes = np.array([[0.0, 0, 50, 50]])
    truths, guesses = [GroundTruth(boxes, np.array([0]))] * 40, [Predictions(boxes, np.array([0.9]), np.array([0]))] * 40
    estimate = with_intervals(CocoEvaluator()(truths, guesses), ("AP",))["AP"]
    # About as sure as forty trials that went well are.
    assert estimate.value == pytest.approx(1) and wilson_interval(1.0, 20)[0] < estimate.low < wilson_interval(1.0, 80)[0]
    nothing = with_intervals(CocoEvaluator()(truths, [Predictions.none()] * 40), ("AP",))["AP"]
    assert nothing.value == 0 and 0.03 < nothing.high < 0.2


def test_a_class_in_one_image_says_little():
    boxes = np.array([[0.0, 0, 50, 50]])
    truths = [GroundTruth(boxes, np.array([int(i == 0)])) for i in range(60)]
    guesses = [Predictions(boxes, np.array([0.9]), each.classes) for each in truths]
    found = per_class_intervals(CocoEvaluator()(truths, guesses))
    assert found[0].high - found[0].low < 0.15 and found[1].high - found[1].low > 0.6


def test_two_images_tell_nothing():
    (evaluation,) = simulated(images=2, seed=3)
    estimate = with_intervals(evaluation, ("AP",))["AP"]
    assert (estimate.low, estimate.high) == (0, 1)
    assert compare(evaluation, evaluation, ("AP",))["AP"].p_value == 1


@pytest.mark.slow
def test_an_interval_is_moved_down_by_what_few_images_add():
    """The middle of the interval lies below the number, by about the excess of 72 images over very many."""
    shifts, excess = [], []
    (many,) = simulated(4000, seed=99)
    for seed in range(20):
        (evaluation,) = simulated(72, seed)
        estimate = with_intervals(evaluation, ("AP",))["AP"]
        shifts.append(estimate.value - (estimate.low + estimate.high) / 2)
        excess.append(estimate.value - many.numbers["AP"])
    assert np.mean(shifts) == pytest.approx(np.mean(excess), abs=2 * np.std(excess) / np.sqrt(20)) and np.mean(shifts) > 0.005


def test_a_better_detector_is_told_from_a_worse_one_on_the_same_images():
    worse, better = simulated(150, qualities=(1.0, 1.6))
    found = compare(better, worse)["AP"]
    assert found.difference.low > 0 and found.p_value < 0.01
    assert found.first == better.numbers["AP"] and found.second == worse.numbers["AP"]
    assert found.difference.value == pytest.approx(found.first - found.second)
    turned = compare(worse, better)["AP"]
    assert turned.difference.high == pytest.approx(-found.difference.low) and turned.p_value == pytest.approx(found.p_value)
    alone = with_intervals(better, ("AP",))["AP"]
    assert found.difference.high - found.difference.low < 1.3 * (alone.high - alone.low)


def test_a_detector_does_not_differ_from_itself():
    (evaluation,) = simulated()
    found = compare(evaluation, evaluation)["AP50"]
    assert (found.difference.low, found.difference.value, found.difference.high, found.p_value) == (0, 0, 0, 1)


def test_only_what_was_evaluated_alike_is_compared():
    (one,), (other,) = simulated(30), simulated(30, seed=1)
    with pytest.raises(ValueError, match="not evaluated on the same truths by the same rules"):
        compare(one, other)
    with pytest.raises(ValueError, match="no number is named 'mAP': there are AP, AP50"):
        with_intervals(one, ("mAP",))


def test_numbers_that_are_not_there_are_unresolvable():
    truth = GroundTruth(np.array([[0.0, 0, 10, 10]]), np.array([0]))
    evaluation = CocoEvaluator(iou_thresholds=(0.5,))([truth] * 5, [Predictions.none()] * 5, np.array([0, 1]))
    assert not with_intervals(evaluation, ("AP75",))["AP75"].resolved
    assert not per_class_intervals(evaluation)[1].resolved
    assert not compare(evaluation, evaluation, ("APl",))["APl"].difference.resolved


def test_a_band_holds_its_curve():
    (evaluation,) = simulated()
    band = precision_band(evaluation)
    assert band.precision.mean() == pytest.approx(evaluation.numbers["AP50"]) and len(band.recalls) == 101
    assert np.all((band.low <= band.precision) & (band.precision <= band.high))
    assert np.all(np.diff(band.low) <= 1e-12) and np.all(np.diff(band.high) <= 1e-12)
    one = precision_band(evaluation, 0.75, class_id=1)
    assert one.precision.mean() == pytest.approx(evaluation.per_class()[1]["AP75"])
    with pytest.raises(ValueError, match="nothing to be found"):
        precision_band(CocoEvaluator()([GroundTruth(np.empty((0, 4)), np.empty(0, int))], [Predictions.none()]))


def test_the_simulation_that_prints_coverage_runs():
    found = simulate(Detectors(classes=2, objects=4.0), images=40, studies=4, better=3.0, many=300)
    assert list(found) == ["AP", "AP50"]
    for each in found.values():
        assert 0 < each.truth < 1 and each.held >= 0.5 and 0 < each.width < 0.5 and each.power >= 0.5
        assert abs(each.above) < 0.1 and 0 <= each.false_alarms <= 0.5
