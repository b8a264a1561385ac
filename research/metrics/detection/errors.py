"""What the missing points of AP are made of: TIDE's six kinds of error, each with what AP would gain without it."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.checks import UncheckedLabels, check_count
from likeness.research.metrics.detection.average_precision import (
    AREAS,
    NO_TRUTH,
    RECALLS,
    checked_classes,
    fewest,
    precision_at,
)
from likeness.research.metrics.detection.matching import Matches, match
from likeness.research.metrics.detection.overlap import overlaps, pairs_in_groups
from likeness.research.metrics.detection.truths import GroundTruth, Predictions, check_images

KINDS = ("classification", "localization", "both", "duplicate", "background", "missed")
"""The first five are kinds of detections, the last of truths."""

_CLASSIFICATION, _LOCALIZATION, _BOTH, _DUPLICATE, _BACKGROUND = range(5)


@dataclasses.dataclass(frozen=True, eq=False)
class ErrorShares:
    """What :func:`error_shares` found."""

    ap: float
    """At the one IoU threshold; -1 if there is nothing to be found."""
    counts: dict[str, int]
    """How many detections, and missed truths, are of each of :data:`KINDS`."""
    gains: dict[str, float]
    """By how much AP would rise if all of one kind were mended, and nothing else. They do not add up to what is missing."""
    false_positives: float
    """By how much AP would rise if no detection were wrong."""
    false_negatives: float
    """By how much AP would rise if nothing had to be found beyond what was found."""
    kinds: Int[np.ndarray, "n"]
    """Of each detection, its place in :data:`KINDS`; -1 for one that is right or ignored."""
    missed: Bool[np.ndarray, "m"]
    """Of each truth."""
    matches: Matches
    """Whose order :attr:`kinds` and :attr:`missed` have."""

    def text(self) -> str:
        """Returns a line for each kind: how many there are, and what AP would gain."""
        rows = [f"{kind:<15}{self.counts[kind]:>7}  +{self.gains[kind]:.3f}" for kind in KINDS]
        return "\n".join([f"AP {self.ap:.3f}", *rows])


def error_shares(
    truths: Sequence[GroundTruth],
    predictions: Sequence[Predictions],
    class_ids: UncheckedLabels | None = None,
    iou_threshold: float = 0.5,
    background: float = 0.1,
    max_detections: int | None = None,
) -> ErrorShares:
    """Returns how much of each kind of error there is, and what AP at one IoU threshold would gain without it.

    A detection that COCO's rules call wrong is, with t = ``iou_threshold`` and b = ``background``, the first of these that
    fits:

    * localization: it overlaps a truth of its class by b or more, and by less than t;
    * classification: it overlaps a truth of another class by t or more;
    * duplicate: it overlaps a truth of its class by t or more, which another detection found;
    * background: it overlaps every truth by less than b;
    * both: it overlaps a truth of another class by b or more, and by less than t.

    A truth is missed if no detection found it and none of the first two kinds overlaps it most. Mended, a localization error
    has the box of its truth and a classification error the class; where the truth was found anyway, or several would find it,
    only the surest that is needed is kept. The other detections are taken away, and missed truths need not be found. A truth
    that is given as a prediction leaves no error.

    Args:
        truths: One for each image. Crowds and difficult truths count as in :class:`CocoEvaluator`.
        predictions: One for each image, in the same order.
        class_ids: The classes; boxes of others are left out. None for all that occur.
        iou_threshold: t.
        background: b.
        max_detections: Of an image and class; None for all, whereas COCO's AP looks at a hundred.

    Raises:
        ValueError: There are not as many images of one as of the other, or a threshold makes no sense.

    Bolya et al., "TIDE: a general toolbox for identifying object detection errors", ECCV 2020. There a localization error and a
    classification error of one truth compete, and only the surer of the two is ever mended; here each kind is mended by itself.
    """
    check_images("error_shares", truths, predictions)
    if not 0 < background < iou_threshold <= 1:
        raise ValueError(
            f"error_shares: thresholds must be 0 < background < iou_threshold ≤ 1, and are {background} and {iou_threshold}."
        )
    if max_detections is not None:
        check_count("error_shares", "max_detections", max_detections)
    classes = checked_classes("error_shares", truths, predictions, class_ids)
    found = match(truths, predictions, classes, np.array([iou_threshold]), AREAS[:1], max_detections)
    hit, ignored, must = found.hit[0, 0], found.ignored[0, 0], found.counts[0]
    open_ = must.copy()
    open_[found.matched[0, 0][hit]] = False
    kinds, target = _kinds(found, ~hit & ~ignored, must, iou_threshold, background)
    curve = _Curve(found, hit, ignored, found.detections.classes, found.positives[:, 0])
    ap = curve.mean_ap()
    gains = {}
    mendable = np.zeros(len(must), bool)
    for kind, name in enumerate(KINDS[:5]):
        mended = np.zeros(len(hit), bool)
        if kind in (_CLASSIFICATION, _LOCALIZATION):
            # The surest of each truth that nobody found.
            rows = np.flatnonzero(kinds == kind)
            rows = rows[np.lexsort((-found.scores[rows], target[rows]))]
            rows = rows[np.flatnonzero(np.diff(target[rows], prepend=-1))]
            mended[rows[open_[target[rows]]]] = True
            mendable[target[rows]] = True
        into = np.where(mended, found.truths.classes[target], found.detections.classes) if len(must) else curve.classes
        gains[name] = (
            curve._replace(hit=hit | mended, ignored=ignored | ((kinds == kind) & ~mended), classes=into).mean_ap() - ap
        )
    missed = open_ & ~mendable

    def without(some: Bool[np.ndarray, "m"]) -> float:
        fewer = np.bincount(found.truths.classes[some], minlength=len(classes))
        left = curve.positives - fewer
        # Where nothing is left to be found, nothing is missing.
        all_gone = curve.positives.any() and not left.any()
        return (1.0 if all_gone else curve._replace(positives=left).mean_ap()) - ap

    gains["missed"] = without(missed)
    totals = [*np.bincount(kinds[kinds >= 0], minlength=5).tolist(), int(missed.sum())]
    return ErrorShares(
        ap=ap,
        counts=dict(zip(KINDS, totals, strict=True)),
        gains=gains,
        false_positives=curve._replace(ignored=~hit).mean_ap() - ap,
        false_negatives=without(open_),
        kinds=kinds,
        missed=missed,
        matches=found,
    )


class _Curve(NamedTuple):
    """What AP at one threshold is computed from."""

    found: Matches
    hit: Bool[np.ndarray, "n"]
    ignored: Bool[np.ndarray, "n"]
    classes: Int[np.ndarray, "n"]
    positives: Int[np.ndarray, "k"]

    def mean_ap(self) -> float:
        recalls, values = np.array(RECALLS), []
        for k in np.flatnonzero(self.positives).tolist():
            rows = np.flatnonzero(self.classes == k)
            rows = rows[np.argsort(-self.found.scores[rows], kind="stable")]
            needed = fewest(int(self.positives[k]), recalls)[None]
            best, _, _ = precision_at(self.hit[None, rows], self.ignored[None, rows], self.found.scores[rows], needed)
            values.append(best.mean())
        return float(np.mean(values)) if values else NO_TRUTH


def _kinds(
    found: Matches, wrong: Bool[np.ndarray, "n"], must: Bool[np.ndarray, "m"], enough: float, background: float
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """The kind of each detection that is wrong, and the truth that it should have found; -1 for none."""
    own, other = _nearest(found, wrong, must)
    localization = (own.iou >= background) & (own.iou < enough)
    classification = other.iou >= enough
    duplicate = own.iou >= enough
    nothing = np.maximum(own.iou, other.iou) < background
    kinds = np.select(
        [~wrong, localization, classification, duplicate, nothing],
        [-1, _LOCALIZATION, _CLASSIFICATION, _DUPLICATE, _BACKGROUND],
        _BOTH,
    )
    target = np.select([kinds == _LOCALIZATION, kinds == _CLASSIFICATION], [own.truth, other.truth], -1)
    return kinds, target


class _Nearest(NamedTuple):
    iou: Float[np.ndarray, "n"]
    truth: Int[np.ndarray, "n"]


def _nearest(found: Matches, wrong: Bool[np.ndarray, "n"], must: Bool[np.ndarray, "m"]) -> tuple[_Nearest, _Nearest]:
    """The truth of its own class, and that of another, which each wrong detection overlaps most."""
    nearest = tuple(_Nearest(np.zeros(len(wrong)), np.full(len(wrong), -1)) for _ in range(2))
    detections, truths = np.flatnonzero(wrong), np.flatnonzero(must)
    detections = detections[np.argsort(found.detections.image[detections], kind="stable")]
    truths = truths[np.argsort(found.truths.image[truths], kind="stable")]
    for first, second in pairs_in_groups(found.detections.image[detections], found.truths.image[truths]):
        one, there = detections[first], truths[second]
        iou = overlaps(found.detections.take(one), found.truths.take(there), np.zeros(len(one), bool))
        same = found.detections.classes[one] == found.truths.classes[there]
        for kind, best in zip((same, ~same), nearest, strict=True):
            rows = np.flatnonzero(kind)
            # Of equal overlaps the later truth, as in matching.
            rows = rows[np.lexsort((-there[rows], -iou[rows], one[rows]))]
            rows = rows[np.flatnonzero(np.diff(one[rows], prepend=-1))]
            best.iou[one[rows]], best.truth[one[rows]] = iou[rows], there[rows]
    return nearest[0], nearest[1]
