"""Identification against brute force, with and without unknown people."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.errors import UserError
from likeness.research.metrics.bootstrap import REPLICATES, clustered_interval, clustered_rate, replicate_weights
from likeness.research.metrics.identification import (
    UNKNOWN,
    at_threshold,
    cmc,
    compound_error,
    identification,
    identify,
    mate_ranks,
    person_distances,
    protocol,
)
from likeness.research.metrics.intervals import clopper_pearson, wilson
from likeness.research.metrics.verification import rate_name


@st.composite
def searches(draw):
    """Distances, with ties, of probes to a gallery; some probes' people are not enrolled."""
    gallery = np.array(draw(st.lists(st.sampled_from([2, 3, 5, 7]), min_size=1, max_size=8)))
    probes = np.array(draw(st.lists(st.sampled_from([2, 3, 5, 7, 8, 9]), min_size=1, max_size=20)))
    cells = st.lists(st.integers(0, 9), min_size=gallery.size * probes.size, max_size=gallery.size * probes.size)
    return np.array(draw(cells), np.float64).reshape(len(probes), -1) / 8, probes, gallery


@settings(deadline=None, max_examples=60)
@given(searches(), st.sampled_from([0.1, 0.3, 0.9]))
def test_f2_fnir_at_fpir_equals_trying_every_threshold(search, fpir):
    """F2: an enrolled person must be named, an unknown must not; the rate for unknowns is over the whole gallery."""
    distances, probes, gallery = search
    estimate = identification(distances, probes, gallery, (fpir,))[f"identification/fnir@fpir={rate_name(fpir)}"]
    mated = np.isin(probes, gallery)
    if not mated.any() or (~mated).sum() * fpir < 1:
        assert estimate.value is None
        return
    nearest = distances[~mated].min(axis=1)
    allowed = [t for t in [-np.inf, *distances.ravel()] if (nearest <= t).mean() <= fpir]
    hits = []
    for row, person in zip(distances[mated], probes[mated], strict=True):
        own, others = row[gallery == person].min(), row[gallery != person]
        hits.append(own < others.min(initial=np.inf) and own <= max(allowed))
    np.testing.assert_allclose(estimate.value, 1 - np.mean(hits), rtol=0, atol=1e-12)
    assert estimate.low <= estimate.value <= estimate.high


@settings(deadline=None, max_examples=60)
@given(searches())
def test_f2_identify_names_the_nearest_or_nobody(search):
    """F2: in the gallery and near: the name; otherwise unknown. d == tau is near enough."""
    distances, _, gallery = search
    for row, answer in zip(distances, identify(distances, gallery, 0.5), strict=True):
        if row.min() <= 0.5:
            assert answer in gallery[row == row.min()]
        else:
            assert answer == UNKNOWN


@settings(deadline=None, max_examples=60)
@given(searches())
def test_ranks_count_people_and_ties_count_against(search):
    distances, probes, gallery = search
    mated = np.isin(probes, gallery)
    for row, person, rank in zip(
        distances[mated], probes[mated], mate_ranks(distances[mated], probes[mated], gallery), strict=True
    ):
        own = row[gallery == person].min()
        rivals = [row[gallery == other].min() for other in np.unique(gallery) if other != person]
        assert rank == 1 + sum(rival <= own for rival in rivals)


def test_several_images_of_a_person_count_as_the_nearest():
    nearest, people = person_distances(np.array([[0.4, 0.2, 0.1, 0.3]]), np.array([7, 5, 7, 5]))
    assert (nearest.tolist(), people.tolist()) == ([[0.2, 0.1]], [5, 7])


@pytest.mark.parametrize("size", [5, 50])
def test_f3_a_gallery_multiplies_the_error(size):
    """F3: identification with K people errs 1 - (1 - e)^K of the time, at most K e (simulated, exact binomial interval)."""
    error, searches = 0.01, 20_000
    rng = np.random.default_rng(size)
    # A stranger's distances: each of the K comparisons falls below tau = e by itself with probability e.
    named = identify(rng.random((searches, size)), np.arange(size), error) != UNKNOWN
    measured = clopper_pearson(int(named.sum()), searches)
    assert measured.low <= compound_error(error, size) <= measured.high
    assert compound_error(error, size) <= size * error


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_f3_compound_error_is_the_law(error, people):
    """F3: the law itself."""
    np.testing.assert_allclose(compound_error(error, people), 1 - (1 - error) ** people, rtol=0, atol=1e-12)


def faces(people=24, images=5, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), images)
    points = rng.normal(size=(people, 6))[labels] + noise * rng.normal(size=(len(labels), 6))
    return ((points[:, None] - points) ** 2).sum(axis=-1), labels


