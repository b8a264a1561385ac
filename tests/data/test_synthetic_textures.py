import copy

import numpy as np
import pytest

from likeness.research.data import IdentityBatches, Textures
from likeness.research.synthetic.textures import CHANGES

DATA = Textures(families=3, images=2, size=16)


def test_the_table():
    images = DATA.open()
    assert len(images) == 3 * 5 * 2
    assert images.people[5:10] == tuple(f"texture-0001-{number}-{change}" for number, change in enumerate(CHANGES))
    assert images.names[3] == "texture-0000-1-colors/1"
    assert images.groups is not None
    assert images.groups.tolist() == [0] * 5 + [1] * 5 + [2] * 5


def test_rows_are_the_same_in_any_order_and_whether_or_not_they_are_kept():
    rows = np.array([7, 0, 23, 7])
    kept, anew = DATA.open(), Textures(families=3, images=2, size=16, cache=0).open()
    assert np.array_equal(kept.read(rows), anew.read(rows))
    assert np.array_equal(kept.read(rows)[::-1], kept.read(rows[::-1]))
    more = Textures(families=9, images=2, size=16).open()
    assert np.array_equal(more.read(rows), kept.read(rows))
    assert np.array_equal(copy.deepcopy(kept.read)(rows), kept.read(rows))


def test_what_changes_the_images_changes_the_fingerprint():
    others = [Textures(families=3, images=2, size=16, seed=1), Textures(families=3, images=2, size=16, largest=40.0)]
    assert len({each.open().fingerprint for each in (DATA, *others)}) == 3
    assert Textures(families=3, images=2, size=16, cache=0).open().fingerprint == DATA.open().fingerprint


def test_batches_hold_whole_families():
    images = Textures(families=5, images=3, size=16).open()
    assert images.groups is not None
    for batch in IdentityBatches(people=10, images=2, within_group=1.0, groups=2).batches(images, seed=0)[:20]:
        drawn = images.groups[images.labels[batch]]
        assert np.unique(drawn, return_counts=True)[1].tolist() == [10, 10]
        assert len(set(images.labels[batch].tolist())) == 10


@pytest.mark.parametrize("changes", [{"families": 0}, {"size": 8}, {"smallest": 30.0}])
def test_bad_fields_are_named(changes):
    with pytest.raises(ValueError, match=f"Textures.{next(iter(changes))}"):
        Textures(**changes)
