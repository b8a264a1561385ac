"""Which classes a detector takes for which, what it misses, and what it sees where nothing is."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from likeness.research.checks import UncheckedLabels
from likeness.research.metrics.detection.average_precision import AREAS, checked_classes
from likeness.research.metrics.detection.matching import Matches, match
from likeness.research.metrics.detection.overlap import overlaps, pairs_in_groups
from likeness.research.metrics.detection.truths import GroundTruth, Predictions, check_images


@dataclasses.dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """Truths by row and detections by column, each counted once."""

    counts: Int[np.ndarray, "k1 k1"]
    """``[i, j]``: truths of class i that a detection of class j found. The last column counts missed truths, and the last row
    detections where nothing is."""
    class_ids: Int[np.ndarray, "k"]
    ignored: int
    """Detections that count nowhere, since they found a crowd or a difficult truth."""

    @property
    def missed(self) -> Int[np.ndarray, "k"]:
        """Truths that no detection found, by class."""
        return self.counts[:-1, -1]

    @property
    def background(self) -> Int[np.ndarray, "k"]:
        """Detections that found no truth, by class."""
        return self.counts[-1, :-1]

    def shares(self) -> Float[np.ndarray, "k k1"]:
        """Returns what became of the truths of each class, as shares of them; NaN for a class without truths."""
        with np.errstate(invalid="ignore"):
            return self.counts[:-1] / self.counts[:-1].sum(axis=1, keepdims=True)


def confusion_matrix(
    truths: Sequence[GroundTruth],
    predictions: Sequence[Predictions],
    class_ids: UncheckedLabels | None = None,
    iou_threshold: float = 0.5,
    score_threshold: float = 0.0,
) -> ConfusionMatrix:
    """Returns how often each class was found as each.

    First detections take truths of their own class, by COCO's rules, so that the diagonal counts the true positives of AP.
    Then those left over take the truths left over of other classes, the pairs that overlap most first. A better box of a wrong
    class therefore takes no truth from a box of the right one. Each detection and each truth that counts stands in exactly one
    cell: a row adds up to the truths of its class, and a column to its detections but for those that are ignored.

    Args:
        truths: One for each image. Crowds and difficult truths count nowhere, and nor does a detection that finds one.
        predictions: One for each image, in the same order.
        class_ids: The classes; boxes of others are left out. None for all that occur.
        iou_threshold: From which on a box has found another.
        score_threshold: Detections below are left out.

    Raises:
        ValueError: There are not as many images of one as of the other, or a threshold makes no sense.

    Example:
        >>> truth = GroundTruth(np.array([[0.0, 0.0, 10.0, 10.0], [50.0, 0.0, 60.0, 10.0]]), np.array([0, 1]))
        >>> found = Predictions(np.array([[0.0, 0.0, 10.0, 9.0]]), np.array([0.9]), np.array([1]))
        >>> confusion_matrix([truth], [found]).counts.tolist()
        [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    """
    check_images("confusion_matrix", truths, predictions)
    if not 0 < iou_threshold <= 1 or np.isnan(score_threshold):
        raise ValueError(
            f"confusion_matrix: iou_threshold {iou_threshold} must be above 0 and at most 1, and score_threshold "
            f"{score_threshold} a number."
        )
    classes = checked_classes("confusion_matrix", truths, predictions, class_ids)
    kept = [_above(each, score_threshold) for each in predictions]
    found = match(truths, kept, classes, np.array([iou_threshold]), AREAS[:1], None)
    counts = np.zeros((len(classes) + 1, len(classes) + 1), np.int64)
    hit, matched, must = found.hit[0, 0], found.matched[0, 0], found.counts[0]
    detection_class, truth_class = found.detections.classes, found.truths.classes
    np.fill_diagonal(counts[:-1, :-1], np.bincount(detection_class[hit], minlength=len(classes)))
    wrong, open_ = ~hit & ~found.ignored[0, 0], must.copy()
    open_[matched[hit]] = False
    for detection, truth in _nearest_pairs(found, np.flatnonzero(wrong), np.flatnonzero(open_), iou_threshold):
        counts[truth_class[truth], detection_class[detection]] += 1
        wrong[detection] = open_[truth] = False
    counts[:-1, -1] = np.bincount(truth_class[open_], minlength=len(classes))
    counts[-1, :-1] = np.bincount(detection_class[wrong], minlength=len(classes))
    return ConfusionMatrix(counts, classes, int(found.ignored[0, 0].sum()))


def _nearest_pairs(
    found: Matches, detections: Int[np.ndarray, "n"], truths: Int[np.ndarray, "m"], least: float
) -> list[tuple[int, int]]:
    """One to one, of one image and whatever classes; those that overlap most first, then those of higher score."""
    detections = detections[np.lexsort((-found.scores[detections], found.detections.image[detections]))]
    truths = truths[np.argsort(found.truths.image[truths], kind="stable")]
    parts = []
    for first, second in pairs_in_groups(found.detections.image[detections], found.truths.image[truths]):
        one, other = detections[first], truths[second]
        iou = overlaps(found.detections.take(one), found.truths.take(other), np.zeros(len(one), bool))
        enough = iou >= least
        parts.append((-iou[enough], -found.scores[one[enough]], one[enough], other[enough]))
    if not parts:
        return []
    order = np.lexsort([np.concatenate(part) for part in zip(*(part[:2][::-1] for part in parts), strict=True)])
    used, pairs = (set[int](), set[int]()), []
    one, other = (np.concatenate([part[column] for part in parts])[order].tolist() for column in (2, 3))
    for detection, truth in zip(one, other, strict=True):
        if detection not in used[0] and truth not in used[1]:
            used[0].add(detection)
            used[1].add(truth)
            pairs.append((detection, truth))
    return pairs


def _above(each: Predictions, threshold: float) -> Predictions:
    keep = np.asarray(each.scores) >= threshold
    if keep.all():
        return each
    return Predictions(np.asarray(each.boxes)[keep], np.asarray(each.scores)[keep], np.asarray(each.classes)[keep], each.format)
