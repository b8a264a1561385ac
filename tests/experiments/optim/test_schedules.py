"""Learning rates beside their formulas."""

import math

import numpy as np
import pytest

from likeness.experiments.optim.schedules import Constant, ExponentialDecay, WarmupCosine


def rates(schedule, updates):
    rate = schedule.over(updates)
    return [float(rate(t)) for t in range(updates + 1)]


@pytest.mark.parametrize(
    ("share", "updates", "rise"), [(0.0, 10, 0), (0.1, 40, 4), (0.25, 10, 2), (1 / 3, 300, 100), (0.5, 7, 4)]
)
def test_a_rise_from_zero_and_half_a_cosine_to_the_end(share, updates, rise):
    n, w, f = updates, rise, 0.05
    expected = [t / w if t < w else f + (1 - f) * (1 + math.cos(math.pi * (t - w) / (n - w))) / 2 for t in range(n + 1)]
    found = rates(WarmupCosine(peak_lr=0.2, warmup_share=share, final=f), updates)
    np.testing.assert_allclose(found, 0.2 * np.array(expected), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("updates", [1, 2, 3, 4])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.12, 0.5, 0.99])
def test_any_share_fits_any_run(share, updates):
    found = rates(WarmupCosine(peak_lr=0.2, warmup_share=share), updates)
    assert all(0 <= rate < 0.2001 for rate in found[:-1])
    # It comes to its peak within the run, and is down at its end.
    assert max(found[:-1]) == pytest.approx(0.2)
    assert found[-1] == pytest.approx(0.0, abs=1e-9)


def test_stairs():
    assert rates(ExponentialDecay(peak_lr=0.8, factor=0.5, every=3), 7) == pytest.approx([0.8] * 3 + [0.4] * 3 + [0.2] * 2)


def test_the_same_throughout():
    assert rates(Constant(peak_lr=0.3), 3) == pytest.approx([0.3] * 4)


def test_the_least_and_the_most_that_a_schedule_may_be():
    assert rates(ExponentialDecay(peak_lr=0.8, factor=1.0, every=1), 3) == pytest.approx([0.8] * 4)
    assert rates(ExponentialDecay(peak_lr=0.8, factor=0.5, every=1), 3) == pytest.approx([0.8, 0.4, 0.2, 0.1])
    assert rates(WarmupCosine(peak_lr=0.2, final=1.0), 3) == pytest.approx([0.2] * 4)
    assert rates(WarmupCosine(peak_lr=0.0), 2) == [0.0] * 3
    assert rates(Constant(peak_lr=0.0), 1) == [0.0] * 2


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ExponentialDecay(factor=1.01), "factor 1.01"),
        (lambda: ExponentialDecay(every=0), "every 0"),
        (lambda: ExponentialDecay(peak_lr=-1e-9), "the learning rate is -1e-09"),
        (lambda: WarmupCosine(final=-0.01), "WarmupCosine.final is a fraction of the peak and is -0.01"),
        (lambda: WarmupCosine(warmup_share=1.0), "WarmupCosine.warmup_share is a share of the run and is 1.0"),
        (lambda: WarmupCosine(warmup_share=-0.1), "give a number from 0 to below 1"),
        (lambda: WarmupCosine(warmup_share=20), "share of the run and is 20"),
        (lambda: WarmupCosine(final=1.5), "WarmupCosine.final is a fraction of the peak and is 1.5"),
        (lambda: ExponentialDecay(factor=0.0), "factor 0.0"),
        (lambda: Constant(peak_lr=float("nan")), "the learning rate is nan"),
    ],
)
def test_illegal_values_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
