"""Face identification: which of the enrolled people is this, or is it nobody we know?"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.checks import UncheckedLabels, UncheckedNumbers, as_numpy, check_numbers, check_threshold
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import (
    REPLICATES,
    clustered_interval,
    clustered_rate,
    replicate_weights,
    share_people,
)
from likeness.research.metrics.intervals import Estimate, wilson_interval
from likeness.research.metrics.verification import rate_name

FPIRS = (1e-1, 1e-2)
"""False-positive identification rates at which the miss rate is reported."""

UNKNOWN = -1
"""What :func:`identify` answers for a face of nobody enrolled."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Who is enrolled and who knocks at the door; rows of the table the labels came from."""

    gallery: Int[np.ndarray, "g"]
    """Enrolled images."""
    probes: Int[np.ndarray, "p"]
    """Other images of enrolled people (mated)."""
    unknowns: Int[np.ndarray, "u"]
    """Images of people who are not enrolled (non-mated)."""


@dataclasses.dataclass(frozen=True)
class Cmc:
    """Cumulative match characteristic: how often the right person is among the nearest ``rank``."""

    rank: Int[np.ndarray, "k"]
    rate: Float[np.ndarray, "k"]
    low: Float[np.ndarray, "k"]
    high: Float[np.ndarray, "k"]
    n: int


@dataclasses.dataclass(frozen=True)
class OpenSetRates:
    """What an identifier with unknowns does at one threshold."""

    fnir: Estimate
    """Enrolled people not named: called unknown or taken for another."""
    fpir: Estimate
    """Unknown people given some enrolled person's name."""
    misnamed: Estimate
    """Enrolled people taken for another enrolled person."""


def protocol(labels: UncheckedLabels, shots: int = 1, enrolled: float = 0.5, seed: int = 0) -> Protocol:
    """Returns a seeded open-set protocol: some people enrolled with ``shots`` images each, the others unknown.

    People with no image to spare for a probe are never enrolled.

    Args:
        labels: The person in each image.
        shots: Images enrolled per person.
        enrolled: Fraction of the people to enrol; 1 enrols everyone who can be, so few or no unknowns remain.
        seed: Of the choice of people and images.

    Raises:
        UserError: If nobody has more than ``shots`` images.
    """
    if shots < 1 or not 0 < enrolled <= 1:
        raise UserError(f"Enrol at least one shot of a fraction of people in (0, 1], not {shots} shots of {enrolled}.")
    table = as_numpy("protocol", "labels", labels, ("n",), "integers", "Give the person in each image.")
    people, counts = np.unique(table, return_counts=True)
    rng = np.random.default_rng(seed)
    eligible = rng.permutation(people[counts > shots])
    if len(eligible) == 0:
        images = "1 image" if shots == 1 else f"{shots} images"
        raise UserError(
            f"Nobody can be enrolled with {images} and probed with another: the most that any of the {len(people)} people "
            f"has is {counts.max(initial=0)}. Use fewer shots or people with more images."
        )
    chosen = np.sort(eligible[: max(1, round(enrolled * len(people)))])
    gallery, probes = [], []
    for person in chosen:
        rows = rng.permutation(np.flatnonzero(table == person))
        gallery.append(rows[:shots])
        probes.append(np.sort(rows[shots:]))
    unknowns = np.flatnonzero(~np.isin(table, chosen))
    return Protocol(np.concatenate(gallery), np.concatenate(probes), unknowns)


def person_distances(
    distances: UncheckedNumbers, gallery_labels: UncheckedLabels
) -> tuple[Float[np.ndarray, "p k"], Int[np.ndarray, "k"]]:
    """Returns the distance of each probe to each enrolled person, the nearest of their images, and the people.

    Raises:
        UserError: If a distance is NaN, the gallery is empty or the shapes disagree.
    """
    matrix = check_numbers("identification", "distances", distances)
    labels = as_numpy("identification", "gallery_labels", gallery_labels, ("g",), "integers", "Give each column's person.")
    if matrix.ndim != 2 or matrix.shape[1] != len(labels):
        raise UserError(f"Distances {matrix.shape} do not fit {len(labels)} gallery images: one column for each.")
    if len(labels) == 0:
        raise UserError("The gallery is empty: enrol somebody before identifying anybody.")
    curves.refuse_nan(matrix)
    order = np.argsort(labels, kind="stable")
    people, starts = np.unique(labels[order], return_index=True)
    return np.minimum.reduceat(matrix[:, order], starts, axis=1), people


