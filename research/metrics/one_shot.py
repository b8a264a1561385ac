"""N-way K-shot trials: which of N people seen K times each is this?"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Int
from scipy.special import bdtr

from likeness.research.checks import UncheckedFlags, UncheckedLabels, UncheckedNumbers, as_numpy, check_numbers
from likeness.research.errors import UserError
from likeness.research.metrics.bootstrap import clustered_rate
from likeness.research.metrics.intervals import Estimate, wilson
from likeness.research.metrics.roc import refuse_nan


@dataclasses.dataclass(frozen=True)
class Trials:
    """Trials of N-way K-shot recognition; rows of the table the labels came from."""

    support: Int[np.ndarray, "t ways shots"]
    query: Int[np.ndarray, "t"]
    answers: Int[np.ndarray, "t"]
    """Which of the N ways is right."""
    people: Int[np.ndarray, "t"]
    """The label of the query."""

    def __len__(self) -> int:
        return len(self.query)


@dataclasses.dataclass(frozen=True)
class McNemar:
    """Two systems on the same trials: how often only one of them erred, and the exact two-sided p-value."""

    only_first_wrong: int
    only_second_wrong: int
    p_value: float
    n: int


def draw_trials(
    labels: UncheckedLabels,
    ways: int = 20,
    shots: int = 1,
    count: int = 400,
    seed: int = 0,
    groups: UncheckedLabels | None = None,
) -> Trials:
    """Returns seeded N-way K-shot trials: ``ways`` distinct people, ``shots`` images of each, one further image.

    Args:
        labels: The person (or character) in each image.
        ways: People to choose between.
        shots: Images shown of each.
        count: Number of trials.
        seed: Trial i depends on ``(seed, i)`` only.
        groups: The group of each person, indexed by label, to draw all ways of a trial from one group
            (Omniglot's within-alphabet trials); None to draw from everybody.

    Raises:
        UserError: If too few people have ``shots + 1`` images.
    """
    if min(ways, shots, count) < 1:
        raise UserError(f"{count} trials of {ways} ways and {shots} shots cannot be drawn: all must be at least 1.")
    table = as_numpy("draw_trials", "labels", labels, ("n",), "integers", "Give the person in each image.")
    people, counts = np.unique(table, return_counts=True)
    rows = dict(zip(people.tolist(), np.split(np.argsort(table, kind="stable"), np.cumsum(counts)[:-1]), strict=True))
    able = people[counts > shots]
    membership = np.zeros(len(able), np.int64) if groups is None else _group_of_each(groups, people)[able]
    pools = [able[membership == group] for group in np.unique(membership)]
    pools = [pool for pool in pools if len(pool) >= ways]
    if not pools:
        where = "" if groups is None else " of one group"
        raise UserError(
            f"{ways}-way {shots}-shot trials need {ways} people{where} with {shots + 1} images each; of {len(people)} "
            f"people {len(able)} have that many. Use fewer ways or shots, or more data."
        )
    support = np.empty((count, ways, shots), np.int64)
    query, answers, shown = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        chosen = rng.choice(pools[rng.integers(len(pools))], size=ways, replace=False)
        answers[i] = rng.integers(ways)
        shown[i] = chosen[answers[i]]
        for way, person in enumerate(chosen.tolist()):
            images = rng.choice(rows[person], size=shots + 1, replace=False)
            support[i, way] = images[:shots]
            if way == answers[i]:
                query[i] = images[shots]
    return Trials(support, query, answers, shown)


def _group_of_each(groups: UncheckedLabels, people: Int[np.ndarray, "p"]) -> Int[np.ndarray, "g"]:
    """A label below 0 would look its group up from the end of the list."""
    given = as_numpy("draw_trials", "groups", groups, ("g",), "integers", "Give the group of each person, by label.")
    if people.size and not 0 <= people[0] <= people[-1] < len(given):
        raise ValueError(
            f"draw_trials: labels run from {people[0]} to {people[-1]} and there are {len(given)} groups: the i-th is that of "
            "the person with the label i."
        )
    return given


def wrong(distances: UncheckedNumbers, answers: UncheckedLabels) -> Bool[np.ndarray, "*t"]:
    """Returns which trials fail: the right way is not strictly nearer than every other.

    A tie fails, so an embedding that sends everything to one point is always wrong rather than right by luck.

    Args:
        distances: Of the query to each way: to its image, its nearest image or its prototype.
        answers: Index of the right way.

    Raises:
        UserError: If a distance is NaN.
        ValueError: If there is not one answer a trial, or an answer is none of the ways.
    """
    d = check_numbers("one_shot", "distances", distances)
    right = as_numpy("one_shot", "answers", answers, d.shape[:-1], "integers", "Give the index of the right way of each trial.")
    if right.size and not 0 <= right.min() <= right.max() < d.shape[-1]:
        raise ValueError(
            f"one_shot: answers run from {right.min()} to {right.max()}, and there are {d.shape[-1]} ways, counted from 0."
        )
    refuse_nan(d)
    own = np.take_along_axis(d, right[..., None], axis=-1)
    return (d <= own).sum(axis=-1) > 1


def one_shot(
    distances: UncheckedNumbers,
    answers: UncheckedLabels,
    people: UncheckedLabels | None = None,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Returns ``one_shot/error`` of N-way K-shot trials.

    Args:
        distances: Of the query to each way.
        answers: Index of the right way.
        people: Who the query shows. Drawn trials reuse people, and drawing more of them teaches nothing new
            about the people; given this, the interval resamples people. None declares the trials independent
            (Wilson).
        seed: Of the resampling.

    Raises:
        UserError: If a distance is NaN.
    """
    failed = wrong(distances, answers)
    if people is None:
        return {"one_shot/error": wilson(int(failed.sum()), failed.size)}
    return {"one_shot/error": clustered_rate(failed, people, seed=seed)}


def omniglot_runs(distances: UncheckedNumbers, answers: UncheckedLabels) -> dict[str, Estimate]:
    """Returns ``one_shot/error`` of Omniglot's official runs, with Wilson's interval over all their trials.

    The official set has 20 runs of 20 test images, each to be matched with one of 20 training images
    within one
    alphabet: 400 trials. Each test is evaluated alone; that the tests are a permutation of the training images
        is not used.

    Args:
        distances: Of each run's test images to its training images.
        answers: Index of the right training image of each test image.

    Raises:
        UserError: If a distance is NaN.

    Lake et al., "Human-level concept learning through probabilistic program induction", Science 2015.
    """
    failed = wrong(distances, answers)
    return {"one_shot/error": wilson(int(failed.sum()), failed.size)}


def mcnemar(first_wrong: UncheckedFlags, second_wrong: UncheckedFlags) -> McNemar:
    """Returns McNemar's exact test of whether two systems, evaluated on the same trials, differ.

    Only trials on which exactly one of them errs tell them apart; under equality that one is either with
    probability one half, so p = min(1, 2 P(Binomial(b + c, 1/2) ≤ min(b, c))).

    Example:
        >>> mcnemar(np.array([True] * 6 + [False]), np.array([False] * 7)).p_value
        0.03125
    """
    a, b = (as_numpy("mcnemar", "outcomes", given, ("n",), "booleans") for given in (first_wrong, second_wrong))
    if a.shape != b.shape:
        raise UserError(f"McNemar's test pairs outcomes on the same trials, but there are {a.size} and {b.size}.")
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    n = only_first + only_second
    p_value = min(1.0, 2.0 * float(bdtr(min(only_first, only_second), n, 0.5))) if n else 1.0
    return McNemar(only_first, only_second, p_value, a.size)
