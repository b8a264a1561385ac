"""Templates: several images of one person as one embedding, as IJB-B and IJB-C compare people."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from likeness.research.checks import (
    UncheckedEmbeddings,
    UncheckedFlags,
    UncheckedLabels,
    UncheckedNumbers,
    as_numpy,
    check_numbers,
)
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.all_pairs import PersonCounts, parts_of_far, parts_of_tar, slope_of, variance_of
from likeness.research.metrics.bootstrap import independent_pairs, varying_interval
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.verification import needed_pairs, rate_name

FARS = (1e-2, 1e-3, 1e-4, 1e-5)
"""False-accept rates at which IJB-B and IJB-C report the true-accept rate."""

_SHORT = 1e-12


def pool_templates(
    embeddings: UncheckedEmbeddings,
    templates: UncheckedLabels,
    media: UncheckedLabels | None = None,
    quality: UncheckedNumbers | None = None,
) -> tuple[Float[np.ndarray, "t d"], Int[np.ndarray, "t"]]:
    """Returns the pooled embedding of each template, of unit length, and the templates' numbers, rising.

    The images of one medium, such as the frames of a video, are averaged first, so that a long video weighs no more than a
    photograph; then the media of a template are averaged. With qualities q ≥ 0 the mean within a medium is
    ``Σ q_i f_i / Σ q_i``, and a medium weighs in the template by its mean quality. Without them all weigh alike, which is the
    protocol of the published IJB figures.

    Args:
        embeddings: (n, d), as they are to be averaged: of unit length where their norms should not count as a quality already.
        templates: The template of each image. An image in two templates is there twice.
        media: The medium of each image, such as a video's number; without, each image is a medium.
        quality: Of each image, from 0 on: a detector's score, or the norm of the embedding.

    Raises:
        UserError: A quality is negative or not finite, or a template has quality 0 throughout.
        ValueError: The columns do not belong together.

    Maze et al., "IARPA Janus Benchmark - C", ICB 2018; Ranjan et al., "Crystal loss and quality pooling", arXiv:1804.01159.

    Example:
        >>> images = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> codes, numbers = pool_templates(images, templates=np.array([7, 7, 7]), media=np.array([1, 1, 2]))
        >>> codes.astype(float).round(3).tolist(), numbers.tolist()
        ([[0.707, 0.707]], [7])
    """
    table = as_numpy("pool_templates", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.")
    n = len(table)
    owners = as_numpy("pool_templates", "templates", templates, (n,), "integers", "Give the template of each image.")
    numbers, of = np.unique(owners, return_inverse=True)
    weights = np.ones(n) if quality is None else check_numbers("pool_templates", "quality", quality)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise UserError(f"Qualities of shape {weights.shape} cannot weigh {n} images: give a finite number from 0 on for each.")
    if media is None:
        groups = np.arange(n)
    else:
        names = as_numpy("pool_templates", "media", media, (n,), "integers", "Give the medium of each image.")
        groups = np.unique(np.stack([of, names], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    count = int(groups.max(initial=-1)) + 1
    owner = np.zeros(count, np.int64)
    owner[groups] = of
    total, images = np.bincount(groups, weights, count), np.bincount(groups, minlength=count)
    means = _sums(table.astype(np.float64) * weights[:, None], groups, count) / np.where(total > 0, total, 1.0)[:, None]
    pooled = _sums(means * (total / np.maximum(images, 1))[:, None], owner, len(numbers))
    length = np.linalg.norm(pooled, axis=1, keepdims=True)
    if (length <= _SHORT).any():
        worst = int(numbers[np.argmin(length[:, 0])])
        raise UserError(
            f"Template {worst} has no direction: its images have quality 0, or their embeddings cancel. Leave it out."
        )
    return (pooled / length).astype(np.float32), numbers


def template_verification(
    distances: UncheckedNumbers,
    same: UncheckedFlags,
    pairs: UncheckedLabels,
    subjects: UncheckedLabels | None = None,
    fars: Sequence[float] = FARS,
) -> dict[str, Estimate]:
    """Returns ``templates/eer`` and ``templates/tar@far=…`` of listed pairs of templates, of which there may be millions.

    The rates are exact. The intervals are linear in how often each person is drawn, as in
    :func:`likeness.research.metrics.all_pairs.verify_all_pairs`; that of the equal error rate is of as many independent trials
    as the same-person pairs are worth.

    Args:
        distances: Smaller means more alike.
        same: Whether both templates show one person.
        pairs: (n, 2), the two templates of each, numbered from 0.
        subjects: The person of each template; without, templates that a same-person pair connects are one person's.
        fars: False-accept rates at which to report; one that the pairs cannot resolve is an unresolvable estimate.

    Raises:
        UserError: A kind of pair is missing, a distance is NaN, or ``subjects`` contradict ``same``.
    """
    d, s = curves.checked(distances, same)
    sides = as_numpy("template_verification", "pairs", pairs, (len(d), 2), "integers", "Give the two templates of each pair.")
    count = int(sides.max(initial=-1)) + 1
    if subjects is None:
        # Half a tenth of a second, for which nobody else waits.
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        edges = coo_array((np.ones(int(s.sum()), np.int8), (sides[s, 0], sides[s, 1])), shape=(count, count))
        people = connected_components(edges, directed=False)[1]
    else:
        people = as_numpy(
            "template_verification", "subjects", subjects, ("t",), "integers", "Give the person of each template."
        )
    who = np.unique(people[sides], return_inverse=True)[1].reshape(-1, 2)
    if ((who[:, 0] == who[:, 1]) != s).any():
        raise UserError(
            "The list of pairs and that of templates contradict each other: a pair of one subject is called different, "
            "or the other way round."
        )
    curve = curves.roc(d, s)
    if 0 in (curve.same_count, curve.different_count):
        raise UserError(
            f"There are {curve.same_count} same-person and {curve.different_count} different-person pairs; both are needed."
        )
    of_same = independent_pairs(who[s])[0]
    size = int(who.max()) + 1
    totals = _by_person(who[s], size, 1), _by_person(who[~s], size, 2)
    took_part = int((totals[0] > 0).sum())
    eer = float(curves.eer(curve))
    flat = varying_interval(eer, 0.0, took_part, of_same, of_same / took_part)
    found = {"templates/eer": Estimate.around(eer, flat, min(curve.same_count, curve.different_count))}
    for far in fars:
        name = f"templates/tar@far={rate_name(far)}"
        if curve.different_count < needed_pairs(far):
            why = f"FAR {rate_name(far)} needs {needed_pairs(far)} different-person pairs, there are {curve.different_count}"
            found[name] = Estimate.unresolvable(curve.same_count, why)
            continue
        at = int(curves.indices_at_far(curve, [far])[0])
        near = d <= curve.thresholds[at]
        counts = PersonCounts(_by_person(who[s & near], size, 1), _by_person(who[near & ~s], size, 2))
        parts = parts_of_tar(counts, totals) - slope_of(curve, far) * parts_of_far(counts, totals)
        rate = float(curve.tar[at])
        interval = varying_interval(rate, variance_of(parts, took_part), took_part, of_same, of_same / took_part)
        found[name] = Estimate.around(rate, interval, curve.same_count)
    return found


def _by_person(pairs: np.ndarray, people: int, sides: int) -> np.ndarray:
    return sum((np.bincount(pairs[:, side], minlength=people) for side in range(sides)), np.zeros(people, np.int64))


def _sums(rows: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    found = np.zeros((count, rows.shape[1]))
    np.add.at(found, groups, rows)
    return found