def identify(distances: UncheckedNumbers, gallery_labels: UncheckedLabels, threshold: float) -> Int[np.ndarray, "p"]:
    """Returns the label of the nearest enrolled person where ``d ≤ threshold``, else :data:`UNKNOWN`.

    Raises:
        UserError: If a distance is NaN, the gallery is empty or the shapes disagree.
        ValueError: If the threshold is NaN, or somebody enrolled has the label :data:`UNKNOWN`.

    Example:
        >>> identify(np.array([[0.2, 0.9], [0.8, 0.7]]), np.array([4, 6]), threshold=0.5).tolist()
        [4, -1]
    """
    check_threshold("identify", threshold)
    nearest, people = person_distances(distances, gallery_labels)
    if UNKNOWN in people:
        raise ValueError(f"identify: somebody enrolled has the label {UNKNOWN}, which is the answer for nobody. Give another.")
    return np.where(nearest.min(axis=1) <= threshold, people[nearest.argmin(axis=1)], UNKNOWN)


def mate_ranks(
    distances: UncheckedNumbers, probe_labels: UncheckedLabels, gallery_labels: UncheckedLabels
) -> Int[np.ndarray, "p"]:
    """Returns the rank of the right person for each probe, 1 being the nearest.

    A tie counts against the right person: an embedding that sends everybody to one point recognizes nobody.

    Raises:
        UserError: If a probe's person is not enrolled.
    """
    nearest, people = person_distances(distances, gallery_labels)
    labels = _probe_labels(probe_labels, len(nearest))
    column = np.minimum(np.searchsorted(people, labels), len(people) - 1)
    strangers = int((people[column] != labels).sum())
    if strangers:
        raise UserError(f"{strangers} of {len(labels)} probes show people who are not enrolled, so they have no rank.")
    own = np.take_along_axis(nearest, column[:, None], axis=1)
    return (nearest <= own).sum(axis=1)


def cmc(
    distances: UncheckedNumbers,
    probe_labels: UncheckedLabels,
    gallery_labels: UncheckedLabels,
    ranks: int = 20,
    seed: int = 0,
) -> Cmc:
    """Returns how often the right person is among the nearest 1, 2, …, ``ranks`` enrolled people.

    Args:
        distances: Of every probe to every gallery image; the nearest image stands for its person.
        probe_labels: All of them enrolled (closed set).
        gallery_labels: The person in each gallery image.
        ranks: The last rank, at most the number of enrolled people.
        seed: Of resampling the people, since probes of one person stand or fall together.

    Raises:
        UserError: If there is no probe, a probe's person is not enrolled or a distance is NaN.
    """
    if ranks < 1:
        raise UserError(f"A CMC curve of {ranks} ranks has no point: give 1 or more.")
    if np.size(probe_labels) == 0:
        raise UserError("There is no probe of an enrolled person: a CMC curve needs one.")
    found = mate_ranks(distances, probe_labels, gallery_labels)
    rank = np.arange(1, min(ranks, len(np.unique(np.asarray(gallery_labels)))) + 1)
    estimates = [clustered_rate(found <= r, probe_labels, seed=seed) for r in rank]
    low, high = np.array([estimate.interval for estimate in estimates]).T
    rates = np.array([estimate.value for estimate in estimates], np.float64)
    return Cmc(rank, rates, low, high, len(found))


