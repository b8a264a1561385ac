"""Counting pairs in sorted bins against sorting all distances."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.distances import Cosine, Dot, SquaredEuclidean
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.all_pairs import person_counts, rates_of_all_pairs, verify_all_pairs
from likeness.research.metrics.pair_stream import PairStream, count_pairs, distances_of, keys_of, rates_at
from likeness.research.metrics.verification import at_threshold, verification

FARS = (0.5, 0.1, 1e-2, 1e-3, 1e-4)


def people(count: int, images: int, spread: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings around a center for each person, some of whom have one image."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(0, count, count * images))
    centers = rng.normal(size=(count, 8))
    return (centers[labels] + spread * rng.normal(size=(len(labels), 8))).astype(np.float32), labels


def every_pair(stream: PairStream) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances, kinds and people of all pairs in arrays, as the stream computes them."""
    tiles = list(stream.tiles("reading"))
    rows = [tile.place(np.arange(len(tile.distances))) for tile in tiles]
    first, second = (stream.labels[np.concatenate(side)] for side in zip(*rows, strict=True))
    distances, same = (np.concatenate([getattr(tile, field) for tile in tiles]) for field in ("distances", "same"))
    return distances.astype(np.float64), same, np.stack([first, second], axis=1)


@pytest.mark.parametrize("side", [8, 32, 1024])
@pytest.mark.parametrize("distance", [Cosine(), SquaredEuclidean(), Dot()])
def test_rates_and_thresholds_are_those_of_all_distances_sorted_to_the_bit(distance, side):
    stream = PairStream(*people(40, 5), distance, side)
    distances, same, of = every_pair(stream)
    assert len(distances) == stream.pairs == 200 * 199 // 2
    assert np.array_equal(same, of[:, 0] == of[:, 1])
    full = curves.roc(distances, same)
    taus = [float(np.median(distances)), -0.1, 0.0, 1e9, float(distances[7]), np.nextafter(float(distances[7]), -9)]
    part = count_pairs(stream, FARS, taus)
    assert len(part.thresholds) < len(full.thresholds)
    assert curves.eer(part) == curves.eer(full)
    assert np.array_equal(curves.tar_at_far(part, FARS), curves.tar_at_far(full, FARS))
    assert np.array_equal(
        part.thresholds[curves.indices_at_far(part, FARS)], full.thresholds[curves.indices_at_far(full, FARS)]
    )
    far, tar = rates_at(part, taus)
    assert np.array_equal(far, [(distances[~same] <= tau).mean() for tau in taus])
    assert np.array_equal(tar, [(distances[same] <= tau).mean() for tau in taus])


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([0.0, -0.0, 0.125, 0.1251, 0.126, 1.0, 1.0000001, -3.0, 1e-30, np.inf]), min_size=4), st.data())
def test_ties_and_bins_that_are_shared_count_as_in_a_sorted_array(values, data):
    values = np.array(values, np.float32)
    n = len(values) + 1
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))

    def compare(first, second):
        """Pairs have the value of their larger row's number."""
        rows, columns = first[:, 0].astype(int)[:, None], second[:, 0].astype(int)[None]
        return np.append(values, 0)[np.maximum(np.maximum(rows, columns) - 1, 0)].astype(np.float32)

    stream = PairStream(np.arange(n, dtype=np.float32)[:, None], labels, compare, side=8)
    distances, same, _ = every_pair(stream)
    if same.all() or not same.any():
        with pytest.raises(UserError, match="both kinds"):
            count_pairs(stream, FARS)
        return
    full, part = curves.roc(distances, same), count_pairs(stream, FARS, [0.1255], find_best=True)
    assert curves.eer(part) == curves.eer(full)
    assert np.array_equal(curves.tar_at_far(part, FARS), curves.tar_at_far(full, FARS))
    assert (
        part.thresholds[curves.indices_at_far(part, FARS)].tolist()
        == full.thresholds[curves.indices_at_far(full, FARS)].tolist()
    )
    right = [curve.tar - curve.far for curve in (part, full)]
    assert right[0].max() == right[1].max()


