"""Which detection found which truth: COCO's greedy rule, for all images, thresholds and areas at once."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.metrics.detection.overlap import overlaps, pairs_in_groups
from likeness.research.metrics.detection.truths import Boxes, GroundTruth, Predictions, column, stack

Reading: TypeAlias = Literal["corrected", "pycocotools"]
"""How COCO's rules are read where pycocotools 2.0.11 has a fault; see :class:`CocoEvaluator`."""

_ALMOST_ONE = 1 - 1e-10
"""No threshold is above: two boxes that are equal up to rounding overlap enough for 1."""


class AreaRange(NamedTuple):
    """Truths of which size count. Both ends belong to it."""

    name: str
    low: float
    high: float


@dataclasses.dataclass(frozen=True, eq=False)
class Matches:
    """What every detection found, at each area range (a) and IoU threshold (t).

    Detections are ordered by class, by image, and by falling score; truths by class and image.
    """

    class_ids: Int[np.ndarray, "k"]
    images: int
    """How many there are, those with nothing in them included."""
    areas: tuple[AreaRange, ...]
    iou_thresholds: Float[np.ndarray, "t"]
    detections: Boxes
    scores: Float[np.ndarray, "n"]
    rows: Int[np.ndarray, "n"]
    """Where each detection stood among the predictions of its image."""
    rank: Int[np.ndarray, "n"]
    """How many detections of its image and class come before it."""
    hit: Bool[np.ndarray, "a t n"]
    """It found a truth that counts: a true positive."""
    ignored: Bool[np.ndarray, "a t n"]
    """It is neither right nor wrong. What is not a hit and not ignored is a false positive."""
    matched: Int[np.ndarray, "a t n"]
    """The row of the truth that it found, among :attr:`truths`; -1 for none."""
    truths: Boxes
    truth_rows: Int[np.ndarray, "m"]
    """Where each truth stood among those of its image."""
    counts: Bool[np.ndarray, "a m"]
    """Whether the truth must be found."""
    crowd: Bool[np.ndarray, "m"]

    @property
    def positives(self) -> Int[np.ndarray, "k a"]:
        """How many truths of each class must be found."""
        totals = [np.bincount(self.truths.classes[row], minlength=len(self.class_ids)) for row in self.counts]
        return np.stack(totals, axis=1)


def match(
    truths: Sequence[GroundTruth],
    predictions: Sequence[Predictions],
    class_ids: Int[np.ndarray, "k"],
    iou_thresholds: Float[np.ndarray, "t"],
    areas: Sequence[AreaRange],
    most: int | None,
    class_agnostic: bool = False,
    reading: Reading = "corrected",
) -> Matches:
    """Returns what each detection found.

    In every image and class detections take their truths by falling score, each the free one of highest IoU that is at least
    the threshold. Where two overlap equally much it is the later one. A truth that need not be found (a crowd, a difficult
    one, one outside the area range) is taken only where no other can be; a crowd stays free. A detection that found such a
    truth is ignored, and so is one that found nothing and is itself outside the area range.

    Args:
        truths: One for each image.
        predictions: One for each image.
        class_ids: The classes that count, in rising order; boxes of others are left out.
        iou_thresholds: Each is matched by itself.
        areas: And so is each of these.
        most: Detections of an image and class beyond so many are left out; None keeps all.
        class_agnostic: All classes are taken for one.
        reading: ``pycocotools`` counts difficult truths like others, and a detection as wrong that found the truth with id 0.
    """
    found, there = stack(predictions, class_ids), stack(truths, class_ids)
    scores = np.concatenate([each.scores for each in predictions])
    images = len(truths)

    def group(boxes: Boxes) -> np.ndarray:
        return boxes.image if class_agnostic else boxes.classes * images + boxes.image

    # Of equal scores a lower class comes first, then the order given; where classes are apart that is the order given.
    order = np.lexsort((found.classes, -scores, group(found)))
    order = order[found.classes[order] >= 0]
    rank = _places(group(found)[order])
    if most is not None:
        order, rank = order[rank < most], rank[rank < most]
    truth_order = np.lexsort((there.classes, group(there)))
    truth_order = truth_order[there.classes[truth_order] >= 0]
    found, there, scores = found.take(order), there.take(truth_order), scores[order]

    crowd, difficult, sizes = (column(truths, name)[truth_order] for name in ("crowd", "difficult", "areas"))
    optional = crowd if reading == "pycocotools" else crowd | difficult
    counts = np.stack([~optional & inside(sizes, area) for area in areas])
    outside = np.stack([~inside(found.area, area) for area in areas])

    thresholds = np.minimum(iou_thresholds, _ALMOST_ONE)
    candidates = _candidates(found, group(found), there, group(there), crowd, float(thresholds.min()))
    matched = _greedy(candidates, group(found), counts, crowd, thresholds)
    nothing = matched < 0
    counted = np.zeros(matched.shape, bool)
    if len(there):
        # Row -1 is anything here, and is not looked at.
        counted = counts[np.arange(len(areas))[:, None, None], matched] & ~nothing
        if reading == "pycocotools":
            nothing |= _id_zero(truths)[truth_order][matched]
    merged = {"classes": np.zeros(len(found), np.int64)} if class_agnostic else {}
    merged_truths = {"classes": np.zeros(len(there), np.int64)} if class_agnostic else {}
    return Matches(
        class_ids=np.array([-1]) if class_agnostic else class_ids,
        images=images,
        areas=tuple(areas),
        iou_thresholds=iou_thresholds,
        detections=dataclasses.replace(found, **merged),
        scores=scores,
        rows=_rows(predictions)[order],
        rank=rank,
        hit=counted & ~nothing,
        ignored=((matched >= 0) & ~counted) | (nothing & outside[:, None]),
        matched=matched,
        truths=dataclasses.replace(there, **merged_truths),
        truth_rows=_rows(truths)[truth_order],
        counts=counts,
        crowd=crowd,
    )


