import collections

import numpy as np
import pytest
from crossing import crossed
from hypothesis import given
from hypothesis import strategies as st

from likeness.research.data import BalancedPairs, IdentityBatches, Images, Shuffled, from_arrays
from likeness.research.errors import UserError


def table(counts, groups=None) -> Images:
    """Person i has counts[i] images; the rows of different people alternate."""
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.default_rng(0).permutation(labels)
    images = from_arrays(np.zeros((len(labels), 1, 1), np.uint8), labels)
    if groups is not None:
        import dataclasses

        images = dataclasses.replace(images, groups=np.array(groups, np.int32))
    return images


several = st.lists(st.integers(2, 9), min_size=4, max_size=12)


@given(several, st.integers(2, 4), st.integers(2, 7), st.integers(0, 5), st.integers(0, 10_000))
def test_every_anchor_has_a_positive_and_a_negative(counts, P, K, seed, i):
    """F9: a batch is P people with K images each, of at least two different images."""
    images = table(counts)
    rows = IdentityBatches(people=P, images=K).batches(images, seed)[i]
    assert rows.dtype == np.int64
    labels = images.labels[rows].reshape(P, K)
    assert (labels == labels[:, :1]).all()
    assert len(set(labels[:, 0].tolist())) == P
    for person, drawn in zip(labels[:, 0], rows.reshape(P, K), strict=True):
        uses = np.array(list(collections.Counter(drawn.tolist()).values()))
        assert len(uses) == min(K, counts[person])
        assert uses.max() - uses.min() <= 1


@given(several, st.integers(2, 4), st.integers(0, 3), st.integers(0, 3))
def test_no_person_is_skipped_in_an_epoch(counts, P, seed, epoch):
    images = table(counts)
    batches = IdentityBatches(people=P, images=2).batches(images, seed)
    n = batches.batches_per_epoch
    assert n == -(-len(counts) // P)
    seen = np.concatenate([images.labels[batches[epoch * n + b]] for b in range(n)])
    assert set(seen.tolist()) == set(range(len(counts)))


@pytest.mark.parametrize("within_group", [0.0, 1.0])
def test_every_epoch_has_an_order_of_its_own(within_group):
    """Where people fill the batches exactly, each comes once, in other company than the epoch before."""
    images = table([2] * 12, groups=[0] * 6 + [1] * 6)
    batches = IdentityBatches(people=3, images=2, within_group=within_group).batches(images, 0)
    assert batches.batches_per_epoch == 4
    companies = [images.labels[batches[i]].reshape(3, 2)[:, 0].tolist() for i in range(40)]
    epochs = [companies[4 * e : 4 * e + 4] for e in range(10)]
    assert all(sorted(np.ravel(epoch).tolist()) == list(range(12)) for epoch in epochs)
    assert len({str(epoch) for epoch in epochs}) == 10
    assert len({str(sorted(map(sorted, epoch))) for epoch in epochs}) > 5


@pytest.mark.parametrize(
    "sampler",
    [
        IdentityBatches(people=3, images=3),
        IdentityBatches(people=2, images=2, within_group=0.5),
        BalancedPairs(pairs=6),
        Shuffled(7),
    ],
)
def test_batch_i_is_the_same_after_a_restart(sampler):
    """Stateless: neither the order of asking nor another process changes a batch; another seed does."""
    images = table([4, 2, 5, 3, 2, 9], groups=[0, 0, 1, 1, 2, 2])
    first = sampler.batches(images, 3)
    forwards = [first[i] for i in range(40)]
    again = crossed(sampler.batches(images, 3))
    for i in [39, 0, 17, 17, 3]:
        np.testing.assert_array_equal(again[i], forwards[i])
    assert len(again[10**9]) == sampler.batch_size == again.batch_size
    other = sampler.batches(images, 4)
    assert any((other[i] != forwards[i]).any() for i in range(3))
    assert len({tuple(rows) for rows in forwards}) > 30


def test_images_are_drawn_uniformly():
    """A person's images and pairs of images come equally often: chi-square below its 1e-6 quantile."""
    images = table([5, 5, 2])
    batches = IdentityBatches(people=3, images=3).batches(images, 0)
    drawn = np.array([batches[i] for i in range(3000)])
    rows, uses = np.unique(drawn[images.labels[drawn] < 2], return_counts=True)
    assert len(rows) == 10
    assert ((uses - 1800) ** 2 / 1800).sum() < 50
    few = np.unique(drawn[images.labels[drawn] == 2], return_counts=True)[1]
    # Of two images three times, one comes twice: which is a fair coin, three standard deviations wide.
    assert abs(int(few[0]) - 4500) < 3 * np.sqrt(3000) / 2 + 1
    subsets = collections.Counter(tuple(sorted(b)) for b in drawn.reshape(-1, 3) if images.labels[b[0]] == 0)
    assert len(subsets) == 10
    assert sum((n - 300) ** 2 / 300 for n in subsets.values()) < 50


def test_a_person_with_one_image_is_refused_by_name():
    """F9: people with one image are refused with a clear error."""
    images = table([3, 1, 3, 1])
    with pytest.raises(UserError, match=r"2 of 4 people .*\(1, 3\).*single=drop"):
        IdentityBatches(people=2, images=2).batches(images, 0)


def test_people_with_one_image_are_dropped_if_asked():
    images = table([3, 1, 3, 1, 2])
    batches = IdentityBatches(people=2, images=2, single="drop").batches(images, 0)
    assert batches.dropped == ("1", "3")
    assert batches.batches_per_epoch == 2
    seen = {int(label) for i in range(4) for label in images.labels[batches[i]]}
    assert seen == {0, 2, 4}


def test_ten_thousand_images_of_a_thousand_people():
    """F9 at its stated size: each anchor of an epoch has a positive, and all 1,000 people come."""
    images = table([10] * 1000)
    batches = IdentityBatches(people=32, images=4).batches(images, 0)
    labels = images.labels[np.concatenate([batches[i] for i in range(batches.batches_per_epoch)])]
    assert (labels.reshape(-1, 4) == labels.reshape(-1, 4)[:, :1]).all()
    assert set(labels.tolist()) == set(range(1000))


def test_too_few_people_is_an_error():
    with pytest.raises(UserError, match="there are 2 with two images"):
        IdentityBatches(people=3, images=2, single="drop").batches(table([3, 3, 1]), 0)


@given(st.integers(0, 4), st.sampled_from([0.25, 0.5, 2 / 3, 1.0]))
def test_a_share_of_batches_lies_within_groups(seed, share):
    groups = [0] * 5 + [1] * 3 + [2] * 2
    images = table([3] * 10, groups)
    batches = IdentityBatches(people=3, images=2, within_group=share).batches(images, seed)
    inside, seen = 0, set()
    n = 3 * batches.batches_per_epoch
    for i in range(n):
        people = np.unique(images.labels[batches[i]])
        assert len(people) == 3
        inside += len(set(np.array(groups)[people].tolist())) == 1
        seen |= set(people.tolist())
    # Batches across groups may fall into one by chance.
    assert inside >= int(n * share)
    assert seen == set(range(10)) if share < 1 else seen == set(range(8))


def test_each_person_of_a_large_group_comes_in_batches_within_groups():
    images = table([2] * 12, [0] * 7 + [1] * 5)
    batches = IdentityBatches(people=3, images=2, within_group=1.0).batches(images, 0)
    assert batches.batches_per_epoch == 3 + 2
    for epoch in range(3):
        rows = np.concatenate([batches[epoch * 5 + b] for b in range(5)])
        assert set(images.labels[rows].tolist()) == set(range(12))


def test_groups_without_a_share_of_batches_within_them_are_refused():
    with pytest.raises(ValueError, match="IdentityBatches.groups is 2 and within_group is 0: no batch lies within groups"):
        IdentityBatches(people=4, images=2, groups=2)


def test_groups_that_are_missing_or_small_are_an_error():
    sampler = IdentityBatches(people=3, images=2, within_group=0.5)
    with pytest.raises(UserError, match="has no groups"):
        sampler.batches(table([2] * 6), 0)
    with pytest.raises(UserError, match="the largest has 2"):
        sampler.batches(table([2] * 6, [0, 0, 1, 1, 2, 2]), 0)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=9).filter(lambda c: max(c) > 1), st.integers(1, 6), st.integers(0, 999))