def identification(
    distances: UncheckedNumbers,
    probe_labels: UncheckedLabels,
    gallery_labels: UncheckedLabels,
    fpirs: Sequence[float] = FPIRS,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Returns ``identification/rank1`` and ``identification/fnir@fpir=…``, each with n and a 95 % interval.

    Rank 1 is closed-set: only probes of enrolled people count. The false-negative identification rate is
    open-set: τ is the largest threshold at which at most a fraction ``fpir`` of the probes of unknown people
    find *anybody* in the whole gallery within τ (the minimum over the gallery, never single pairs), and an
    enrolled person's probe is missed unless the nearest person is the right one and ``d ≤ τ``. DIR at FAR is
    its complement. Intervals resample people.

    Args:
        distances: Of every probe to every gallery image.
        probe_labels: The person in each probe; people without a gallery image are the unknowns.
        gallery_labels: The person in each gallery image.
        fpirs: False-positive identification rates at which to report.
        seed: Of the resampling.

    Raises:
        UserError: If the gallery is empty, a distance is NaN or a rate of ``fpirs`` is not within (0, 1).

    Grother et al., "Face Recognition Vendor Test, part 2: identification", NISTIR 8271.
    """
    if not all(0 < fpir < 1 for fpir in fpirs):
        raise UserError(f"False-positive identification rates must lie between 0 and 1, not {tuple(fpirs)}.")
    score, mated, correct = _scores(distances, probe_labels, gallery_labels)
    labels = np.asarray(probe_labels)
    metrics = {"identification/rank1": clustered_rate(correct[mated], labels[mated], seed=seed)}
    curve = curves.roc(score, mated)
    limits = np.asarray(fpirs, np.float64)
    samples = None
    people = np.stack([labels, labels], axis=1)
    if mated.any() and (~mated).any() and share_people(people):
        batches = replicate_weights(people, REPLICATES, seed)
        samples = np.concatenate([curves.tar_at_far(curves.roc(score, mated, w), limits) for w in batches])
    hits = curves.tar_at_far(curve, limits) if mated.any() else np.full(len(limits), np.nan)
    for i, fpir in enumerate(fpirs):
        needed, strangers, n = int(np.ceil(1 / fpir - 1e-9)), int((~mated).sum()), int(mated.sum())
        if n == 0:
            estimate = Estimate.unresolvable(0, "there is no probe of an enrolled person")
        elif strangers < needed:
            why = f"FPIR {rate_name(fpir)} needs {needed} probes of unknown people, there are {strangers}"
            estimate = Estimate.unresolvable(n, why)
        else:
            hit = float(hits[i])
            if samples is None:
                interval = wilson_interval(hit, n)
            else:
                # The rate rests on both kinds of people, so it is known no better than the scarcer kind allows.
                kinds = [len(np.unique(labels[kind])) for kind in (mated, ~mated)]
                interval = clustered_interval(hit, samples[:, i], min(kinds), n, n / kinds[0])
            estimate = Estimate.around(hit, interval, n=n).complement()
        metrics[f"identification/fnir@fpir={rate_name(fpir)}"] = estimate
    return metrics


def at_threshold(
    distances: UncheckedNumbers,
    probe_labels: UncheckedLabels,
    gallery_labels: UncheckedLabels,
    threshold: float,
    seed: int = 0,
) -> OpenSetRates:
    """Returns what naming the nearest person within ``threshold``, or nobody, gets wrong.

    A rate without probes of its kind is unresolvable.

    Raises:
        UserError: If the gallery is empty or a distance is NaN.
        ValueError: If the threshold is NaN.
    """
    check_threshold("identification", threshold)
    score, mated, correct = _scores(distances, probe_labels, gallery_labels)
    labels = np.asarray(probe_labels)
    nearest = person_distances(distances, gallery_labels)[0].min(axis=1, initial=np.inf)
    named = nearest <= threshold
    return OpenSetRates(
        fnir=clustered_rate(score[mated] > threshold, labels[mated], seed=seed),
        fpir=clustered_rate(named[~mated], labels[~mated], seed=seed),
        misnamed=clustered_rate((named & ~correct)[mated], labels[mated], seed=seed),
    )


def compound_error(error: float | int, people: float | int) -> float:
    """Returns 1 - (1 - e)^K: how often a verifier of error e errs at least once against K enrolled people.

    Exact when the K comparisons err independently, and never more than K e; the reason why a verifier that is
    right 99 times in 100 is useless at the door of a hundred people.

    Example:
        >>> round(compound_error(0.01, 100), 3)
        0.634
    """
    if not 0 <= error <= 1 or not people >= 0:
        raise UserError(f"An error of {error} against {people} people makes no sense: give a rate in [0, 1].")
    return 1.0 if error == 1 and people else float(-np.expm1(people * np.log1p(-error))) if people else 0.0


def _probe_labels(labels: UncheckedLabels, count: int) -> Int[np.ndarray, "p"]:
    return as_numpy("identification", "probe_labels", labels, (count,), "integers", "Give the person of each row of distances.")


def _scores(
    distances: UncheckedNumbers, probe_labels: UncheckedLabels, gallery_labels: UncheckedLabels
) -> tuple[Float[np.ndarray, "p"], Bool[np.ndarray, "p"], Bool[np.ndarray, "p"]]:
    nearest, people = person_distances(distances, gallery_labels)
    labels = _probe_labels(probe_labels, len(nearest))
    mated = np.isin(labels, people)
    correct = np.zeros(len(labels), bool)
    if mated.any():
        correct[mated] = mate_ranks(np.asarray(distances)[mated], labels[mated], gallery_labels) == 1
    best = nearest.min(axis=1, initial=np.inf)
    # A probe taken for another person is missed at every threshold: it is infinitely far from being accepted.
    return np.where(mated & ~correct, np.inf, best), mated, correct
