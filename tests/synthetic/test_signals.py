import numpy as np
import pytest

from likeness.research.data import Ecg
from likeness.research.synthetic.signals import RHYTHMS, draw_ecg

SMALL = Ecg(train=12, validation=8, test=8)


def drawn(rhythm, n=40, **fields):
    labels = np.full(n, RHYTHMS.index(rhythm), np.int32)
    return draw_ecg(labels, np.random.default_rng(3), **fields)[..., 0]


def peaks(record):
    """The samples of the R peaks of a record without noise: no other wave is as sharp."""
    sharp = 2 * record[3:-3] - record[:-6] - record[6:]
    top = (sharp[1:-1] > sharp[:-2]) & (sharp[1:-1] >= sharp[2:]) & (sharp[1:-1] > 0.5 * sharp.max())
    return np.flatnonzero(top) + 4


def test_the_same_seed_draws_the_same_and_parts_are_disjoint():
    first, again, other = SMALL.open(), SMALL.open(), Ecg(train=12, validation=8, test=8, seed=1).open()
    for part, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(part.values, same.values)
        assert part.fingerprint == same.fingerprint
    assert first.train.fingerprint != other.train.fingerprint
    records = [row.tobytes() for part in first for row in part.values]
    assert len(set(records)) == len(records) == 28


def test_shapes_range_and_balance():
    train = SMALL.open().train
    assert train.values.dtype == np.float32
    assert train.shape == (512, 1)
    assert train.values.min() >= 0
    assert train.values.max() <= 1
    assert train.counts().tolist() == [3] * 4


def test_rates_and_order_are_those_of_the_rhythm():
    normal, fast, irregular = (
        [np.diff(peaks(record)) / 100 for record in drawn(rhythm, noise=0.0)]
        for rhythm in ("normal", "tachycardia", "atrial fibrillation")
    )
    assert all(0.5 < np.median(one) < 1.2 for one in normal)
    assert all(0.3 < np.median(one) < 0.65 for one in fast)
    spread = [np.median([one.std() / one.mean() for one in rhythm]) for rhythm in (normal, irregular)]
    assert spread[1] > 2 * spread[0]


def test_a_premature_beat_is_wide_and_followed_by_a_pause():
    """The widest complex of such a record lasts at least 1.8 times as long as the usual one."""

    def widest(record):
        steep = record - np.median(record)
        above = np.flatnonzero(steep > 0.5 * steep.max())
        runs = np.split(above, np.flatnonzero(np.diff(above) > 1) + 1)
        return max(len(run) for run in runs)

    wide, narrow = (np.median([widest(record) for record in drawn(r, noise=0.0)]) for r in ("premature ventricular", "normal"))
    assert wide >= 1.8 * narrow


def test_noise_is_what_is_asked_for():
    quiet, loud = (drawn("normal", noise=noise) for noise in (0.0, 0.3))
    assert np.abs(np.diff(loud, axis=1)).mean() > 2 * np.abs(np.diff(quiet, axis=1)).mean()


@pytest.mark.parametrize("fields", [{"train": 0}, {"noise": -1.0}, {"seed": -1}, {"length": 10}])
def test_refuses_fields_without_meaning(fields):
    with pytest.raises(ValueError, match="Ecg"):
        Ecg(**fields)