class _Candidates(NamedTuple):
    """Pairs that overlap enough for the lowest threshold."""

    detection: Int[np.ndarray, "p"]
    truth: Int[np.ndarray, "p"]
    iou: Float[np.ndarray, "p"]


def _candidates(
    found: Boxes,
    groups: Int[np.ndarray, "n"],
    there: Boxes,
    truth_groups: Int[np.ndarray, "m"],
    crowd: Bool[np.ndarray, "m"],
    least: float,
) -> _Candidates:
    parts = []
    for first, second in pairs_in_groups(groups, truth_groups):
        iou = overlaps(found.take(first), there.take(second), crowd[second])
        enough = iou >= least
        parts.append((first[enough], second[enough], iou[enough]))
    if not parts:
        return _Candidates(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return _Candidates(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _greedy(
    candidates: _Candidates,
    groups: Int[np.ndarray, "n"],
    counts: Bool[np.ndarray, "a m"],
    crowd: Bool[np.ndarray, "m"],
    thresholds: Float[np.ndarray, "t"],
) -> Int[np.ndarray, "a t n"]:
    """Images and classes are independent, so the first detection of each takes its truth at once, then the second of each …

    Only detections with a candidate take part. The candidates of each are in the order in which it would take them; where
    one need not be found (which depends on the area) it comes after all that must.
    """
    areas, steps = len(counts), len(thresholds)
    matched = np.full((areas, steps, len(groups)), -1, np.int32)
    if not len(candidates.detection):
        return matched
    some = np.unique(candidates.detection)
    turn = np.zeros(len(groups), np.int64)
    turn[some] = _places(groups[some])
    turns = turn[candidates.detection]
    # Of equal overlaps the last truth is taken first.
    order = np.lexsort((-candidates.truth, -candidates.iou, candidates.detection, turns))
    detection, truth, iou = (each[order] for each in candidates)
    bounds = np.searchsorted(turns[order], np.arange(turns.max() + 2))
    taken = np.zeros((areas, steps, counts.shape[1]), bool)
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        those, size = truth[begin:end], end - begin
        place = np.arange(size, dtype=np.int32) + np.where(counts[:, those], 0, size).astype(np.int32)
        free = (iou[begin:end] >= thresholds[:, None]) & ~taken[:, :, those]
        starts = np.flatnonzero(np.diff(detection[begin:end], prepend=-1))
        best = np.minimum.reduceat(np.where(free, place[:, None], 2 * size), starts, axis=2)
        area, step, which = np.nonzero(best < 2 * size)
        chosen = those[best[area, step, which] % size]
        matched[area, step, detection[begin:end][starts][which]] = chosen
        closed = ~crowd[chosen]
        taken[area[closed], step[closed], chosen[closed]] = True
    return matched


def inside(sizes: Float[np.ndarray, "n"], area: AreaRange) -> Bool[np.ndarray, "n"]:
    """Returns which sizes belong to an area range."""
    return (sizes >= area.low) & (sizes <= area.high)


def _places(groups: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """Of rising groups: how many rows of the same group come before each."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups, side="left")


def _rows(images: Sequence[GroundTruth] | Sequence[Predictions]) -> Int[np.ndarray, "n"]:
    return np.concatenate([np.arange(len(each)) for each in images])


def _id_zero(truths: Sequence[GroundTruth]) -> Bool[np.ndarray, "m"]:
    return np.concatenate([np.zeros(len(each), bool) if each.ids is None else np.asarray(each.ids) == 0 for each in truths])
