"""How far landmarks are off, in units of the face that they lie on."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from likeness.research.checks import UncheckedFlags, UncheckedNumbers, as_numpy, check_numbers
from likeness.research.metrics.intervals import CONFIDENCE, Estimate, wilson

FAILURE = 0.1
"""A face whose error is more than a tenth of its size is a failure, as is usual."""


@dataclasses.dataclass(frozen=True, eq=False)
class LandmarkErrors:
    """Normalized mean errors of faces."""

    errors: Float[np.ndarray, "n"]
    """Of each face; NaN for one without a landmark that counts."""
    points: Float[np.ndarray, "k"]
    """The mean error of each landmark over the faces in which it counts; NaN for none."""

    @property
    def nme(self) -> Estimate:
        """The mean over faces, with Student's interval."""
        known = self.errors[~np.isnan(self.errors)]
        n = len(known)
        if n < 2:
            return Estimate.unresolvable(n, "a mean needs two faces for an interval")
        reach = float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2) * known.std(ddof=1) / np.sqrt(n))
        mean = float(known.mean())
        return Estimate.around(mean, (max(0.0, mean - reach), mean + reach), n)

    def failures(self, threshold: float = FAILURE) -> Estimate:
        """Returns the share of faces whose error is above a threshold, with Wilson's interval.

        Args:
            threshold: In units of the face.
        """
        known = self.errors[~np.isnan(self.errors)]
        return wilson(int((known > threshold).sum()), len(known))

    def area_under(self, threshold: float = FAILURE) -> float:
        """Returns the area under the cumulative error distribution up to a threshold, over that threshold; 1 is best.

        ``1/τ ∫₀^τ P(error ≤ e) de = mean(max(0, 1 − error/τ))``, exactly.

        Args:
            threshold: τ, in units of the face.
        """
        known = self.errors[~np.isnan(self.errors)]
        return float(np.maximum(0.0, 1 - known / threshold).mean()) if len(known) else float("nan")


def landmark_errors(
    predicted: UncheckedNumbers,
    truth: UncheckedNumbers,
    sizes: UncheckedNumbers,
    visible: UncheckedFlags | None = None,
) -> LandmarkErrors:
    """Returns the normalized mean error of each face.

        NME = mean over landmarks of ‖p − t‖ / size

    Args:
        predicted: ``(n, k, 2)``, in pixels.
        truth: ``(n, k, 2)``, in pixels.
        sizes: ``(n,)`` in pixels: :func:`distance_between` the eyes, or :func:`box_sizes`. Which of them changes the number
            severalfold, so say it with the number.
        visible: ``(n, k)``: which landmarks count; all by default. What the others hold is not looked at.

    Raises:
        ValueError: Shapes differ, a size is not above 0, or a landmark that counts is not finite.

    Example:
        >>> truth = np.array([[[0.0, 0.0], [10.0, 0.0]]])
        >>> landmark_errors(truth + [0.0, 1.0], truth, np.array([10.0])).errors.tolist()
        [0.1]
    """
    owner = "landmark_errors"
    found = as_numpy(owner, "predicted", predicted, ("n", "k", 2), help="Give (x, y) of k landmarks for each of n faces.")
    there = as_numpy(owner, "truth", truth, found.shape, help="Give as many as are predicted.").astype(np.float64)
    size = as_numpy(owner, "sizes", sizes, (len(found),), help="Give one for each face.").astype(np.float64)
    if not np.all((size > 0) & np.isfinite(size)):
        raise ValueError(f"{owner}: sizes must be above 0, and {int((~(size > 0)).sum())} of {len(size)} are not.")
    counts = np.ones(found.shape[:2], bool)
    if visible is not None:
        counts = as_numpy(owner, "visible", visible, found.shape[:2], "booleans", "Say of each landmark whether it counts.")
    off = np.linalg.norm(found.astype(np.float64) - there, axis=2) / size[:, None]
    wrong = counts & ~np.isfinite(off)
    if wrong.any():
        raise ValueError(
            f"{owner}: {int(wrong.sum())} landmarks that count are not finite, the first in face "
            f"{int(np.flatnonzero(wrong.any(axis=1))[0])}. Mark what was not annotated in `visible`."
        )
    off = np.where(counts, off, 0.0)
    with np.errstate(invalid="ignore"):
        return LandmarkErrors(off.sum(axis=1) / counts.sum(axis=1), off.sum(axis=0) / counts.sum(axis=0))


def distance_between(points: UncheckedNumbers, first: Sequence[int], second: Sequence[int]) -> Float[np.ndarray, "n"]:
    """Returns the distance of the centers of two sets of landmarks: of the eyes, say.

    Args:
        points: ``(n, k, 2)``, the true ones.
        first: Which landmarks belong to one eye: its outer corner alone, or all around it.
        second: And to the other.
    """
    given = check_numbers("distance_between", "points", points)
    return np.linalg.norm(_center(given, first) - _center(given, second), axis=1)


def box_sizes(boxes: UncheckedNumbers) -> Float[np.ndarray, "n"]:
    """Returns √(width · height) of boxes ``(n, 4)`` in ``xyxy``."""
    given = as_numpy("box_sizes", "boxes", boxes, ("n", 4), help="Give a row of xyxy for each face.").astype(np.float64)
    return np.sqrt(np.prod(given[:, 2:] - given[:, :2], axis=1))


def _center(points: Float[np.ndarray, "n k 2"], which: Sequence[int]) -> Float[np.ndarray, "n 2"]:
    return points[:, np.asarray(which, np.int64)].mean(axis=1)
