import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.research.data import ArrayReader, Images, from_arrays, index_people


def table(labels=(0, 1, 1, 2), **changes) -> Images:
    n = len(labels)
    columns = {
        "labels": np.array(labels, np.int32),
        "people": ("ann", "bob", "cid"),
        "shape": (2, 2, 1),
        "read": ArrayReader(np.arange(n * 4, dtype=np.uint8).reshape(n, 2, 2, 1)),
        "names": [f"row{i}" for i in range(n)],
        "fingerprint": "f",
        "groups": np.array([7, 8, 8], np.int32),
        "extras": {"boxes": np.arange(n * 4).reshape(n, 4)},
    }
    return Images(**{**columns, **changes})


def test_select_renumbers_people_and_carries_every_column():
    images = table().select(np.array([3, 1]))
    assert images.people == ("bob", "cid")
    assert images.labels.tolist() == [1, 0]
    assert images.groups.tolist() == [8, 8]
    assert list(images.names) == ["row3", "row1"]
    assert images.extras["boxes"].tolist() == [[12, 13, 14, 15], [4, 5, 6, 7]]
    assert images.read(np.array([1, 0]))[:, 0, 0, 0].tolist() == [4, 12]
    assert images.counts().tolist() == [1, 1]
    assert images.labels.dtype == np.int32


@given(st.lists(st.integers(0, 3)), st.data())
def test_selecting_twice_is_selecting_once(rows, data):
    once = table().select(np.array(rows, np.int64))
    again = data.draw(st.lists(st.integers(0, len(rows) - 1))) if rows else []
    twice = once.select(np.array(again, np.int64))
    direct = table().select(np.array(rows, np.int64)[np.array(again, np.int64)])
    everything = np.arange(len(again))
    assert twice.people == direct.people
    np.testing.assert_array_equal(twice.labels, direct.labels)
    np.testing.assert_array_equal(twice.read(everything), direct.read(everything))
    assert list(twice.names) == list(direct.names)


def test_select_nobody_is_an_empty_table():
    images = table().select(np.array([], np.int64))
    assert (len(images), images.people, images.counts().tolist()) == (0, (), [])


def test_select_people_takes_all_their_rows():
    images = table().select_people([0, 1])
    assert images.people == ("ann", "bob")
    assert list(images.names) == ["row0", "row1", "row2"]


def test_the_fingerprint_of_a_selection_tells_its_rows():
    digests = {table().select(np.array(rows)).fingerprint for rows in ([0, 1], [1, 0], [0], [0, 1, 2])}
    assert len(digests) == 4
    assert table().select(np.array([0, 1])).fingerprint in digests


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"labels": np.array([0, 1, 1, 3], np.int32)}, "lie in"),
        ({"labels": np.array([0, 1, 1, -1], np.int32)}, "lie in"),
        ({"labels": np.array([0, 1, 1, 1], np.int32)}, "'cid' has none"),
        ({"people": ("bob", "ann", "cid")}, "sorted"),
        ({"people": ("ann", "ann", "cid")}, "sorted"),
        ({"names": ["row0"]}, "names"),
        ({"groups": np.array([0], np.int32)}, "groups"),
        ({"extras": {"boxes": np.zeros((3, 4))}}, "boxes"),
    ],
)
def test_columns_that_contradict_each_other_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        table(**changes)


@pytest.mark.slow
@given(st.lists(st.text(max_size=3)))
def test_index_people_is_undone_by_indexing(who):
    people, labels = index_people(who)
    assert [people[label] for label in labels] == who
    assert list(people) == sorted(set(who))


def test_a_table_knows_whether_it_is_in_memory():
    assert table().in_memory
    assert table().select(np.array([1, 0])).in_memory
    assert not table(read=lambda rows: np.zeros((len(rows), 2, 2, 1), np.uint8)).in_memory


def test_rows_out_of_range_are_an_error():
    with pytest.raises(IndexError):
        from_arrays(np.zeros((3, 8, 8), np.uint8), [0, 1, 2]).read(np.array([3]))
