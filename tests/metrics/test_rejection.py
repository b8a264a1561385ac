import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.metrics.pairs import all_pairs
from likeness.research.metrics.rejection import error_versus_reject, knowing_the_errors, norms


def pairs(seed: int = 0):
    """Images of low quality are noisier; their quality is how little."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(40), 6)
    noise = rng.uniform(0.2, 1.2, len(labels))
    codes = rng.normal(size=(40, 8))[labels] + noise[:, None] * rng.normal(size=(len(labels), 8))
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    return all_pairs(1 - codes @ codes.T, labels), -noise


def test_a_quality_that_knows_lowers_the_error_and_one_that_does_not_leaves_it():
    found, quality = pairs()
    args = found.distances, found.same, found.rows
    known = error_versus_reject(*args, quality, far=1e-2, people_pairs=found.people)
    blind = error_versus_reject(*args, np.random.default_rng(0).permutation(quality), far=1e-2)
    rates = [each.value for each in known.fnmr]
    assert rates == sorted(rates, reverse=True) and rates[-1] < 0.8 * rates[0]
    assert known.fnmr[0].value == blind.fnmr[0].value and known.threshold == blind.threshold
    assert known.area < blind.area
    assert blind.fnmr[-1].value == pytest.approx(blind.fnmr[0].value, rel=0.2)


def test_each_point_is_counted_on_what_is_kept():
    found, quality = pairs()
    curve = error_versus_reject(found.distances, found.same, found.rows, quality, far=1e-2, rejects=(0.0, 0.25))
    kept = np.argsort(quality)[60:]
    still = found.same & np.isin(found.rows, kept).all(axis=1)
    assert curve.fnmr[1].value == (found.distances[still] > curve.threshold).mean() and curve.fnmr[1].n == still.sum()
    strangers = np.sort(found.distances[~found.same])
    assert (
        (strangers <= curve.threshold).mean()
        <= 1e-2
        < (strangers <= np.nextafter(strangers[int(0.01 * len(strangers))], 9)).mean()
    )


def test_images_of_one_quality_go_together():
    found, _ = pairs()
    halves = (np.arange(240) % 6 < 3).astype(float)
    curve = error_versus_reject(found.distances, found.same, found.rows, halves, far=1e-2, rejects=(0.0, 0.1, 0.4))
    assert curve.fnmr[1].n == curve.fnmr[2].n == 40 * 3


def test_a_given_threshold_stays_and_strangers_are_counted_at_it():
    found, quality = pairs()
    args = found.distances, found.same, found.rows
    curve = error_versus_reject(*args, quality, rejects=(0.0, 0.25), threshold=0.3)
    kept = np.isin(found.rows, np.argsort(quality)[60:]).all(axis=1) & ~found.same
    assert curve.threshold == 0.3
    assert curve.fmr[1].value == (found.distances[kept] <= 0.3).mean() and curve.fmr[1].n == kept.sum()
    # Too few pairs for a rate are enough for a threshold that is there already.
    few = found.rows.max(axis=1) < 12
    assert len(error_versus_reject(*(each[few] for each in args), quality, threshold=0.3).fmr) == 5


def test_no_quality_foretells_more_than_the_errors_themselves():
    found, quality = pairs()
    args = found.distances, found.same, found.rows
    ideal = knowing_the_errors(*args, 240, 0.4)
    missed = found.same & (found.distances > 0.4)
    errors = np.array([(missed & (found.rows == image).any(axis=1)).sum() for image in range(240)])
    assert (np.ceil(ideal) == -errors).all() and len(np.unique(ideal)) == 240
    rates = [error_versus_reject(*args, each, threshold=0.4).area for each in (ideal, quality)]
    assert rates[0] < rates[1]


def test_norms_are_lengths_and_equal_ones_are_refused():
    assert norms(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [5.0, 0.0]
    found, quality = pairs()
    args = found.distances, found.same, found.rows
    with pytest.raises(UserError, match="same quality"):
        error_versus_reject(*args, np.ones(240) + 1e-7 * quality)
    with pytest.raises(UserError, match="1 of 240 qualities are NaN"):
        error_versus_reject(*args, np.where(np.arange(240) == 3, np.nan, quality))
    with pytest.raises(UserError, match="rising"):
        error_versus_reject(*args, quality, rejects=(0.2, 0.1))
    with pytest.raises(UserError, match="needs same-person pairs"):
        error_versus_reject(*args, quality, far=1e-9)
    with pytest.raises(UserError, match="not those of the images"):
        error_versus_reject(*args, quality[:9])
