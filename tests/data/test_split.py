import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from likeness.research.data import CountSplit, Digits, Everybody, HashSplit, Images, Textures, from_arrays
from likeness.research.data.images import ArrayReader
from likeness.research.data.split import hash_people
from likeness.research.errors import UserError


def table(people) -> Images:
    who = [person for person in people for _ in range(2)]
    return from_arrays(np.zeros((len(who), 1, 1), np.uint8), who)


PEOPLE = [f"person {i}" for i in range(200)]


@pytest.mark.parametrize("split", [HashSplit(0.2, 0.3), CountSplit(20, 30)])
def test_parts_share_nobody_and_lose_nobody(split):
    images = table(PEOPLE)
    parts = split(images)
    people = [set(part.people) for part in parts.values()]
    assert sum(map(len, people)) == len(PEOPLE)
    assert set.union(*people) == set(PEOPLE)
    assert sum(map(len, parts.values())) == len(images)
    assert parts["test"] is parts.test
    assert list(parts) == ["train", "validation", "test"]


def test_everybody_is_evaluated_and_nobody_held_out():
    images = table(PEOPLE)
    parts = Everybody()(images)
    assert parts.train is parts.test is images and not len(parts.validation) and parts.validation.people == ()
    assert CountSplit(2, 3).held_out and not Everybody().held_out


@pytest.mark.slow
@given(st.sets(st.sampled_from(PEOPLE), min_size=40), st.integers(0, 3))
def test_hash_split_moves_nobody_when_people_come(some, seed):
    split = HashSplit(0.2, 0.3, seed)
    everyone, fewer = split(table(PEOPLE)), split(table(sorted(some)))
    for name in everyone:
        assert set(fewer[name].people) == set(everyone[name].people) & some


def test_hash_split_meets_its_shares_on_average():
    parts = HashSplit(0.2, 0.3)(table([f"p{i}" for i in range(4000)]))
    # Four standard deviations of a binomial count.
    assert abs(len(parts.validation.people) - 800) < 4 * np.sqrt(4000 * 0.2 * 0.8)
    assert abs(len(parts.test.people) - 1200) < 4 * np.sqrt(4000 * 0.3 * 0.7)


def test_a_larger_validation_share_leaves_the_test_people():
    a, b = HashSplit(0.1, 0.3)(table(PEOPLE)), HashSplit(0.4, 0.3)(table(PEOPLE))
    assert a.test.people == b.test.people
    assert set(a.validation.people) < set(b.validation.people)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 9))
def test_count_split_is_exact(validation, test, seed):
    assume(validation + test < 10)
    parts = CountSplit(validation, test, seed)(table(PEOPLE[:10]))
    counts = [len(part.people) for part in parts.values()]
    assert counts == [10 - validation - test, validation, test]


@given(st.integers(0, 20))
def test_one_person_more_moves_one_across_each_border(seed):
    split = CountSplit(5, 5, seed)
    before, after = split(table(PEOPLE[:30])), split(table(PEOPLE[:31]))
    for name in before:
        assert len(set(before[name].people) - set(after[name].people)) <= 1


def test_seeds_part_otherwise():
    assert CountSplit(5, 5, 0)(table(PEOPLE)).test.people != CountSplit(5, 5, 1)(table(PEOPLE)).test.people


def test_the_hash_is_pinned():
    """Another hash would move people between parts of data that somebody has split already."""
    assert HashSplit(0.2, 0.3)(table(PEOPLE[:12])).test.people == PINNED


PINNED = ("person 3", "person 6", "person 9")


def test_digits_split_six_two_two():
    parts = CountSplit(2, 2)(Digits().open())
    assert [len(part.people) for part in parts.values()] == [6, 2, 2]


def test_an_empty_part_is_an_error_only_if_asked_for():
    with pytest.raises(UserError, match=r"none for test \(.*0 test\)"):
        HashSplit(0.0, 0.01)(table(PEOPLE[:3]))
    with pytest.raises(UserError, match="Of 3 people the split leaves none for train"):
        CountSplit(1, 2)(table(PEOPLE[:3]))
    with pytest.raises(UserError, match="Of 1 person the split leaves none for train"):
        CountSplit(0, 1)(table(PEOPLE[:1]))
    with pytest.raises(UserError, match="none for validation"):
        HashSplit(0.01, 0.3)(table(PEOPLE[:12]))
    parts = HashSplit(0.0, 0.0)(table(PEOPLE[:3]))
    assert [len(part) for part in parts.values()] == [6, 0, 0]


@pytest.mark.parametrize("shares", [(-0.1, 0.2), (0.5, 0.5), (float("nan"), 0.1), (0.1, 1.0)])
def test_illegal_shares_are_refused(shares):
    with pytest.raises(ValueError, match="shares"):
        HashSplit(*shares)


def test_illegal_counts_are_refused():
    with pytest.raises(ValueError, match="numbers of people"):
        CountSplit(-1, 0)


def test_groups_stay_whole_where_asked():
    images = Textures(families=60, images=2, size=16).open()
    parts = HashSplit(validation=0.2, test=0.2, whole="groups")(images)
    families = [{name.split("-")[1] for name in part.people} for part in parts.values()]
    assert all(len(part.people) == 5 * len(family) > 0 for part, family in zip(parts.values(), families, strict=True))
    assert not families[0] & families[1] | families[0] & families[2] | families[1] & families[2]


@pytest.mark.parametrize("names", [None, ("Arcadian", "Bengali", "Cyrillic")])
def test_a_group_goes_where_its_own_name_says_whoever_is_in_it(names):
    """Of the people of three groups first all are there, then without those who came first; the numbers stay."""
    images = Images(
        labels=np.arange(12, dtype=np.int32),
        people=tuple(f"p{number:02d}" for number in range(12)),
        shape=(1, 1, 1),
        read=ArrayReader(np.zeros((12, 1, 1, 1), np.uint8)),
        names=[str(number) for number in range(12)],
        fingerprint="",
        groups=np.repeat(np.arange(3, dtype=np.int32), 4),
        group_names=names,
    )
    later = images.select(np.array([2, 3, 6, 7, 9, 10, 11]))
    assert later.named_groups == tuple((names or "012")[group] for group in (0, 0, 1, 1, 2, 2, 2))
    split = HashSplit(validation=0.0, test=0.5, whole="groups")
    test, part = (set(table.people) for table in (split(images).test, split(later).test))
    assert part == test & set(later.people)
    expected = hash_people(names or ("0", "1", "2"), 0) / 2.0**64 < 0.5
    assert 0 < expected.sum() < 3
    assert test == {person for person, group in zip(images.people, images.groups, strict=True) if expected[group]}


def test_names_that_do_not_name_every_group_are_refused():
    images = Textures(families=3, images=1, size=16).open()
    with pytest.raises(ValueError, match="2 names of groups do not name every group"):
        dataclasses.replace(images, group_names=("a", "b"))


def test_groups_are_asked_for_where_there_are_none():
    with pytest.raises(UserError, match="has none"):
        HashSplit(validation=0.2, test=0.2, whole="groups")(Digits().open())
