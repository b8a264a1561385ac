"""Error versus reject: does a quality score know which images will fail?"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

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
    """False non-match rate over the share of images that is rejected for their quality."""

    reject: Float[np.ndarray, "r"]
    fnmr: tuple[Estimate, ...]
    threshold: float
    """One for all points, set before anything is rejected."""

    @property
    def area(self) -> float:
        """Under the curve, over the shares it goes through, divided by their width: the mean error of what is kept.

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
) -> RejectCurve:
    """Returns how the false non-match rate falls as the images of lowest quality are rejected.

    The threshold is that of the false-accept rate ``far`` on all pairs, and stays; a pair is rejected with either of its
    images. A quality that knows nothing gives a flat curve, and a good one falls to 0 soon. The norm of the embedding before it
    is brought to unit length is the baseline that every other quality must beat (Meng et al., "MagFace", CVPR 2021).

    Args:
        distances: Of the pairs; smaller means more alike.
        same: Whether the pair shows one person.
        rows: (n, 2), which images the pairs are of.
        quality: Of each image, larger being better; :func:`norms` gives the baseline.
        far: False-accept rate that the threshold is set for.
        rejects: Shares of the images to reject, rising from 0, below 1.
        people_pairs: The people of each pair; None declares the pairs independent.
        seed: Of resampling people.

    Raises:
        UserError: A distance or a quality is NaN, all qualities are equal, the pairs cannot resolve ``far``, or the shares do
            not rise.

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
    strangers = int((~s).sum())
    if not s.any() or strangers < needed_pairs(far):
        raise UserError(
            f"A threshold for FAR {rate_name(far)} needs same-person pairs and {needed_pairs(far)} different-person "
            "pairs; there are "
            f"{int(s.sum())} and {strangers}."
        )
    curve = curves.roc(d, s)
    threshold = float(curve.thresholds[curves.indices_at_far(curve, [far])[0]])
    people = checked_people(people_pairs, len(d))
    people = np.arange(2 * len(d)).reshape(-1, 2) if people is None else people
    # Images of one quality go together or stay together.
    ranks = np.searchsorted(np.sort(scores[used]), scores, side="left") / max(1, len(used))
    worse = ranks[images].min(axis=1, initial=1.0)
    found = []
    for share in shares:
        kept = s & (worse >= share)
        found.append(clustered_rate(d[kept] > threshold, people[kept], seed=seed))
    return RejectCurve(shares, tuple(found), threshold)


def norms(embeddings: UncheckedNumbers) -> Float[np.ndarray, "n"]:
    """The length of each embedding (n, d), the quality that costs nothing."""
    table = as_numpy("norms", "embeddings", embeddings, ("n", "d"), help="Give one row for each image.")
    return np.linalg.norm(table.astype(np.float64), axis=1)
