"""Differences over crossed contents and styles: known cases, and how often the interval holds the truth."""

import numpy as np
import pytest
import scipy.stats

from likeness.research.metrics.crossed import crossed_difference


@pytest.mark.parametrize("shape", [(6, 1), (1, 6)])
def test_of_one_style_or_one_content_it_is_a_paired_t_test(shape) -> None:
    draw = np.random.default_rng(0)
    first, second = draw.normal(0.3, 1.0, shape), draw.normal(0.0, 1.0, shape)
    found, expected = crossed_difference(first, second), scipy.stats.ttest_rel(first.ravel(), second.ravel())
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high, found.p_value) == pytest.approx((interval.low, interval.high, expected.pvalue))
    assert found.value == pytest.approx(float((first - second).mean()))


def test_what_is_common_to_both_methods_cancels() -> None:
    draw = np.random.default_rng(1)
    pairs = draw.normal(size=(5, 7))
    found = crossed_difference(pairs + 0.1, pairs)
    assert found.value == pytest.approx(0.1) and found.resolved
    assert (found.low, found.high) == pytest.approx((0.1, 0.1), abs=1e-6)
    assert not crossed_difference(pairs, pairs).resolved
    assert crossed_difference(pairs, pairs).p_value == 1.0


def test_one_pair_says_nothing() -> None:
    found = crossed_difference(np.array([[1.0]]), np.array([[0.5]]))
    assert np.isnan(found.low) and not found.resolved and found.value == 0.5
    assert found.text() == "+0.500, too few for an interval"


@pytest.mark.slow
@pytest.mark.parametrize("spreads", [(0.0, 0.0, 1.0), (1.0, 0.0, 0.5), (0.5, 1.0, 0.5)])
def test_the_interval_holds_the_truth_as_often_as_it_says(spreads) -> None:
    """Contents, styles and the rest vary as much as said, all drawn anew. Pairs taken for independent hold it less."""
    draw, trials, held, naive = np.random.default_rng(2), 2000, 0, 0
    for _ in range(trials):
        shape = (5, 7)
        parts = (draw.normal(size=(5, 1)), draw.normal(size=(1, 7)), draw.normal(size=shape))
        differences = sum(spread * part for spread, part in zip(spreads, parts, strict=True)) + np.zeros(shape)
        found = crossed_difference(differences, np.zeros(shape))
        held += found.low <= 0 <= found.high
        interval = scipy.stats.ttest_1samp(differences.ravel(), 0).confidence_interval(0.95)
        naive += interval.low <= 0 <= interval.high
    assert 0.93 <= held / trials <= 0.99
    assert spreads[:2] == (0.0, 0.0) or naive / trials < 0.85


@pytest.mark.parametrize(
    ("first", "second"),
    [(np.ones(3), np.ones(3)), (np.ones((2, 2)), np.ones((2, 3))), (np.full((1, 1), np.nan), np.ones((1, 1)))],
)
def test_what_is_no_pair_of_tables_is_refused(first, second) -> None:
    with pytest.raises(ValueError, match="crossed_difference: measurements of the shapes"):
        crossed_difference(first, second)
