import json

import numpy as np
import pytest

from likeness.research.data import BadImage, BalancedPairs, IdentityBatches, Shuffled, from_arrays, stream
from likeness.research.errors import UserError


@pytest.fixture
def images():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3)).astype(np.uint8)
    return from_arrays(pixels, np.arange(24) % 6)


def take(iterator, n):
    return [next(iterator) for _ in range(n)]


def assert_equal(first, second):
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])


@pytest.mark.parametrize(("threads", "prefetch"), [(0, 0), (2, 4), (None, 4)])
def test_batches_are_read_in_order(images, threads, prefetch):
    batches = IdentityBatches(people=3, images=2).batches(images, 1)
    iterator = stream(images, batches, threads=threads, prefetch=prefetch)
    for i, batch in enumerate(take(iterator, 7)):
        np.testing.assert_array_equal(batch["rows"], batches[i])
        np.testing.assert_array_equal(batch["images"], images.read(batches[i]))
        np.testing.assert_array_equal(batch["labels"], images.labels[batches[i]])
        dtypes = {key: array.dtype.name for key, array in batch.items()}
        assert dtypes == {"images": "uint8", "labels": "int32", "rows": "int64"}
    iterator.close()


@pytest.mark.parametrize("stop", [0, 1, 5])
def test_resuming_from_a_state_is_exact(images, stop):
    """The state is what has been handed out, not what has been read ahead; it survives JSON."""
    batches = BalancedPairs(pairs=4).batches(images, 1)
    whole = take(stream(images, batches), stop + 4)
    first = stream(images, batches)
    take(first, stop)
    state = json.loads(json.dumps(first.get_state()))
    second = stream(images, BalancedPairs(pairs=4).batches(images, 1))
    take(second, 2)
    second.set_state(state)
    assert_equal(take(second, 4), whole[stop:])


def test_start_counts_from_the_first_batch_of_all(images):
    batches = Shuffled(4).batches(images, 1)
    whole = take(stream(images, batches), 6)
    late = stream(images, batches, start=3)
    assert_equal(take(late, 1), whole[3:4])
    again = stream(images, batches)
    again.set_state(late.get_state())
    assert_equal(take(again, 2), whole[4:])


def test_processes_share_a_batch_in_order(images):
    batches = IdentityBatches(people=3, images=4).batches(images, 1)
    whole = take(stream(images, batches), 3)
    parts = [take(stream(images, batches, process_index=p, process_count=4), 3) for p in range(4)]
    joined = [{key: np.concatenate([part[i][key] for part in parts]) for key in whole[0]} for i in range(3)]
    assert_equal(joined, whole)
    assert len(parts[0][0]["rows"]) == 3


def test_a_batch_that_does_not_divide_is_an_error(images):
    batches = Shuffled(6).batches(images, 1)
    with pytest.raises(UserError, match=r"6 rows .* 4 processes"):
        stream(images, batches, process_count=4)
    with pytest.raises(ValueError, match="process_index"):
        stream(images, batches, process_index=2, process_count=2)


def test_an_error_in_reading_reaches_the_caller(images):
    import dataclasses

    def read(rows):
        raise BadImage("ann/1.jpg", "it went away")

    iterator = stream(dataclasses.replace(images, read=read), Shuffled(2).batches(images, 0))
    with pytest.raises(BadImage, match="it went away"):
        next(iterator)
    iterator.close()
