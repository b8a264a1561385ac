"""One-shot trials: fair draws, errors by counting, McNemar against SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from likeness.research.errors import UserError
from likeness.research.metrics.intervals import wilson
from likeness.research.metrics.one_shot import draw_trials, mcnemar, omniglot_runs, one_shot, wrong

LABELS = np.repeat(np.arange(12), 4)


@pytest.mark.parametrize(("ways", "shots"), [(5, 1), (12, 3)])
def test_trials_are_fair(ways, shots):
    trials = draw_trials(LABELS, ways, shots, count=60, seed=1)
    assert trials.support.shape == (60, ways, shots)
    assert len(trials) == 60
    for support, query, answer, person in zip(trials.support, trials.query, trials.answers, trials.people, strict=True):
        shown = LABELS[support]
        assert (shown == shown[:, :1]).all()
        assert len(set(shown[:, 0])) == ways
        assert len(set(support.ravel())) == support.size
        assert shown[answer, 0] == LABELS[query] == person
        assert query not in support
    assert len(set(trials.answers.tolist())) > 1


def test_trials_are_seeded_one_by_one():
    few, many = draw_trials(LABELS, 5, count=3, seed=2), draw_trials(LABELS, 5, count=9, seed=2)
    np.testing.assert_array_equal(few.support, many.support[:3])
    np.testing.assert_array_equal(few.query, many.query[:3])
    assert (draw_trials(LABELS, 5, count=9, seed=3).support != many.support).any()


def test_trials_within_a_group():
    groups = np.arange(12) // 4
    trials = draw_trials(LABELS, 4, count=40, groups=groups)
    alphabets = groups[LABELS[trials.support[..., 0]]]
    assert (alphabets == alphabets[:, :1]).all()
    assert len(np.unique(alphabets)) == 3
    with pytest.raises(UserError, match="5 people of one group"):
        draw_trials(LABELS, 5, groups=groups)


def test_impossible_trials_are_refused():
    with pytest.raises(UserError, match="of 12 people 0 have that many"):
        draw_trials(LABELS, 5, shots=4)
    with pytest.raises(UserError, match="20 people with 2 images"):
        draw_trials(LABELS, 20)
    with pytest.raises(UserError, match="at least 1"):
        draw_trials(LABELS, 5, count=0)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(0, 5), min_size=4, max_size=4), min_size=1, max_size=20), st.integers(0, 3))
def test_the_right_way_must_be_strictly_nearest(rows, answer):
    distances = np.array(rows, np.float64)
    answers = np.full(len(rows), answer)
    expected = [row[answer] >= min(row[:answer] + row[answer + 1 :]) for row in rows]
    np.testing.assert_array_equal(wrong(distances, answers), expected)


def test_error_and_its_interval():
    distances = np.random.default_rng(0).random((200, 5))
    answers = distances.argmin(axis=1)
    answers[:16] = (answers[:16] + 1) % 5
    assert one_shot(distances, answers) == {"one_shot/error": wilson(16, 200)}


def test_more_trials_on_the_same_people_bring_no_confidence():
    people = np.repeat(np.arange(10), 100)
    distances = np.where(people % 5 == 0, 2.0, 0.0)[:, None] * np.array([[1.0, 0.0]]) + np.array([[0.0, 1.0]])
    answers = np.zeros(1000, np.int64)
    clustered = one_shot(distances, answers, people)["one_shot/error"]
    independent = one_shot(distances, answers)["one_shot/error"]
    assert clustered.value == independent.value == 0.2
    assert clustered.high - clustered.low > 5 * (independent.high - independent.low)


def test_omniglots_400_trials():
    distances = np.tile(1 - np.eye(20), (20, 1, 1))
    answers = np.tile(np.arange(20), (20, 1))
    answers[:16, :2] = answers[:16, 1::-1]
    assert omniglot_runs(distances, answers) == {"one_shot/error": wilson(32, 400)}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_mcnemar_equals_scipy(outcomes):
    first, second = np.array(outcomes, bool).reshape(-1, 2).T
    result = mcnemar(first, second)
    assert result.only_first_wrong == sum(a and not b for a, b in outcomes)
    assert result.only_second_wrong == sum(b and not a for a, b in outcomes)
    assert result.n == len(outcomes)
    discordant = result.only_first_wrong + result.only_second_wrong
    expected = stats.binomtest(result.only_first_wrong, discordant).pvalue if discordant else 1.0
    np.testing.assert_allclose(result.p_value, expected, rtol=0, atol=1e-12)


def test_each_trial_of_several_runs_has_its_own_answer():
    """Three runs of five trials with four ways."""
    distances = np.random.default_rng(0).random((3, 5, 4))
    nearest = distances.argmin(axis=-1)
    assert not wrong(distances, nearest).any()
    assert wrong(distances, (nearest + 1) % 4).all()
    for answers in (np.full((3, 5), 4), np.full((3, 5), -1), np.full((3, 4), 0), np.zeros(3, int)):
        with pytest.raises(ValueError, match="answers"):
            wrong(distances, answers)


def test_mcnemar_needs_the_same_trials():
    with pytest.raises(UserError, match="there are 2 and 3"):
        mcnemar(np.zeros(2, bool), np.zeros(3, bool))


def test_nan_is_refused():
    with pytest.raises(UserError, match="1 of 2 distances are NaN"):
        one_shot(np.array([[np.nan, 0.1]]), np.array([0]))
