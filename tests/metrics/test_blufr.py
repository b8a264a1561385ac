"""BLUFR's two numbers against arrays that are sorted whole."""

from typing import NamedTuple

import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.blufr import blufr


class Rows(NamedTuple):
    train: np.ndarray
    test: np.ndarray
    gallery: np.ndarray
    probes: np.ndarray


def trials(count: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[Rows]]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(90), 4)
    embeddings = (rng.normal(size=(90, 12))[labels] + 0.55 * rng.normal(size=(360, 12))).astype(np.float32)
    found = []
    for _ in range(count):
        people = rng.permutation(90)
        test = np.flatnonzero(np.isin(labels, people[30:]))
        gallery = np.array([rng.choice(np.flatnonzero(labels == person)) for person in people[30:60]])
        found.append(Rows(np.flatnonzero(np.isin(labels, people[:30])), test, gallery, np.setdiff1d(test, gallery)))
    return embeddings, labels, found


def distances(embeddings: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    directions = embeddings.astype(np.float64) / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return 1 - directions[first] @ directions[second].T


def test_the_rates_are_those_of_whole_sorted_arrays():
    embeddings, labels, rows = trials()
    result = blufr(embeddings, labels, rows, far=1e-2, fpir=0.05)
    for trial, measured in zip(rows, result.trials, strict=True):
        sides = []
        for part in (trial.train, trial.test):
            first, second = np.triu_indices(len(part), 1)
            sides.append((distances(embeddings, part, part)[first, second], labels[part[first]] == labels[part[second]]))
        training, tested = (curves.roc(*side) for side in sides)
        assert measured.verification_rate == curves.tar_at_far(tested, [1e-2])[0]
        tau = training.thresholds[curves.indices_at_far(training, [1e-2])[0]]
        assert measured.threshold == pytest.approx(tau, abs=1e-6)
        assert measured.observed_far == (sides[1][0] <= tau + 1e-7)[~sides[1][1]].mean()
        assert measured.observed_tar == (sides[1][0] <= tau + 1e-7)[sides[1][1]].mean()
        table = distances(embeddings, trial.probes, trial.gallery)
        nearest = labels[trial.gallery][table.argmin(axis=1)]
        mated = np.isin(labels[trial.probes], labels[trial.gallery])
        strangers = np.sort(table[~mated].min(axis=1))
        # The last distance that accepts at most 5 % of the strangers.
        beyond = strangers[int(0.05 * len(strangers))]
        hit = (nearest == labels[trial.probes]) & (table.min(axis=1) < beyond)
        assert measured.detection_rate == pytest.approx(hit[mated].mean())


def test_what_is_published_is_the_mean_minus_the_deviation_over_trials():
    embeddings, labels, rows = trials()
    result = blufr(embeddings, labels, rows, far=1e-2, fpir=0.05)
    rates = np.array([trial.verification_rate for trial in result.trials])
    mean, published = (result.metrics[f"blufr/vr@far=1e-2{part}"] for part in ("", ",mean-sd"))
    assert mean.value == rates.mean() and mean.n == 3
    assert published.value == rates.mean() - rates.std(ddof=1)
    assert sorted(result.metrics) == [
        "blufr/dir@far=5e-2",
        "blufr/dir@far=5e-2,mean-sd",
        "blufr/observed_far@promised=1e-2",
        "blufr/tar@promised=1e-2",
        "blufr/vr@far=1e-2",
        "blufr/vr@far=1e-2,mean-sd",
    ]
    assert all(0 <= each.low <= each.value <= each.high <= 1 and each.low < each.high for each in result.metrics.values())


def test_the_intervals_hold_what_other_people_give():
    """Of 30 sets of people, the mean of nearly all lies within each other's intervals; at least four of five do."""
    found = [blufr(*trials(2, seed), far=1e-2, fpir=0.05).metrics for seed in range(8)]
    for name in ("blufr/vr@far=1e-2", "blufr/dir@far=5e-2", "blufr/observed_far@promised=1e-2"):
        truth = np.mean([each[name].value for each in found])
        assert np.mean([each[name].low <= truth <= each[name].high for each in found]) >= 0.75


def test_trials_and_rates_that_make_no_sense_are_refused():
    embeddings, labels, rows = trials(1)
    with pytest.raises(UserError, match="0 trials"):
        blufr(embeddings, labels, [])
    with pytest.raises(UserError, match="rates between 0 and 1"):
        blufr(embeddings, labels, rows, far=1.0)
    with pytest.raises(UserError, match="NaN"):
        blufr(np.full_like(embeddings, np.nan), labels, rows)