def test_exactly_half_of_the_pairs_are_the_same_person(counts, half, i):
    """F14: the labels of balanced pairs are exact, and an image is never paired with itself."""
    images = table(counts)
    rows = BalancedPairs(pairs=2 * half).batches(images, 0)[i].reshape(-1, 2)
    labels = images.labels[rows]
    same = labels[:, 0] == labels[:, 1]
    assert same.tolist() == [True, False] * half
    assert (rows[:, 0] != rows[:, 1]).all()


def test_pairs_go_through_everybody():
    images = table([1, 2, 3, 4, 1, 2])
    batches = BalancedPairs(pairs=4).batches(images, 0)
    rows = np.concatenate([batches[i] for i in range(batches.batches_per_epoch)]).reshape(-1, 2)
    labels = images.labels[rows]
    assert set(labels[1::2, 0].tolist()) == set(range(6))
    assert set(labels[0::2, 0].tolist()) == {1, 2, 3, 5}


def test_pairs_that_cannot_be_made_are_an_error():
    with pytest.raises(UserError, match="need two people"):
        BalancedPairs().batches(table([5]), 0)
    with pytest.raises(UserError, match="None of 3 people has two"):
        BalancedPairs().batches(table([1, 1, 1]), 0)


@given(st.integers(1, 12), st.integers(1, 30))
def test_shuffled_shows_every_image_once_an_epoch(n, size):
    batches = Shuffled(size).batches(table([n]), 0)
    rows = np.concatenate([batches[i] for i in range(3 * n)])
    for epoch in range(3):
        assert sorted(rows[epoch * n : (epoch + 1) * n].tolist()) == list(range(n))


def test_shuffled_refuses_no_images():
    with pytest.raises(UserError, match="no images"):
        Shuffled().batches(table([2]).select(np.array([], np.int64)), 0)


def test_batches_are_a_sequence():
    batches = Shuffled(2).batches(table([5]), 0)
    assert [rows.tolist() for rows in batches[1:3]] == [batches[1].tolist(), batches[2].tolist()]
    assert batches[np.int64(1)].tolist() == batches[1].tolist()
    assert len(batches) > 10**9
    for i in (-1, len(batches)):
        with pytest.raises(IndexError):
            batches[i]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: IdentityBatches(images=1), "positive"),
        (lambda: IdentityBatches(people=1), "negative"),
        (lambda: IdentityBatches(within_group=1.5), "share"),
        (lambda: BalancedPairs(pairs=3), "even"),
        (lambda: BalancedPairs(pairs=0), "even"),
        (lambda: Shuffled(0), "positive"),
        (lambda: Shuffled().batches(table([2]), -1), "seed"),
    ],
)
def test_illegal_fields_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