def test_f2_protocol_keeps_unknowns_out_of_the_gallery():
    """F2: half of the people enrolled, the others never seen by the gallery; no image in two parts."""
    _, labels = faces()
    parts = protocol(labels, shots=2, seed=3)
    assert len(parts.gallery) == 12 * 2
    assert len(parts.probes) == 12 * 3
    assert len(parts.unknowns) == 12 * 5
    rows = np.concatenate([parts.gallery, parts.probes, parts.unknowns])
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(labels)))
    assert set(labels[parts.probes]) == set(labels[parts.gallery])
    assert not set(labels[parts.unknowns]) & set(labels[parts.gallery])
    again, other = protocol(labels, shots=2, seed=3), protocol(labels, shots=2, seed=4)
    np.testing.assert_array_equal(parts.gallery, again.gallery)
    assert set(labels[parts.gallery]) != set(labels[other.gallery])


def test_of_who_says_no_more_half_are_enrolled_with_one_image_each():
    _, labels = faces()
    parts = protocol(labels)
    assert (len(parts.gallery), len(parts.probes), len(parts.unknowns)) == (12, 12 * 4, 12 * 5)
    named = protocol(labels, shots=1, enrolled=0.5, seed=0)
    for part in ("gallery", "probes", "unknowns"):
        np.testing.assert_array_equal(getattr(parts, part), getattr(named, part))


def test_protocol_never_enrolls_whom_it_cannot_probe():
    labels = np.array([0, 1, 1, 2, 2, 3])
    parts = protocol(labels, shots=1, enrolled=1.0)
    assert set(labels[parts.gallery]) == {1, 2}
    with pytest.raises(UserError, match="Use fewer shots"):
        protocol(labels, shots=2)
    for wrong in ({"shots": 0}, {"enrolled": 0.0}):
        with pytest.raises(UserError, match="Enrol at least one shot"):
            protocol(labels, **wrong)


def test_summary_of_an_open_set():
    distances, labels = faces()
    parts = protocol(labels, seed=1)
    probes = np.concatenate([parts.probes, parts.unknowns])
    metrics = identification(distances[probes][:, parts.gallery], labels[probes], labels[parts.gallery])
    assert list(metrics) == [
        "identification/rank1",
        "identification/fnir@fpir=1e-1",
        "identification/fnir@fpir=1e-2",
    ]
    rank1, fnir, unresolved = metrics.values()
    assert rank1.n == fnir.n == len(parts.probes)
    assert 1 - fnir.value <= rank1.value
    assert rank1.low < rank1.value < rank1.high
    assert "needs 100 probes of unknown people, there are 60" in unresolved.why


def test_the_interval_of_an_open_set_is_that_of_its_people_drawn_anew():
    """Each time the threshold is chosen again, by trying all; people are as few as there are of the scarcer kind."""
    distances, labels = faces(people=12, noise=0.9)
    parts = protocol(labels, enrolled=0.75, seed=1)
    probes = np.concatenate([parts.probes, parts.unknowns])
    block, who, gallery = distances[probes][:, parts.gallery], labels[probes], labels[parts.gallery]
    found = identification(block, who, gallery, (0.2,), seed=5)["identification/fnir@fpir=2e-1"]
    mated, nearest = np.isin(who, gallery), block.min(axis=1)
    right = gallery[block.argmin(axis=1)] == who
    hits = []
    for weights in np.concatenate(list(replicate_weights(np.stack([who, who], axis=1), REPLICATES, 5))):
        strangers = weights[~mated]
        if not strangers.any() or not weights[mated].any():
            hits.append(np.nan)
            continue
        allowed = [t for t in [-np.inf, *nearest] if strangers @ (nearest[~mated] <= t) <= 0.2 * strangers.sum() + 1e-9]
        hits.append(weights[mated] @ (right & (nearest <= max(allowed)))[mated] / weights[mated].sum())
    assert (len(np.unique(who[mated])), len(np.unique(who[~mated])), mated.sum()) == (9, 3, 36)
    low, high = clustered_interval(1 - found.value, np.array(hits), 3, 36, 4.0)
    assert 0 < found.low < found.value < found.high < 1
    np.testing.assert_allclose(found.interval, (1 - high, 1 - low), rtol=1e-12)


def test_where_nobody_comes_twice_the_interval_is_wilsons():
    rng = np.random.default_rng(0)
    probes, gallery = np.arange(60), np.arange(30)
    found = identification(rng.random((60, 30)) + 2 * (probes[:, None] != gallery), probes, gallery, (0.1,))
    for estimate in found.values():
        assert (estimate.value, estimate.n) in ((0.0, 30), (1.0, 30))
        np.testing.assert_allclose(estimate.interval, wilson(round(30 * estimate.value), 30).interval, rtol=1e-12)


