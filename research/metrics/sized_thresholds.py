"""The threshold of a gallery of N people for a share of strangers who are given a name, T(N), from a cohort of other people.

A gallery cannot tell its own T(N): those who are in it are its only strangers, of whom each was left out of it, and what was
chosen on them holds for them. A larger cohort can. Let a stranger have r of the P other people of the cohort within T. A
gallery of N of these P, drawn at random, holds none of the r with probability

    S_N(r) = C(P - r, N) / C(P, N) = Π_{i < r} (P - i - N) / (P - i),

so that 1 - S_N(r), averaged over the cohort, is how often a stranger is given a name by a gallery of N such people: FPIR(N,
T), over every gallery that could be drawn, and not over one. It rises with T, and T(N) is the largest T at which it is at most
what is asked for. Nothing is said of N > P: what happens among more people than there are cannot be counted.
"""

import dataclasses
import numbers
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from likeness.research.checks import UncheckedEmbeddings, UncheckedLabels, as_numpy
from likeness.research.distances import Cosine, Distance
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import varying_interval
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.pair_stream import SIDE, Compare, compare_blocks
from likeness.research.tracking import Track, untracked

FPIRS = (1e-1, 1e-2, 1e-3)
"""False-positive identification rates that thresholds are chosen for."""

_FEWEST = 4
"""Of fewer people nobody would be left to compare with."""
_PER_DECADE = 20
_KEPT = 1 << 22
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True, kw_only=True)
class SizedThreshold:
    """T(N): how near somebody must be to be named by a gallery of N people."""

    size: int
    """N."""
    fpir: float
    """The share of strangers who may be given a name."""
    tau: float
    """T(N)."""
    measured: Estimate
    """FPIR(N, T(N)) of the cohort. Its interval is that of other strangers and other galleries. With S
    strangers, P others and the deviation σ of a stranger's chance it is that of a variance σ² (1 / S + 3 / P): where S is P the
    first term of Hoeffding's, 4 σ² / P, since who resembles many is named often, and has others named for themselves as often.
    Where nobody resembles more people than others do, it is too wide by up to a factor of √2."""


def sizes_up_to(people: int) -> tuple[int, ...]:
    """Returns 1, 2, 3 … and from 30 on sizes that are 12 % apart, up to that of all people, which is among them."""
    steps = np.arange(int(_PER_DECADE * np.log10(max(people, 1))) + 1)
    rounded = np.unique(np.concatenate([np.round(10 ** (steps / _PER_DECADE)).astype(np.int64), [people]]))
    return tuple(rounded[(rounded >= 1) & (rounded <= people)].tolist())


def none_among(others: int, size: int) -> Float[np.ndarray, "r"]:
    """Returns S_N(r) for r = 0 … P: that N of P people, drawn at random, hold none of some r of them.

    As :func:`~likeness.research.metrics.random_galleries.none_of`, for each r by the product of those before it: between one r
    and the next, which is all that one pair adds to a rate, no digit is lost.

    Args:
        others: P.
        size: N, at most P.

    Example:
        >>> none_among(4, 2).round(4).tolist()
        [1.0, 0.5, 0.1667, 0.0, 0.0]
    """
    left = others - np.arange(others, dtype=np.float64)
    return np.concatenate([[1.0], np.cumprod(np.maximum(left - size, 0.0) / left)])


