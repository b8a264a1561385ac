import dataclasses
import json
import math

import numpy as np
import pytest

from likeness.research.errors import UserError
from likeness.research.gallery import Threshold
from likeness.research.metrics.intervals import Estimate

FAR = Estimate(value=0.01, low=0.008, high=0.0125, n=9900)
TAR = Estimate(value=0.9, low=0.85, high=0.94, n=200)


def threshold(**changes):
    fields = {"tau": 0.7, "target_far": 0.01, "far": FAR, "tar": TAR, "people": 10, "fingerprint": "abc", "distance": "Dot()"}
    return Threshold(**fields | changes)


def test_a_distance_equal_to_tau_is_the_same_person():
    """F1."""
    calibrated = threshold(tau=float(np.float32(0.1)))
    assert calibrated.decide(float(np.float32(0.1)))
    assert not calibrated.decide(float(np.nextafter(np.float32(0.1), np.float32(1))))
    assert calibrated.verify(0.05).same


def test_nan_is_not_decided():
    with pytest.raises(UserError, match="not a number"):
        threshold().decide(math.nan)


@pytest.mark.parametrize("changes", [{}, {"far": Estimate.unresolvable(10, "too few")}])
def test_it_comes_back_exactly_as_saved(tmp_path, changes):
    path = tmp_path / "threshold.json"
    saved = threshold(tau=0.1 + 0.2, **changes)
    saved.save(path)
    assert Threshold.load(path, "abc") == saved
    assert [item.name for item in tmp_path.iterdir()] == ["threshold.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "threshold.json"
    threshold().save(path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="the disk is full"):
        threshold(tau=0.1).save(path)
    assert Threshold.load(path) == threshold()
    assert [item.name for item in tmp_path.iterdir()] == ["threshold.json"]


def test_a_file_where_the_directory_should_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Cannot write .*threshold\.json: a file stands where a directory is needed"):
        threshold().save(tmp_path / "file" / "threshold.json")


def test_another_models_threshold_is_refused(tmp_path):
    threshold().save(tmp_path / "t.json")
    with pytest.raises(UserError, match=r"model abc and this is xyz.*calibrate"):
        Threshold.load(tmp_path / "t.json", "xyz")


def edited(**changes):
    return json.dumps({**dataclasses.asdict(threshold()), **changes})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("\udcff", "not JSON"),
        ("[1]", "instead of an object"),
        ("{}", "lacks"),
        (edited(tua=1), "unknown fields"),
        (edited(tau="0.7"), "Threshold.tau"),
        (edited(tau=True), "Threshold.tau"),
        (edited(tau=math.inf), "must be finite"),
        (edited(tau=10**400), "too large"),
        (edited(people=1), "two people"),
        (edited(target_far=0), "target_far"),
        (edited(far={"value": 2, "low": 0, "high": 1, "n": 1}), r"\[0, 1\]"),
        (edited(far=None), "instead of an object"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, text, said):
    path = tmp_path / "t.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=rf"t\.json.*{said}.*calibrate"):
        Threshold.load(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target_far": 0.0}, "target_far is 0.0"),
        ({"target_far": 1.0}, "target_far is 1.0"),
        ({"tau": math.nan}, "tau is nan"),
        ({"people": 1}, "two people or more"),
        ({"fingerprint": ""}, "a fingerprint"),
        ({"far": Estimate(0.5, 0.6, 0.7, 9)}, "Threshold.far is"),
        ({"far": Estimate(0.5, 0.4, 1.1, 9)}, "Threshold.far is"),
        ({"tar": Estimate(0.5, -0.1, 0.7, 9)}, "Threshold.tar is"),
        ({"tar": Estimate(0.5, 0.4, 0.7, -1)}, "Threshold.tar is"),
    ],
)
def test_what_is_no_threshold_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        threshold(**changes)


def test_what_is_barely_a_threshold_is_one():
    whole = Estimate(1.0, 0.0, 1.0, 0)
    assert threshold(people=2, target_far=0.999, far=whole, tar=Estimate(0.0, 0.0, 0.0, 1)).far == whole
    assert threshold(tau=-3.0).decide(-3.0)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        Threshold.load(tmp_path / "t.json")


def test_the_k_fold_error_equals_simulation():
    """F3."""
    trials, people, error = 200_000, 20, FAR.high
    accepted = np.random.default_rng(0).binomial(people, error, trials) > 0
    claimed = threshold().most_accepted(people)
    assert claimed == pytest.approx(1 - (1 - error) ** people, rel=1e-12)
    assert claimed <= people * error
    assert abs(accepted.mean() - claimed) < 4 * math.sqrt(claimed * (1 - claimed) / trials)


def test_of_an_unresolved_rate_everything_is_possible():
    unresolved = threshold(far=Estimate.unresolvable(3, "three pairs"))
    assert unresolved.most_accepted(2) == 1
    assert threshold(far=Estimate(value=1.0, low=0.5, high=1.0, n=3)).most_accepted(2) == 1
    assert threshold().most_accepted(0) == 0


def test_answers_read_well():
    assert str(threshold().verify(0.7)).startswith("same: distance 0.7 ≤ τ 0.7; false accepts at this τ 1.00 % [0.80,")
