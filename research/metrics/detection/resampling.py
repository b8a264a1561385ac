"""Average precision of resampled images, from matches that were made once.

An image that is drawn twice counts its detections and its truths twice. What was found does not change by it, since images are
matched one by one, so the whole of a resample is a weighted sum along the detections in their order.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from likeness.research.metrics.detection.average_precision import CocoEvaluation

_CELLS = 400_000
"""Weights held at once: resamples are taken so many at a time as stay within caches."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Threshold:
    """One class at one IoU threshold."""

    hits: Int[np.ndarray, "p"]
    """Places of true positives among the detections of the class, by falling score."""
    ignored: Int[np.ndarray, "i"]
    """Places of those that do not count."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Class:
    images: Int[np.ndarray, "n"]
    """The image of each detection, by falling score."""
    positives: Int[np.ndarray, "i"]
    """How many truths each image has."""
    thresholds: tuple[_Threshold, ...]


class ImageResampler:
    """AP and recall of an evaluation in which images count as often as one likes.

    Args:
        evaluation: What was measured once.
        area: The place of the area range.
        most: The place of the most detections allowed.
    """

    def __init__(self, evaluation: CocoEvaluation, area: int = 0, most: int = -1) -> None:
        found = evaluation.matches
        self.images, self.recalls = found.images, evaluation.recalls
        self.classes: list[_Class] = []
        order = np.lexsort((-found.scores, found.detections.classes))
        order = order[found.rank[order] < evaluation.max_detections[most]]
        bounds = np.searchsorted(found.detections.classes[order], np.arange(len(found.class_ids) + 1))
        must = found.counts[area]
        for k in range(len(found.class_ids)):
            rows = order[bounds[k] : bounds[k + 1]]
            mine = must & (found.truths.classes == k)
            thresholds = tuple(
                _Threshold(np.flatnonzero(found.hit[area, t, rows]), np.flatnonzero(found.ignored[area, t, rows]))
                for t in range(len(found.iou_thresholds))
            )
            positives = np.bincount(found.truths.image[mine], minlength=found.images)
            self.classes.append(_Class(found.detections.image[rows], positives, thresholds))

    @property
    def positive_images(self) -> Int[np.ndarray, "k"]:
        """In how many images there is something of each class to be found."""
        return np.array([int((each.positives > 0).sum()) for each in self.classes])

    def __call__(self, weights: Int[np.ndarray, "b i"]) -> tuple[Float[np.ndarray, "b t k"], Float[np.ndarray, "b t k"]]:
        """Returns AP and recall of each resample by IoU threshold and class; NaN where a resample has no truth of a class.

        Args:
            weights: How often each image counts in each resample.
        """
        ap = np.full((len(weights), len(self.classes[0].thresholds), len(self.classes)), np.nan)
        recall = ap.copy()
        for rows, k, drawn, total in self._batches(weights):
            counted = np.cumsum(drawn, axis=1)
            for t, threshold in enumerate(self.classes[k].thresholds):
                best, reached = _staircase(drawn, counted, threshold, total)
                # How many of the recalls are reached by each hit, and were not before.
                passed = np.searchsorted(self.recalls, reached, side="right")
                ap[rows, t, k] = (best * np.diff(passed, axis=1, prepend=0)).sum(axis=1) / len(self.recalls)
                recall[rows, t, k] = reached[:, -1] if reached.shape[1] else 0.0
        return ap, recall

    def precision(self, weights: Int[np.ndarray, "b i"], step: int) -> Float[np.ndarray, "b r k"]:
        """Returns the best precision at each recall of each resample and class; NaN where it has no truth of a class.

        Args:
            weights: How often each image counts in each resample.
            step: The place of the IoU threshold.
        """
        table = np.full((len(weights), len(self.recalls), len(self.classes)), np.nan)
        for rows, k, drawn, total in self._batches(weights):
            best, reached = _staircase(drawn, np.cumsum(drawn, axis=1), self.classes[k].thresholds[step], total)
            best = np.concatenate([best, np.zeros((len(best), 1))], axis=1)
            for row, stairs, ends in zip(rows.tolist(), best, reached, strict=True):
                table[row, :, k] = stairs[np.searchsorted(ends, self.recalls, side="left")]
        return table

    def _batches(
        self, weights: Int[np.ndarray, "b i"]
    ) -> Iterator[tuple[Int[np.ndarray, "c"], int, Float[np.ndarray, "c n"], Float[np.ndarray, "c"]]]:
        """Rows of resamples with a truth of a class, how often each of its detections counts, and its truths."""
        size = max(1, _CELLS // max(1, *(len(each.images) for each in self.classes)))
        for start in range(0, len(weights), size):
            part = weights[start : start + size].astype(np.float64)
            for k, each in enumerate(self.classes):
                total = part @ each.positives
                some = np.flatnonzero(total)
                if len(some):
                    yield start + some, k, np.take(part[some], each.images, axis=1), total[some]


def _staircase(
    drawn: Float[np.ndarray, "b n"], counted: Float[np.ndarray, "b n"], threshold: _Threshold, total: Float[np.ndarray, "b"]
) -> tuple[Float[np.ndarray, "b p"], Float[np.ndarray, "b p"]]:
    """The best precision from each hit on, and the recall that it reaches."""
    hits, ignored = threshold.hits, threshold.ignored
    found = np.cumsum(np.take(drawn, hits, axis=1), axis=1)
    counted = np.take(counted, hits, axis=1)
    if len(ignored):
        skipped = np.cumsum(np.take(drawn, ignored, axis=1), axis=1)
        skipped = np.concatenate([np.zeros((len(drawn), 1)), skipped], axis=1)
        counted = counted - np.take(skipped, np.searchsorted(ignored, hits), axis=1)
    # Where nothing was drawn so far, found is 0 too.
    precision = found / np.maximum(counted, 1)
    return np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1], found / total[:, None]
