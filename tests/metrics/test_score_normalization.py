"""Distances in units of what each side has to strangers."""

import numpy as np
import pytest

from likeness.research.distances import Cosine, SquaredEuclidean
from likeness.research.errors import UserError
from likeness.research.metrics.all_pairs import verify_all_pairs
from likeness.research.metrics.score_normalization import NORMS, CohortNormalized, normalized_distances
from likeness.research.metrics.sized_thresholds import thresholds_by_size

RNG = np.random.default_rng(0)


def oracle(distances, enrolled, tested, norm, nearest):
    """Pair by pair, with the statistics of the standard library."""
    import statistics

    found = np.empty(distances.shape)
    for i, row in enumerate(enrolled):
        for j, column in enumerate(tested):
            sides = []
            for side, name in ((row, "z"), (column, "t")):
                kept = sorted(side.tolist())[: nearest if norm == "adaptive" else None]
                if norm in (name, "s", "adaptive"):
                    sides.append((distances[i, j] - statistics.fmean(kept)) / statistics.pstdev(kept))
            found[i, j] = statistics.fmean(sides)
    return found


@pytest.mark.parametrize("norm", NORMS)
def test_each_norm_is_its_definition(norm):
    distances, enrolled, tested = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 30)), RNG.normal(size=(4, 30))
    found = normalized_distances(distances, enrolled, tested, norm, 7)
    np.testing.assert_allclose(found, oracle(distances, enrolled, tested, norm, 7), rtol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_a_scale_and_a_shift_of_all_distances_change_nothing(norm):
    given = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 30)), RNG.normal(size=(4, 30))
    moved = (5 * each + 2 for each in given)
    np.testing.assert_allclose(normalized_distances(*moved, norm, 5), normalized_distances(*given, norm, 5), atol=1e-12)


def test_an_image_that_is_near_to_everybody_is_told_from_one_that_is_nobodys():
    """Images of two qualities, a poor one among strangers at a smaller distance: one threshold serves both once they are
    normalized."""
    rng = np.random.default_rng(1)
    people, images, width = 60, 4, 16
    labels = np.repeat(np.arange(people), images)
    blur = np.where(np.arange(people * images) % 2, 0.0, 4.0)[:, None]
    common = np.eye(width)[0]
    vectors = (
        np.repeat(rng.normal(size=(people, width)), images, axis=0)
        + 0.5 * rng.normal(size=(len(labels), width))
        + blur * common
    )
    other = rng.normal(size=(300, width)) + np.where(np.arange(300) % 2, 0.0, 4.0)[:, None] * common
    plain = verify_all_pairs(vectors, labels, Cosine(), fars=(1e-2,))
    better = verify_all_pairs(vectors, labels, CohortNormalized(other.astype(np.float32)), fars=(1e-2,))
    name = next(name for name in plain if "eer" in name)
    assert better[name].value < 0.8 * plain[name].value


def test_what_has_no_unit_is_said():
    pair, one, other = np.ones((1, 1)), np.ones((1, 5)), np.arange(5.0)[None]
    with pytest.raises(UserError, match="Row 0 of the enrolled lies at one distance from all"):
        normalized_distances(pair, one, other)
    assert np.isfinite(normalized_distances(pair, one, other, "t")).all()
    for arguments, said in (
        ((pair, other, other[:, :3]), "Cohorts of 5 and 3 people"),
        ((pair, other[:, :1], other[:, :1]), "two people or more"),
        ((pair, np.tile(other, (2, 1)), other), "do not fit"),
        ((pair * np.inf, other, other), "not finite"),
    ):
        with pytest.raises(UserError, match=said):
            normalized_distances(*arguments)


def test_the_side_without_a_unit_is_named():
    pairs, enrolled = np.zeros((3, 1)), np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]])
    with pytest.raises(UserError, match="Row 0 of the tested"):
        normalized_distances(pairs, enrolled, np.array([[2.0, 2.0]]))
    with pytest.raises(UserError, match="Row 1 of the enrolled"):
        normalized_distances(pairs, np.array([[1.0, 2.0], [5.0, 5.0], [1.0, 4.0]]), np.array([[2.0, 3.0]]))


@pytest.mark.parametrize("level", [1e6 + 0.1, 54321.7, 0.3])
def test_rounding_is_no_unit(level):
    cohort = np.full((1, 100), level)
    for given in (cohort, cohort.astype(np.float32) * (1 + np.float32(1e-7) * (np.arange(100) % 2))):
        with pytest.raises(UserError, match="lies at one distance from all"):
            normalized_distances(np.ones((1, 1)), given, given)


@pytest.mark.parametrize("nearest", [1, -3])
def test_two_count_or_more(nearest):
    cohort = RNG.normal(size=(4, 5)).astype(np.float32)
    with pytest.raises(UserError, match="two people or more"):
        CohortNormalized(cohort, norm="adaptive", nearest=nearest)(cohort, cohort)


@pytest.mark.parametrize("norm", NORMS)
def test_metrics_normalize_the_side_that_the_norm_names(norm):
    """T(N) over galleries of everybody but the probe: its rows are tested and its columns enrolled."""
    vectors, cohort = RNG.normal(size=(30, 5)).astype(np.float32), RNG.normal(size=(40, 5)).astype(np.float32)

    def apart(x, y):
        return ((x[:, None].astype(float) - y) ** 2).sum(-1)

    tested = oracle(apart(vectors, vectors), apart(vectors, cohort), apart(vectors, cohort), norm, 9).T
    np.fill_diagonal(tested, np.inf)
    nearest = tested.min(axis=1)
    by = CohortNormalized(cohort, SquaredEuclidean(), norm, 9)
    # In galleries of all 29 others, a stranger is named where its nearest is within T.
    (threshold,) = thresholds_by_size(vectors, np.arange(30), by, sizes=(29,), fpirs=(0.1,))
    # The largest distance of a pair at which no more than 3 of 30 are named.
    wanted = max(each for each in tested[np.isfinite(tested)] if (nearest <= each + 1e-6).sum() <= 3)
    assert threshold.tau == pytest.approx(wanted, rel=1e-4)


def test_embeddings_that_are_no_numbers_stay_so():
    """Not infinitely far from everybody, which would be a rate of a diverged run."""
    vectors, cohort = RNG.normal(size=(4, 5)).astype(np.float32), RNG.normal(size=(40, 5)).astype(np.float32)
    broken = vectors.copy()
    broken[1] = np.nan
    found = CohortNormalized(cohort)(broken, vectors)
    assert np.isnan(found[1]).all() and np.isfinite(found[[0, 2, 3]]).all()
    with pytest.raises(UserError, match="Row 7 of the cohort is not finite"):
        CohortNormalized(np.where(np.arange(40)[:, None] == 7, np.nan, cohort))(vectors, vectors)


def test_a_comparison_by_cohort_is_that_of_its_tables():
    cohort, first, second = (RNG.normal(size=(n, 5)).astype(np.float32) for n in (40, 3, 6))
    by = CohortNormalized(cohort, SquaredEuclidean(), "adaptive", 9)

    def apart(x, y):
        return ((x[:, None].astype(float) - y) ** 2).sum(-1)

    wanted = oracle(apart(first, second), apart(first, cohort), apart(second, cohort), "adaptive", 9)
    np.testing.assert_allclose(by(first, second), wanted, rtol=1e-4)
    np.testing.assert_allclose(by(second, first).T, by(first, second), rtol=1e-4)
    nobody = CohortNormalized(cohort)(np.concatenate([first, np.zeros((1, 5), np.float32)]), second)
    assert np.isinf(nobody[3]).all() and np.isfinite(nobody[:3]).all()