def thresholds_by_size(
    embeddings: UncheckedEmbeddings,
    labels: UncheckedLabels,
    distance: Distance | Compare | None = None,
    *,
    sizes: Sequence[int] | None = None,
    fpirs: Sequence[float] = FPIRS,
    strangers: int | None = None,
    seed: int = 0,
    track: Track = untracked,
) -> tuple[SizedThreshold, ...]:
    """Returns T(N) for galleries of several sizes and several false-positive identification rates.

    Every person is enrolled by one image, which is drawn, and every image is a stranger to the others' galleries; people count
    alike, however many images they have. The memory it takes grows with the pairs that lie within T of the smallest size, and
    not with all.

    Args:
        embeddings: (n, d).
        labels: The person in each.
        distance: How they are compared; the cosine distance by default.
        sizes: N, of 1 to all people but one; all that :func:`sizes_up_to` gives by default.
        fpirs: Rates aimed at. One that the strangers are too few for, 1 / FPIR of them at least, has no thresholds.
        strangers: So many of the people, at most, ask who they are; of more, some are drawn. All by default.
        seed: Of the draw of images and strangers.
        track: Is told of blocks of strangers.

    Returns:
        By rate as given, and by rising size.

    Raises:
        UserError: There are fewer than four people, a size, a rate or a number of strangers is out of range, or a distance is
            NaN.

    Grother, Ngan and Hanaoka, "Face Recognition Vendor Test, part 2: identification", NISTIR 8271, where each size has a
    threshold of its own; the mean over all galleries is a U-statistic: Hoeffding, "A class of statistics with asymptotically
    normal distribution", 1948.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> found = thresholds_by_size(rng.normal(size=(200, 8)), np.arange(200), sizes=(1, 100), fpirs=(0.1,))
        >>> found[0].tau > found[1].tau, found[1].measured.value <= 0.1
        (True, True)
    """
    table = as_numpy("thresholds_by_size", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.")
    table = table.astype(np.float32)
    names = as_numpy("thresholds_by_size", "labels", labels, (len(table),), "integers", "Give the person in each image.")
    counts = (*(() if sizes is None else sizes), 1 if strangers is None else strangers)
    whole = all(isinstance(each, numbers.Integral) and not isinstance(each, bool) for each in counts)
    if not whole or counts[-1] < 1:
        raise UserError(f"Strangers and sizes count people, so {strangers=} and {sizes=} must be whole numbers from 1 on.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(names))
    people, firsts, who = np.unique(names[order], return_index=True, return_inverse=True)
    others = len(people) - 1
    asking = np.sort(rng.permutation(len(people))[:strangers])
    if len(asking) < _FEWEST or not fpirs or not all(0 < fpir < 1 for fpir in fpirs):
        raise UserError(
            f"{len(people)} people, {len(asking)} of them strangers, and the rates {tuple(fpirs)} choose no thresholds: give "
            f"{_FEWEST} people or more, and rates between 0 and 1."
        )
    asked = sizes_up_to(others) if sizes is None else tuple(sorted(set(sizes)))
    if not asked or asked[0] < 1 or asked[-1] > others:
        raise UserError(
            f"Galleries of {asked} people cannot be drawn of {others}: give sizes from 1 to {others}, which is as far as these "
            "people reach."
        )
    shown = who[np.argsort(order)]
    probes = np.flatnonzero(np.isin(shown, asking))
    counts = np.bincount(shown)
    shown = shown[probes]
    weights = 1.0 / counts[shown] / len(asking)
    near = _near_pairs(table[probes], table[order[firsts]], shown, weights, asked[0], max(fpirs), distance or Cosine(), track)
    if not len(near.values):
        raise UserError("All distances between two people are infinite: scale the embeddings down.")
    found = []
    for fpir in fpirs:
        if len(asking) < np.ceil(1 / fpir - 1e-9):
            continue
        found += [_at(near, size, fpir, others, weights, np.searchsorted(asking, shown)) for size in asked]
    return tuple(found)


@dataclasses.dataclass(frozen=True)
class _Near:
    """Pairs by rising distance: the stranger's image, and how many others were nearer to it."""

    values: Float[np.ndarray, "k"]
    images: Int[np.ndarray, "k"]
    ranks: Int[np.ndarray, "k"]

    @classmethod
    def sorted(cls, values: np.ndarray, images: np.ndarray) -> "_Near":
        order = np.argsort(values, kind="stable")
        values, images = values[order], images[order]
        of_image = np.argsort(images, kind="stable")
        counts = np.bincount(images) if len(images) else np.zeros(0, np.int64)
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        ranks = np.empty(len(images), np.int64)
        ranks[of_image] = np.arange(len(images)) - starts
        return cls(values, images, ranks)

    def rates(self, size: int, others: int, weights: np.ndarray) -> Float[np.ndarray, "k"]:
        """FPIR(N, T) at each of the distances, with those before it."""
        none = none_among(others, size)
        return np.cumsum(weights[self.images] * -np.diff(none)[self.ranks])


def _near_pairs(
    probes: np.ndarray,
    gallery: np.ndarray,
    shown: np.ndarray,
    weights: np.ndarray,
    size: int,
    fpir: float,
    by: Distance | Compare,
    track: Track,
) -> _Near:
    """All pairs of two people that any threshold of this size or a larger one may lie at, and the next."""
    limit, most = np.inf, _KEPT
    values, images = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)]
    held = 0
    for start in track("comparing people", range(0, len(probes), SIDE)):
        rows = np.arange(start, min(start + SIDE, len(probes)))
        for column in range(0, len(gallery), SIDE):
            distances = compare_blocks(probes[rows], gallery[column : column + SIDE], by)
            curves.refuse_nan(distances)
            own = shown[rows] - column
            mine = np.flatnonzero((own >= 0) & (own < distances.shape[1]))
            distances[mine, own[mine]] = np.inf
            row, place = np.nonzero(distances <= min(limit, np.finfo(np.float32).max))
            values.append(distances[row, place])
            images.append(rows[row].astype(np.int32))
            held += len(row)
            if held > most:
                near, limit = _pruned(np.concatenate(values), np.concatenate(images), size, len(gallery) - 1, weights, fpir)
                values, images, held = [near.values], [near.images], len(near.values)
                most = max(_KEPT, 2 * held)
    return _pruned(np.concatenate(values), np.concatenate(images), size, len(gallery) - 1, weights, fpir)[0]


