"""From the error of one comparison to that of identification: galleries of K people drawn at random, all of them at once.

A verifier of error e that is asked K times errs at least once with probability 1 - (1 - e)^K, if its answers were independent.
How far they are, and what is gained by asking for the nearest instead of K times for yes or no, is measured here. A gallery is
K people with one image each, the probe's own person among them. There are more of them than can be drawn; but whether a probe
goes wrong depends only on whether one of the r people who are too near to it is in the gallery, so that the mean over all
galleries has a closed form: K - 1 of P others are drawn without any of the r with probability C(P - r, K - 1) / C(P, K - 1).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln

from likeness.research.checks import UncheckedEmbeddings, UncheckedLabels, as_numpy, check_threshold
from likeness.research.distances import Cosine, Distance
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import REPLICATES, clustered_interval, clustered_rate, replicate_weights
from likeness.research.metrics.identification import compound_error
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.pair_stream import SIDE, Compare, Track, compare_blocks, untracked
from likeness.research.types import AnyArray

SIZES = (2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
"""People in a gallery."""


@dataclasses.dataclass(frozen=True)
class RandomGalleries:
    """Errors of one comparison, and of identification among K people of whom the probe's is one."""

    threshold: float
    """τ, within which a comparison says "the same person"."""
    missed: Estimate
    """Probes farther than τ from the enrolled image of their own person: FNMR(τ)."""
    accepted: Estimate
    """Comparisons with another person that lie within τ: FMR(τ)."""
    other_nearer: Estimate
    """How often one other person, drawn at random, is at least as near as the own one: the error among two people."""
    sizes: tuple[int, ...]
    """K, rising."""
    verified: tuple[Estimate, ...]
    """Of each K: identification by K verifications, of which at least one is wrong. The own person is missed, or another of
    the K - 1 is accepted."""
    nearest: tuple[Estimate, ...]
    """Of each K: identification by the nearest, and another of the K - 1 is at least as near as the own person."""

    @property
    def verified_if_independent(self) -> Float[np.ndarray, "k"]:
        """``1 - (1 - FNMR)(1 - FMR)^(K - 1)``, which is 1 - (1 - e)^K where both are e."""
        accepted = self._as_independent(self.accepted)
        return 1 - (1 - (self.missed.value or 0.0)) * (1 - accepted)

    @property
    def nearest_if_independent(self) -> Float[np.ndarray, "k"]:
        """``1 - (1 - e)^(K - 1)`` with the error e among two people."""
        return self._as_independent(self.other_nearer)

    def _as_independent(self, error: Estimate) -> Float[np.ndarray, "k"]:
        return np.array([compound_error(error.value or 0.0, size - 1) for size in self.sizes])


