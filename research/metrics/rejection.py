"""Error versus reject: does a quality score know which images will fail?"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from likeness.research.checks import UncheckedFlags, UncheckedNumbers, as_numpy, check_numbers
from likeness.research.errors import UserError
from likeness.research.metrics import roc as curves
from likeness.research.metrics.bootstrap import PeoplePairs, clustered_rate
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.verification import checked_people, needed_pairs, rate_name

REJECTS = (0.0, 0.05, 0.1, 0.2, 0.3)
"""Shares of the images that are rejected."""


@dataclasses.dataclass(frozen=True)
class RejectCurve:
    """Error rates over the share of images that is rejected for their quality."""

    reject: Float[np.ndarray, "r"]
    fnmr: tuple[Estimate, ...]
    """Of the pairs of one person that are left."""
    fmr: tuple[Estimate, ...]
    """Of the pairs of two people that are left."""
    threshold: float
    """One for all points, set before anything is rejected."""

    @property
    def area(self) -> float:
        """Under the curve of ``fnmr``, over the shares it goes through, divided by their width: the mean error of what is kept.

        NaN where a point is unresolvable.
        """
        rates = np.array([np.nan if each.value is None else each.value for each in self.fnmr], np.float64)
        width = float(self.reject[-1] - self.reject[0])
        return float(np.trapezoid(rates, self.reject) / width) if width > 0 else float(rates[0])


def error_versus_reject(
    distances: UncheckedNumbers,
    same: UncheckedFlags,
    rows: UncheckedNumbers,
    quality: UncheckedNumbers,
    far: float = 1e-3,
    rejects: Sequence[float] = REJECTS,
    people_pairs: PeoplePairs | None = None,
    seed: int = 0,
    threshold: float | None = None,
) -> RejectCurve:
    """Returns how the error rates change as the images of lowest quality are rejected.

    The threshold is that of the false-accept rate ``far`` on all pairs, or one that is given, and stays; a pair is rejected
    with either of its images. A quality that knows nothing gives a flat curve, and a good one falls to 0 soon. The norm of the
    embedding before it is brought to unit length is the baseline that every other quality must beat (Meng et al., "MagFace",
    CVPR 2021).

    Args:
        distances: Of the pairs; smaller means more alike.
        same: Whether the pair shows one person.
        rows: (n, 2), which images the pairs are of.
        quality: Of each image, larger being better; :func:`norms` gives the baseline.
        far: False-accept rate that the threshold is set for.
        rejects: Shares of the images to reject, rising from 0, below 1.
        people_pairs: The people of each pair; None declares the pairs independent.
        seed: Of resampling people.
        threshold: A pair whose distance is at most this matches, whatever ``far`` is: such as the τ that a recognizer has.

    Raises:
        UserError: A distance or a quality is NaN, all qualities are equal, the pairs cannot resolve ``far`` and no threshold is
            given, or the shares do not rise.

    Grother and Tabassi, "Performance of biometric quality measures", IEEE TPAMI 2007; ISO/IEC 29794-1.
    """
    d, s = curves.checked(distances, same)
    images = as_numpy("error_versus_reject", "rows", rows, (len(d), 2), "integers", "Give the two images of each pair.")
    scores = check_numbers("error_versus_reject", "quality", quality)
    if scores.ndim != 1 or (len(images) and (images.min() < 0 or images.max() >= len(scores))):
        raise UserError(
            f"Qualities of shape {scores.shape} are not those of the images of the pairs: give one number an image."
        )
    if np.isnan(scores).any():
        raise UserError(f"{int(np.isnan(scores).sum())} of {len(scores)} qualities are NaN, by which nothing can be rejected.")
    shares = np.asarray(rejects, np.float64)
    if shares.ndim != 1 or not len(shares) or shares[0] < 0 or shares[-1] >= 1 or (np.diff(shares) <= 0).any():
        raise UserError(f"Shares of images to reject are {tuple(rejects)}: give rising ones from 0 to below 1.")
    used = np.unique(images)
    if len(used) and np.ptp(scores[used]) <= 1e-5 * np.abs(scores[used]).max():
        raise UserError(
            "All images have the same quality, so that none can be rejected before another. Norms of embeddings are a "
            "quality only "
            "where the encoder does not bring them to unit length: give it qualities of another kind."
        )
    if threshold is None:
        threshold = _threshold(d, s, far)
    people = checked_people(people_pairs, len(d))
    people = np.arange(2 * len(d)).reshape(-1, 2) if people is None else people
    # Images of one quality go together or stay together.
    ranks = np.searchsorted(np.sort(scores[used]), scores, side="left") / max(1, len(used))
    worse = ranks[images].min(axis=1, initial=1.0)
    missed, matched = [], []
    for share in shares:
        kept, strangers = s & (worse >= share), ~s & (worse >= share)
        missed.append(clustered_rate(d[kept] > threshold, people[kept], seed=seed))
        matched.append(clustered_rate(d[strangers] <= threshold, people[strangers], seed=seed))
    return RejectCurve(shares, tuple(missed), tuple(matched), threshold)


def knowing_the_errors(
    distances: UncheckedNumbers, same: UncheckedFlags, rows: UncheckedNumbers, images: int, threshold: float
) -> Float[np.ndarray, "n"]:
    """A quality that knows what it has to foretell: less the more of an image's pairs of one person do not match.

    Of images with as many of these it is less where the most distant pair is more distant. It is computed from the very
    errors, so that no quality of an image alone does much better: the curve beside which another quality is seen to leave much
    or little to be gained.

    Args:
        distances: Of the pairs.
        same: Whether the pair shows one person.
        rows: (n, 2), which images the pairs are of.
        images: How many there are.
        threshold: A pair whose distance is at most this matches.
    """
    d, s = curves.checked(distances, same)
    pairs = as_numpy("knowing_the_errors", "rows", rows, (len(d), 2), "integers", "Give the two images of each pair.")
    errors = np.bincount(pairs[s & (d > threshold)].reshape(-1), minlength=images)
    most = np.full(images, -np.inf)
    np.maximum.at(most, pairs[s].reshape(-1), np.repeat(d[s], 2))
    # A rank, less than 1 apart in all, so that it decides among equals only.
    return -errors - np.argsort(np.argsort(most, kind="stable"), kind="stable") / max(1, images)


def _threshold(d: Float[np.ndarray, "n"], s: Bool[np.ndarray, "n"], far: float) -> float:
    strangers = int((~s).sum())
    if not s.any() or strangers < needed_pairs(far):
        raise UserError(
            f"A threshold for FAR {rate_name(far)} needs same-person pairs and {needed_pairs(far)} different-person "
            "pairs; there are "
            f"{int(s.sum())} and {strangers}."
        )
    curve = curves.roc(d, s)
    return float(curve.thresholds[curves.indices_at_far(curve, [far])[0]])


def norms(embeddings: UncheckedNumbers) -> Float[np.ndarray, "n"]:
    """The length of each embedding (n, d), the quality that costs nothing."""
    table = as_numpy("norms", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.")
    return np.linalg.norm(table.astype(np.float64), axis=1)