def _pruned(
    values: np.ndarray, images: np.ndarray, size: int, others: int, weights: np.ndarray, fpir: float
) -> tuple[_Near, float]:
    """Without what lies beyond the first distance at which the rate of the pairs so far is too high: more of them raise it."""
    near = _Near.sorted(values, images)
    beyond = int(np.searchsorted(near.rates(size, others, weights), fpir + _ROUNDING, side="right"))
    if beyond >= len(near.values):
        return near, np.inf
    limit = near.values[beyond]
    kept = int(np.searchsorted(near.values, limit, side="right"))
    return _Near(near.values[:kept], near.images[:kept], near.ranks[:kept]), float(limit)


def _at(near: _Near, size: int, fpir: float, others: int, weights: np.ndarray, shown: np.ndarray) -> SizedThreshold:
    rates = near.rates(size, others, weights)
    count = int(np.searchsorted(rates, fpir + _ROUNDING, side="right"))
    if 0 < count < len(rates) and near.values[count] == near.values[count - 1]:
        # Those at one distance are within T all, or none of them.
        count = int(np.searchsorted(near.values, near.values[count - 1], side="left"))
    # Where even the nearest pair is too many, whatever lies before it.
    tau = float(near.values[count - 1] if count else np.nextafter(near.values[0], np.float32(-np.inf)))
    rate = float(rates[count - 1]) if count else 0.0
    within = np.bincount(near.images[:count], minlength=len(weights))
    strangers = int(shown.max()) + 1
    named = np.bincount(shown, weights * (1 - none_among(others, size)[within])) * strangers
    # Who is a stranger and met by others too moves the rate twice the same way.
    variance = float(named.var()) * (1 / (strangers - 1) + 3 / others)
    interval = varying_interval(rate, variance, strangers, strangers, 1.0)
    return SizedThreshold(size=size, fpir=fpir, tau=tau, measured=Estimate.around(rate, interval, strangers))
