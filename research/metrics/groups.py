"""Error rates by group of people: whom does one threshold treat worse?"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from likeness.research.checks import UncheckedEmbeddings, UncheckedLabels, as_numpy
from likeness.research.distances import Cosine, Distance
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.all_pairs import rates_of_all_pairs
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.pair_stream import SIDE, Compare, PairStream, count_pairs
from likeness.research.metrics.verification import needed_pairs, rate_name
from likeness.research.tracking import Track, untracked


@dataclasses.dataclass(frozen=True)
class GroupRates:
    """Both error rates of a group at the one threshold that everybody has."""

    group: str
    people: int
    fmr: Estimate
    """False match rate: of pairs of two people of the group, how many are accepted."""
    fnmr: Estimate
    """False non-match rate: of pairs of one person of the group, how many are rejected."""


def group_rates(
    embeddings: UncheckedEmbeddings,
    labels: UncheckedLabels,
    groups: UncheckedLabels,
    names: Sequence[str],
    distance: Distance | Compare | None = None,
    *,
    far: float = 1e-3,
    threshold: float | None = None,
    side: int = SIDE,
    track: Track = untracked,
) -> tuple[float, tuple[GroupRates, ...]]:
    """Returns a threshold, and the false match and non-match rates of each group at it, over all pairs within the group.

    The threshold is everybody's: that of the false-accept rate ``far`` over all pairs of all people. Impostor pairs of a group
    are those within it, who are harder to tell apart than people drawn from everybody, and in whom most of the differences
    between groups are. Pairs of two groups count for none. Every pair is counted, none is sampled
    (:mod:`likeness.research.metrics.pair_stream`), and intervals know the people.

    Args:
        embeddings: (n, d).
        labels: The person in each.
        groups: The group of each, as an index of ``names``; -1 for none.
        names: Of the groups.
        distance: How embeddings are compared; the cosine distance by default.
        far: False-accept rate that the threshold is set for.
        threshold: The largest distance still called the same person, where it is set already.
        side: Of a tile of distances that are computed at once.
        track: Is told of the passes over all pairs, and of the groups.

    Raises:
        UserError: A person is in two groups, a distance is NaN, or all pairs together cannot resolve ``far``.
        ValueError: A group has no name.

    Grother, Ngan and Hanaoka, "Face Recognition Vendor Test, part 3: demographic effects", NISTIR 8280, 2019.
    """
    by = Cosine() if distance is None else distance
    table = as_numpy("group_rates", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.")
    people = as_numpy("group_rates", "labels", labels, (len(table),), "integers", "Give the person in each image.")
    of = as_numpy("group_rates", "groups", groups, (len(table),), "integers", "Give the group of each image, or -1.")
    if len(of) and (of.min() < -1 or of.max() >= len(names)):
        raise ValueError(f"group_rates: groups are numbered from {of.min()} to {of.max()}, and {len(names)} have a name.")
    couples = np.unique(np.stack([people, of], axis=1), axis=0)
    if len(couples) != len(np.unique(people)):
        raise UserError(
            f"{len(couples) - len(np.unique(people))} people are in two groups at once: give each person one group."
        )
    if threshold is None:
        stream = PairStream(table, people, by, side, track)
        counts = np.unique(people, return_counts=True)[1].astype(np.int64)
        different = int(counts.sum() ** 2 - (counts**2).sum()) // 2
        if different < needed_pairs(far):
            raise UserError(
                f"A threshold for FAR {rate_name(far)} needs {needed_pairs(far)} different-person pairs, and there are "
                f"{different}."
            )
        curve = count_pairs(stream, [far], find_eer=False)
        threshold = float(curve.thresholds[curves.indices_at_far(curve, [far])[0]])
    found = []
    for number, name in track("counting pairs of groups", list(enumerate(names))):
        own = of == number
        fmr, tar = rates_of_all_pairs(PairStream(table[own], people[own], by, side), [threshold])[0]
        found.append(GroupRates(name, len(np.unique(people[own])), fmr, tar.complement()))
    return threshold, tuple(found)