def in_random_galleries(
    embeddings: UncheckedEmbeddings,
    labels: UncheckedLabels,
    distance: Distance | Compare | None = None,
    *,
    sizes: Sequence[int] = SIZES,
    threshold: float | None = None,
    seed: int = 0,
    track: Track = untracked,
) -> RandomGalleries:
    """Returns how identification among K random people errs, beside what the error of one comparison lets one expect.

    One image of each person, drawn once, can be enrolled, and each other image is a probe. With a_i people within τ of probe i,
    r_i at least as near as its own person, and P others in all,

        verified(K) = 1 - mean_i [d_i ≤ τ] C(P - a_i, K - 1) / C(P, K - 1)
        nearest(K)  = 1 - mean_i           C(P - r_i, K - 1) / C(P, K - 1)

    are the means over all galleries of K people, without drawing any. Both are at most what independent answers would give,
    because C(P - r, k) / C(P, k) is nearly (1 - r/P)^k and that is convex in r: errors gather at the same probes. Intervals
    resample people, as probes and in the gallery at once, with :func:`~likeness.research.metrics.bootstrap.clustered_interval`.

    Memory grows with images times replicates, not with pairs.

    Args:
        embeddings: (n, d).
        labels: The person in each.
        distance: How they are compared; the cosine distance by default.
        sizes: People in the gallery, from 2 on; those that there are too few people for are left out.
        threshold: τ; by default the smallest at which false accepts are at least as frequent as misses (the equal error).
        seed: Of the choice of enrolled images and of resampling.
        track: Is told of blocks of probes.

    Raises:
        UserError: There are fewer than two people, nobody has two images, a distance is NaN, or a size is below 2.

    Example:
        >>> codes = np.random.default_rng(0).normal(size=(50, 1, 16)) + np.random.default_rng(1).normal(size=(50, 4, 16))
        >>> found = in_random_galleries(codes.reshape(200, 16), np.arange(200) // 4, sizes=(10, 50))
        >>> [bool(rate.value < law) for rate, law in zip(found.nearest, found.nearest_if_independent)]
        [True, True]
    """
    by = Cosine() if distance is None else distance
    table = as_numpy("in_random_galleries", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.")
    table = table.astype(np.float32)
    names = as_numpy("in_random_galleries", "labels", labels, (len(table),), "integers", "Give the person in each image.")
    if threshold is not None:
        check_threshold("in_random_galleries", threshold)
    order = np.random.default_rng(seed).permutation(len(names))
    people, firsts, who = np.unique(names[order], return_index=True, return_inverse=True)
    probes = np.setdiff1d(np.arange(len(names)), firsts)
    asked = tuple(sorted({int(size) for size in sizes if size <= len(people)}))
    if min(sizes, default=0) < 2 or not asked or not len(probes):
        raise UserError(
            f"Galleries of {tuple(sizes)} people cannot be drawn of {len(people)} people with {len(names)} images: give sizes "
            "from 2 on, at most as many as there are people, and somebody with two images."
        )
    gallery, own = table[order[firsts]], who[probes]
    rows = table[order[probes]]
    blocks = [slice(start, start + SIDE) for start in range(0, len(rows), SIDE)]

    def others(block: slice) -> tuple[np.ndarray, np.ndarray]:
        """Distances to everybody, infinite to the own person, and those to the own person."""
        distances = compare_blocks(rows[block], gallery, by)
        curves.refuse_nan(distances)
        places = np.arange(len(distances)), own[block]
        mine = distances[places]
        distances[places] = np.inf
        return distances, mine

    if threshold is None:
        mates = np.sort(np.concatenate([others(block)[1] for block in track("comparing with own people", blocks)]))
        # How many comparisons with others first lie within each of the rising distances to own people.
        counts = np.zeros(len(mates) + 1, np.int64)
        for block in track("looking for the equal error", blocks):
            counts += np.bincount(np.searchsorted(mates, others(block)[0].ravel()), minlength=len(counts))
        accepted = np.cumsum(counts)[:-1] / (len(mates) * (len(people) - 1))
        missed = 1 - np.searchsorted(mates, mates, side="right") / len(mates)
        threshold = float(mates[np.argmax(accepted >= missed)])
    pairs = np.stack([np.arange(len(people))] * 2, axis=1)
    drawn = np.concatenate(list(replicate_weights(pairs, REPLICATES, seed)))
    # The people as they are come first, each once.
    times = np.concatenate([np.ones((1, len(people)), np.int32), drawn]).T.astype(np.float32)
    within, nearer = (np.empty((len(rows), times.shape[1]), np.float32) for _ in range(2))
    mine = np.empty(len(rows), np.float32)
    for block in track("counting who is nearer", blocks):
        distances, mine[block] = others(block)
        within[block] = (distances <= threshold).astype(np.float32) @ times
        nearer[block] = (distances <= mine[block, None]).astype(np.float32) @ times
    weights = times[own].astype(np.float64)
    total = times.sum(axis=0) - weights
    found = mine <= threshold
    shown = names[order[probes]]

    def estimate(errors: np.ndarray) -> Estimate:
        """Of the error of each probe in each set of people."""
        with np.errstate(invalid="ignore"):
            means = (errors * weights).sum(axis=0) / weights.sum(axis=0)
        seen = len(np.unique(own))
        interval = clustered_interval(float(means[0]), means[1:], seen, len(own), len(own) / seen)
        return Estimate.around(float(means[0]), interval, len(own))

    def share(counts: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total > 0, counts / total, 0.0)

    return RandomGalleries(
        threshold=float(threshold),
        missed=clustered_rate(~found, shown, seed=seed),
        accepted=estimate(share(within)),
        other_nearer=estimate(share(nearer)),
        sizes=asked,
        verified=tuple(estimate(1 - found[:, None] * none_of(within, total, size - 1)) for size in asked),
        nearest=tuple(estimate(1 - none_of(nearer, total, size - 1)) for size in asked),
    )


def none_of(bad: AnyArray, total: AnyArray, drawn: int) -> Float[np.ndarray, "..."]:
    """Returns C(total - bad, drawn) / C(total, drawn): that of so many drawn without replacement none is bad.

    More than there are cannot be drawn: then all are.

    Example:
        >>> none_of(np.array([0, 1, 2]), np.array([4, 4, 4]), 2).round(3).tolist()
        [1.0, 0.5, 0.167]
    """
    total, bad = np.asarray(total, np.float64), np.asarray(bad, np.float64)
    k = np.minimum(drawn, total)
    good = total - bad
    enough = good >= k
    left = np.where(enough, good - k, 0.0)
    logarithm = gammaln(good + 1) - gammaln(left + 1) - gammaln(total + 1) + gammaln(total - k + 1)
    return np.where(enough, np.exp(np.minimum(logarithm, 0.0)), 0.0)
