"""Intervals against SciPy, by formula, by simulation."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from likeness.research.errors import UserError
from likeness.research.metrics.intervals import Estimate, clopper_pearson, wilson, wilson_interval

quick = settings(deadline=None, max_examples=40)
counts = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@quick
@given(counts)
def test_wilson_equals_scipy(count):
    k, n = count
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(wilson(k, n).interval, expected, rtol=0, atol=1e-12)


@quick
@given(counts)
def test_clopper_pearson_equals_scipy(count):
    k, n = count
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    np.testing.assert_allclose(clopper_pearson(k, n).interval, expected, rtol=0, atol=1e-12)


@quick
@given(counts)
def test_wilson_ends_solve_the_score_equation(count):
    k, n = count
    z = stats.norm.ppf(0.975)
    for end in wilson(k, n).interval:
        np.testing.assert_allclose((k / n - end) ** 2, z * z * end * (1 - end) / n, rtol=0, atol=1e-12)


@quick
@given(counts)
def test_estimates_hold_their_value_and_stay_in_the_unit_interval(count):
    for estimate in (wilson(*count), clopper_pearson(*count)):
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert estimate.low < estimate.high
        assert estimate.n == count[1]


@pytest.mark.parametrize(("k", "low", "high"), [(32, 5.7, 11.1), (18, 2.9, 7.0), (13, 1.9, 5.5)])
def test_wilson_for_omniglot_400_trials(k, low, high):
    estimate = wilson(k, 400)
    assert (round(100 * estimate.low, 1), round(100 * estimate.high, 1)) == (low, high)


def test_coverage_by_exact_summation():
    n = 60
    for interval, least in ((clopper_pearson, 0.95), (wilson, 0.90)):
        ends = [interval(k, n).interval for k in range(n + 1)]
        for p in (0.05, 0.2, 0.5, 0.83):
            covered = [low <= p <= high for low, high in ends]
            assert stats.binom.pmf(np.arange(n + 1), n, p)[covered].sum() >= least


def test_no_trials_are_unresolvable():
    for estimate in (wilson(0, 0), clopper_pearson(0, 0)):
        assert estimate.value is None
        assert not estimate.resolved
        assert "no trials" in estimate.why


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(k, n):
    for interval in (wilson, clopper_pearson):
        with pytest.raises(UserError, match="not a rate"):
            interval(k, n)


def test_effective_trials_may_be_fractional():
    low, high = wilson_interval(0.1, 12.5)
    assert 0 < low < 0.1 < high < 1


@pytest.mark.parametrize(
    ("estimate", "percent", "text"),
    [
        (Estimate(0.031, 0.02, 0.046, 800), True, "3.1 % [2.0, 4.6] (n=800)"),
        (Estimate(0.9921, 0.9902, 0.9938, 6000), True, "99.21 % [99.02, 99.38] (n=6000)"),
        (Estimate(0.9731, 0.9652, 0.981, 90), False, "0.973 [0.965, 0.981] (n=90)"),
        (Estimate(0.5, 0.5, 0.5, 1), True, "50.00 % [50.00, 50.00] (n=1)"),
        (Estimate.unresolvable(3, "too few"), True, "unresolvable: too few"),
    ],
)
def test_text(estimate, percent, text):
    assert estimate.text(percent) == text


def test_json_round_trip():
    known, unknown = Estimate(0.5, 0.25, 0.75, 8), Estimate.unresolvable(3, "too few")
    assert known.to_json() == {"value": 0.5, "low": 0.25, "high": 0.75, "n": 8}
    assert unknown.to_json() == {"value": None, "low": None, "high": None, "n": 3, "why": "too few"}
    for estimate in (known, unknown):
        assert Estimate.from_json(json.loads(json.dumps(estimate.to_json()))) == estimate


def test_complement_swaps_the_ends():
    assert Estimate(0.75, 0.5, 0.875, 8).complement() == Estimate(0.25, 0.125, 0.5, 8)
    unknown = Estimate.unresolvable(3, "too few")
    assert unknown.complement() == unknown
    assert all(math.isnan(end) for end in unknown.interval)