def test_keys_are_in_the_order_of_the_numbers_and_come_back():
    numbers = np.array([-np.inf, -1e30, -1.0, -1e-45, 0.0, 1e-45, 1.0, 1.0000001, 3e38, np.inf], np.float32)
    keys = keys_of(numbers)
    assert np.all(np.diff(keys.astype(np.int64)) > 0)
    assert np.array_equal(distances_of(keys), numbers)
    assert keys_of(np.float32([-0.0])) == keys_of(np.float32([0.0]))


def test_people_s_counts_are_those_of_their_pairs():
    stream = PairStream(*people(12, 4), Cosine(), side=8)
    distances, same, of = every_pair(stream)
    taus = [0.9, 0.2]
    for tau, counted in zip(taus, person_counts(stream, taus), strict=True):
        names = np.unique(stream.labels)
        near = distances <= tau
        assert counted.same.tolist() == [int((near & same & (of[:, 0] == who)).sum()) for who in names]
        assert counted.different.tolist() == [int((near & ~same & (of == who).any(axis=1)).sum()) for who in names]


@pytest.mark.slow
def test_intervals_agree_with_those_of_resampled_people():
    embeddings, labels = people(60, 6, spread=0.7)
    stream = PairStream(embeddings, labels, Cosine())
    distances, same, of = every_pair(stream)
    resampled = verification(distances, same, of, (1e-1, 1e-2), replicates=400)
    linear = verify_all_pairs(embeddings, labels, fars=(1e-1, 1e-2))
    for name in ("eer", "tar@far=1e-1", "tar@far=1e-2"):
        ours, theirs = linear[f"all_pairs/{name}"], resampled[f"verification/{name}"]
        assert ours.value == theirs.value
        assert np.diff(ours.interval)[0] == pytest.approx(np.diff(theirs.interval)[0], rel=0.35)
    tau = linear["all_pairs/threshold@far=1e-2"]
    (far, tar), whole = rates_of_all_pairs(stream, [tau])[0], at_threshold(distances, same, tau, of)
    for ours, theirs in ((far, whole.far), (tar, whole.tar)):
        assert ours.value == theirs.value and ours.n == theirs.n
        assert np.diff(ours.interval)[0] == pytest.approx(np.diff(theirs.interval)[0], rel=0.35)


def test_what_pairs_cannot_resolve_is_said_and_bad_input_is_refused():
    embeddings, labels = people(6, 3)
    found = verify_all_pairs(embeddings, labels, fars=(1e-1, 1e-6))
    assert "needs 1000000" in found["all_pairs/tar@far=1e-6"].why
    assert found["all_pairs/tar@far=1e-1"].resolved and "all_pairs/threshold@far=1e-6" not in found
    with pytest.raises(UserError, match="NaN"):
        verify_all_pairs(np.where(embeddings > 0, embeddings, np.nan), labels)
    one = verify_all_pairs(embeddings, np.zeros(len(labels), int), fars=(1e-1,))
    assert sorted(one) == ["all_pairs/eer", "all_pairs/tar@far=1e-1"] and "both kinds" in one["all_pairs/eer"].why
    with pytest.raises(ValueError, match="labels must be integers"):
        verify_all_pairs(embeddings, labels[:-1])
    with pytest.raises(ValueError, match="rates"):
        verify_all_pairs(embeddings, labels, fars=(-1.0,))


def test_each_pass_says_how_far_it_has_come():
    told = []
    embeddings, labels = people(10, 4)

    def track(what, items):
        told.append((what, len(items)))
        return items

    verify_all_pairs(jnp.asarray(embeddings), jnp.asarray(labels), fars=(1e-1,), side=16, track=track)
    assert told == [
        ("counting pairs", 6),
        ("counting pairs close to the thresholds", 6),
        ("counting pairs by person", 6),
    ]
