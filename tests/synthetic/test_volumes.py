import numpy as np
import pytest

from likeness.research.data import Volumes
from likeness.research.synthetic.volumes import FINDINGS, draw_volumes

SMALL = Volumes(train=12, validation=8, test=8)


def alike(n, size=16):
    """Volumes of each finding that differ in nothing but the finding, (findings, n, size, size, size)."""
    of_one = [draw_volumes(np.full(n, label, np.int32), np.random.default_rng(4), size) for label in range(len(FINDINGS))]
    return np.stack(of_one)[..., 0]


def test_the_same_seed_draws_the_same_and_parts_are_disjoint():
    first, again, other = SMALL.open(), SMALL.open(), Volumes(train=12, validation=8, test=8, seed=1).open()
    for part, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(part.values, same.values)
    assert first.train.fingerprint != other.train.fingerprint
    volumes = [row.tobytes() for part in first for row in part.values]
    assert len(set(volumes)) == len(volumes) == 28


def test_shapes_and_balance():
    train = SMALL.open().train
    assert train.values.dtype == np.uint8
    assert train.shape == (16, 16, 16, 1)
    assert train.counts().tolist() == [3] * 4


def test_a_finding_brightens_what_it_fills_and_nothing_else():
    volumes = alike(40).astype(np.int64)
    nothing, ball, shell, tube = volumes
    for finding in (ball, shell, tube):
        # A voxel is rounded up or down.
        assert (finding >= nothing - 1).all()
        assert ((finding > nothing + 15).sum((1, 2, 3)) > 0).mean() > 0.95
        assert (finding == nothing).mean() > 0.8
    assert (shell <= ball + 1).all()
    # The tube goes through many slices, the ball through few.
    deep = [((finding > nothing + 15).any((2, 3)).sum(1)).mean() for finding in (ball, shell, tube)]
    assert deep[2] > deep[0] + 1
    size = [(finding > nothing + 15).sum((1, 2, 3)).mean() for finding in (ball, shell, tube)]
    assert max(size) < 3 * min(size)


def test_no_classifier_of_central_slices_is_good():
    """Volumes that differ in the finding alone have the same central slice where the finding does not meet it.

    Of the K volumes of one draw, whoever sees only slices names at most as many right as there are different slices, so the
    accuracy on classes of equal frequency is at most the mean number of different slices, divided by K.
    """
    slices = alike(300)[:, :, 8]
    missed = (slices[0] == slices[1]).all((1, 2)).mean()
    assert 0.33 < missed < 0.5
    different = [len({slices[label, i].tobytes() for label in range(len(FINDINGS))}) for i in range(300)]
    assert 0.65 < np.mean(different) / len(FINDINGS) < 0.75


def test_the_central_slice_is_that_of_the_volume():
    volumes, slices = SMALL.open().test, Volumes(train=12, validation=8, test=8, view="central slice").open().test
    np.testing.assert_array_equal(slices.values, volumes.values[:, 8])
    assert slices.shape == (16, 16, 1)


@pytest.mark.parametrize("fields", [{"test": 0}, {"noise": -1.0}, {"seed": -1}, {"size": 8}])
def test_refuses_fields_without_meaning(fields):
    with pytest.raises(ValueError, match="Volumes"):
        Volumes(**fields)
