import itertools

import numpy as np
import pytest

from likeness.research.data import ExampleArrays, Examples, stream_examples, to_unit
from likeness.research.errors import UserError


def table(n=7, values=None):
    values = np.arange(n, dtype=np.uint8).reshape(n, 1, 1).repeat(4, 1) if values is None else values
    return Examples(values=values, labels=(np.arange(n) % 2).astype(np.int32), classes=("even", "odd"))


def taken(batches, count):
    return np.concatenate([batch["values"][:, 0, 0] for batch in itertools.islice(batches, count)])


def test_every_epoch_has_every_example_once_in_another_order():
    rows = taken(stream_examples(table(), 3, seed=0), 14).reshape(6, 7)
    assert (np.sort(rows, axis=1) == np.arange(7)).all()
    assert len({row.tobytes() for row in rows}) > 3


def test_labels_belong_to_values():
    batch = next(stream_examples(table(), 5, seed=1))
    np.testing.assert_array_equal(batch["labels"], batch["values"][:, 0, 0] % 2)


def test_a_stream_goes_on_where_it_was():
    whole, parts = (stream_examples(table(), 3, seed=2) for _ in range(2))
    expected = taken(whole, 6)
    first = taken(parts, 2)
    resumed = stream_examples(table(), 3, seed=2)
    resumed.set_state({"next_index": 2})
    np.testing.assert_array_equal(np.concatenate([first, taken(resumed, 4)]), expected)


def test_processes_share_each_batch():
    whole = next(stream_examples(table(), 4, seed=3))
    shares = [next(stream_examples(table(), 4, seed=3, process_index=i, process_count=2)) for i in range(2)]
    np.testing.assert_array_equal(np.concatenate([share["values"] for share in shares]), whole["values"])
    with pytest.raises(UserError, match="shared evenly"):
        stream_examples(table(), 3, seed=0, process_index=0, process_count=2)


def test_to_unit_takes_the_largest_integer_for_one():
    assert to_unit(np.array([0, 65535], np.uint16)).tolist() == [0.0, 1.0]
    assert to_unit(np.array([0.25], np.float64)).dtype == np.float32


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (np.zeros((2, 4, 1), np.int32), np.zeros(2, np.int32)),
        (np.zeros((2, 4), np.uint8), np.zeros(2, np.int32)),
        (np.zeros((2, 4, 1), np.uint8), np.zeros(3, np.int32)),
        (np.zeros((2, 4, 1), np.uint8), np.full(2, 5, np.int32)),
    ],
)
def test_columns_that_contradict_each_other_are_refused(values, labels):
    with pytest.raises((ValueError, TypeError)):
        Examples(values=values, labels=labels, classes=("a", "b"))


def saved(folder, **arrays):
    np.savez(folder / "films.npz", **arrays)
    return ExampleArrays(path=str(folder / "films.npz"), classes=("still", "moving"))


def test_films_from_a_file_with_all_of_a_group_in_one_part(tmp_path):
    groups = np.repeat(np.arange(10), 4)
    values = np.broadcast_to((groups / 10.0)[:, None, None, None, None], (40, 5, 6, 7, 3))
    parts = saved(tmp_path, values=values, labels=np.arange(40) % 2, groups=groups).open()
    seen = [set(np.round(part.values[:, 0, 0, 0, 0] * 10).astype(int).tolist()) for part in parts]
    assert sum(map(len, parts)) == 40
    assert set.union(*seen) == set(range(10))
    assert sum(map(len, seen)) == 10
    assert parts.train.shape == (5, 6, 7, 3)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"values": np.zeros((4, 8, 1), np.uint8)}, "no array 'labels'"),
        ({"values": np.zeros((4, 8), np.uint8), "labels": np.zeros(4, int)}, "one channel is added"),
        ({"values": np.zeros((4, 8, 1), np.uint8), "labels": np.full(4, 2)}, "2 classes are named"),
        ({"values": np.full((4, 8, 1), 7.0), "labels": np.zeros(4, int)}, "run from 7 to 7"),
        ({"values": np.zeros((4, 8, 1), np.uint8), "labels": np.zeros(3, int)}, "one for each of 4"),
        ({"values": np.zeros((2, 8, 1), np.uint8), "labels": np.zeros(2, int)}, "too few groups"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, arrays, says):
    with pytest.raises(UserError, match=says):
        saved(tmp_path, **arrays).open()


def test_a_missing_file_is_named():
    with pytest.raises(UserError, match="nowhere"):
        ExampleArrays(path="/nowhere/films.npz", classes=("a", "b")).open()