def test_rates_at_a_threshold_and_over_ranks_have_the_intervals_of_their_people():
    distances, labels = faces(noise=0.9)
    parts = protocol(labels, seed=1)
    probes = np.concatenate([parts.probes, parts.unknowns])
    block, who, gallery = distances[probes][:, parts.gallery], labels[probes], labels[parts.gallery]
    answers, mated = identify(block, gallery, 4.0), np.isin(who, gallery)
    rates = at_threshold(block, who, gallery, 4.0, seed=3)
    assert rates.fnir == clustered_rate((answers != who)[mated], who[mated], seed=3)
    assert rates.fpir == clustered_rate((answers != UNKNOWN)[~mated], who[~mated], seed=3)
    assert rates.misnamed == clustered_rate(((answers != who) & (answers != UNKNOWN))[mated], who[mated], seed=3)
    curve = cmc(block[mated], who[mated], gallery, ranks=4, seed=3)
    ranks = mate_ranks(block[mated], who[mated], gallery)
    assert curve.rank.tolist() == [1, 2, 3, 4] and curve.n == mated.sum()
    for rank, low, high in zip(curve.rank, curve.low, curve.high, strict=True):
        assert clustered_rate(ranks <= rank, who[mated], seed=3).interval == (low, high)
    everybody = cmc(block[mated], who[mated], gallery)
    assert everybody.rank.tolist() == list(range(1, 13))


def test_rates_at_a_threshold_add_up():
    distances, labels = faces(noise=0.9)
    parts = protocol(labels, seed=1)
    probes = np.concatenate([parts.probes, parts.unknowns])
    block = distances[probes][:, parts.gallery]
    rates = at_threshold(block, labels[probes], labels[parts.gallery], 4.0)
    answers, truth = identify(block, labels[parts.gallery], 4.0), labels[probes]
    mated = np.isin(truth, labels[parts.gallery])
    assert rates.fnir.value == (answers != truth)[mated].mean()
    assert rates.fpir.value == (answers != UNKNOWN)[~mated].mean()
    assert rates.misnamed.value == ((answers != truth) & (answers != UNKNOWN))[mated].mean()


def test_cmc_rises_to_one():
    distances, labels = faces(noise=1.2)
    parts = protocol(labels, enrolled=1.0)
    block = distances[parts.probes][:, parts.gallery]
    curve = cmc(block, labels[parts.probes], labels[parts.gallery], ranks=100)
    ranks = mate_ranks(block, labels[parts.probes], labels[parts.gallery])
    np.testing.assert_allclose(curve.rate, [(ranks <= r).mean() for r in curve.rank], rtol=0, atol=1e-15)
    assert curve.rate[-1] == 1.0
    assert ((curve.low <= curve.rate) & (curve.rate <= curve.high)).all()
    rank1 = identification(block, labels[parts.probes], labels[parts.gallery])["identification/rank1"]
    assert rank1.value == curve.rate[0]


def test_a_collapsed_embedding_recognizes_nobody():
    metrics = identification(np.zeros((30, 2)), np.array([0, 1, 2] * 10), np.array([0, 1]), (0.1,))
    assert metrics["identification/rank1"].value == 0
    assert metrics["identification/fnir@fpir=1e-1"].value == 1


def test_nobody_to_ask_for_is_unresolvable():
    metrics = identification(np.zeros((30, 2)), np.full(30, 9), np.array([0, 1]), (0.1,))
    assert not any(estimate.resolved for estimate in metrics.values())


def test_bad_searches_are_refused():
    with pytest.raises(UserError, match="gallery is empty"):
        identify(np.zeros((1, 0)), np.zeros(0, np.int64), 0.5)
    with pytest.raises(UserError, match="1 of 2 distances are NaN"):
        identify(np.array([[np.nan, 1.0]]), np.array([0, 1]), 0.5)
    with pytest.raises(UserError, match="1 of 1 probes show people who are not enrolled"):
        mate_ranks(np.zeros((1, 1)), np.array([4]), np.array([0]))
    with pytest.raises(UserError, match="needs one"):
        cmc(np.zeros((0, 1)), np.zeros(0, np.int64), np.array([0]))
    with pytest.raises(UserError, match="between 0 and 1"):
        identification(np.zeros((1, 1)), np.array([0]), np.array([0]), (1.0,))
    with pytest.raises(UserError, match="makes no sense"):
        compound_error(1.5, 3)
