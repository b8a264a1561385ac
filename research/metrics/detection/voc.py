"""Average precision by the rules of the PASCAL VOC challenge."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.checks import UncheckedLabels, check_choice
from likeness.research.metrics.detection.average_precision import AREAS, NO_TRUTH, checked_classes
from likeness.research.metrics.detection.matching import AreaRange, inside
from likeness.research.metrics.detection.overlap import overlaps, pairs_in_groups
from likeness.research.metrics.detection.truths import Boxes, GroundTruth, Predictions, check_images, column, stack

Interpolation: TypeAlias = Literal["11-point", "all-point"]
Pixels: TypeAlias = Literal["continuous", "inclusive"]

_ELEVEN = np.array([0, 0.1, 0.2, 0.1 * 3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
"""0:0.1:1 as the development kit's language counts: its fourth number is 2⁻⁵⁴ above 0.3, which a recall of 3 in 10 is below."""


class VocCurve(NamedTuple):
    """Precision and recall of the detections of a class, the surest first. Those that are ignored are left out."""

    recall: Float[np.ndarray, "n"]
    precision: Float[np.ndarray, "n"]
    scores: Float[np.ndarray, "n"]


@dataclasses.dataclass(frozen=True, eq=False)
class VocEvaluation:
    """What :class:`VocEvaluator` measured; -1 where a class has nothing to be found."""

    ap: Float[np.ndarray, "k a"]
    """By class and area range."""
    curves: tuple[tuple[VocCurve, ...], ...]
    """By class and area range; empty where there is nothing to be found."""
    positives: Int[np.ndarray, "k a"]
    """How many truths are to be found."""
    class_ids: Int[np.ndarray, "k"]
    areas: tuple[AreaRange, ...]

    @property
    def mean_ap(self) -> float:
        """The mean over classes that have something to be found, of all sizes; -1 if none has."""
        return self.per_size()[self.areas[0].name]

    def per_class(self, area: int = 0) -> dict[int, float]:
        """Returns the AP of each class by its number.

        Args:
            area: The place of the area range.
        """
        return dict(zip(self.class_ids.tolist(), self.ap[:, area].tolist(), strict=True))

    def per_size(self) -> dict[str, float]:
        """Returns the mean AP by the name of the area range."""
        means = {}
        for area, ap in zip(self.areas, self.ap.T, strict=True):
            known = ap[ap > NO_TRUTH]
            means[area.name] = float(known.mean()) if known.size else NO_TRUTH
        return means


@dataclasses.dataclass(frozen=True)
class VocEvaluator:
    """Average precision by the rules of the PASCAL VOC development kit.

    Detections of a class are taken by falling score over all images. Each looks at the truth of its class that it overlaps most
    in its image, whether or not that was found before (COCO would let it take another). From ``iou_threshold`` on it has found
    it, which is right the first time and wrong from then on: each object is to be found once. A difficult truth need not be
    found, and who finds it is neither right nor wrong. Of equal overlaps the first truth counts, of equal scores the first
    detection.

    AP is, with ``"11-point"`` (VOC 2007), the mean over the recalls 0, 0.1, …, 1 of the highest precision at that recall or a
    higher one; with ``"all-point"`` (VOC 2010 and later) the area under that staircase. The kit's eleven numbers are not quite
    tenths: the fourth is 0.30000000000000004, so a recall of exactly 3 in 10 does not reach it. That is repeated here.

    VOC writes the first and the last pixel of an object, so that a box from 10 to 19 is ten pixels wide. Boxes with such
    coordinates are ``pixels="inclusive"``: 1 is added to widths and heights. ``"continuous"`` is for boxes whose width is
    x2 − x1, as everywhere else in Likeness.

    With more than one area range a truth outside a range is difficult there, and a detection outside it that finds nothing is
    ignored, as COCO has it. VOC itself knows no sizes.

    Example:
        >>> truth = GroundTruth(np.array([[0.0, 0.0, 10.0, 10.0]]), np.array([0]))
        >>> twice = Predictions(np.array([[0.0, 0.0, 10.0, 9.0]] * 2), np.array([0.9, 0.8]), np.array([0, 0]))
        >>> evaluation = VocEvaluator()([truth], [twice])
        >>> evaluation.mean_ap, evaluation.curves[0][0].precision.tolist()
        (1.0, [1.0, 0.5])

    Everingham et al., "The PASCAL visual object classes (VOC) challenge", IJCV 2010.
    """

    interpolation: Interpolation = "all-point"
    iou_threshold: float = 0.5
    pixels: Pixels = "continuous"
    areas: tuple[AreaRange, ...] = AREAS[:1]
    """Sizes to tell apart; the first is that of :attr:`VocEvaluation.mean_ap`."""

    def __post_init__(self) -> None:
        owner = type(self).__name__
        check_choice(owner, "interpolation", self.interpolation, Interpolation)
        check_choice(owner, "pixels", self.pixels, Pixels)
        if not 0 < self.iou_threshold <= 1:
            raise ValueError(f"{owner}(iou_threshold={self.iou_threshold!r}): it must be above 0 and at most 1.")
        if not self.areas:
            raise ValueError(f"{owner}(areas=()): give one area range or more, such as AREAS[:1] for all sizes.")

    def __call__(
        self,
        truths: Sequence[GroundTruth],
        predictions: Sequence[Predictions],
        class_ids: UncheckedLabels | None = None,
    ) -> VocEvaluation:
        """Evaluates the predictions of all images together.

        Args:
            truths: One for each image. Crowds are difficult.
            predictions: One for each image, in the same order.
            class_ids: The classes to evaluate; boxes of others are left out. None for all that occur.

        Raises:
            ValueError: There are not as many images of one as of the other, or a class is named twice.
        """
        owner = type(self).__name__
        check_images(owner, truths, predictions)
        classes = checked_classes(owner, truths, predictions, class_ids)
        found, there = stack(predictions, classes), stack(truths, classes)
        scores = np.concatenate([each.scores for each in predictions])
        order = np.lexsort((-scores, found.classes))
        order = order[found.classes[order] >= 0]
        found, scores = found.take(order), scores[order]
        truth_order = np.lexsort((there.image, there.classes))
        truth_order = truth_order[there.classes[truth_order] >= 0]
        there = there.take(truth_order)
        crowd, difficult, sizes = (column(truths, name)[truth_order] for name in ("crowd", "difficult", "areas"))
        target = self._target(found, there, len(truths))
        counts = np.stack([~(crowd | difficult) & inside(sizes, area) for area in self.areas])
        outside = np.stack([~inside(found.area, area) for area in self.areas])
        rows = [self._of_class(k, found, scores, there, target, counts, outside) for k in range(len(classes))]
        return VocEvaluation(
            ap=np.array([[ap for ap, _, _ in row] for row in rows]),
            curves=tuple(tuple(curve for _, curve, _ in row) for row in rows),
            positives=np.array([[total for _, _, total in row] for row in rows]),
            class_ids=classes,
            areas=self.areas,
        )

    def _target(self, found: Boxes, there: Boxes, images: int) -> Int[np.ndarray, "n"]:
        """The truth that each detection overlaps most, and enough; -1 for none."""
        groups, truth_groups = (boxes.classes * images + boxes.image for boxes in (found, there))
        target = np.full(len(found), -1)
        # Pairs are made of rising groups, and detections are ordered by score.
        order = np.argsort(groups, kind="stable")
        for first, second in pairs_in_groups(groups[order], truth_groups):
            detection = order[first]
            nobody = np.zeros(len(second), bool)
            iou = overlaps(found.take(detection), there.take(second), nobody, int(self.pixels == "inclusive"))
            best = np.lexsort((second, -iou, first))
            best = best[np.flatnonzero(np.diff(first[best], prepend=-1))]
            best = best[iou[best] >= self.iou_threshold]
            target[detection[best]] = second[best]
        return target

    def _of_class(
        self,
        k: int,
        found: Boxes,
        scores: Float[np.ndarray, "n"],
        there: Boxes,
        target: Int[np.ndarray, "n"],
        counts: Bool[np.ndarray, "a m"],
        outside: Bool[np.ndarray, "a n"],
    ) -> list[tuple[float, VocCurve, int]]:
        mine = slice(*np.searchsorted(found.classes, [k, k + 1]).tolist())
        some, said = target[mine], scores[mine]
        first = np.zeros(len(some), bool)
        first[np.unique(some, return_index=True)[1]] = True
        results = []
        for area, must in enumerate(counts):
            total = int(must[there.classes == k].sum())
            wanted = (some >= 0) & must[some] if len(must) else np.zeros(len(some), bool)
            ignored = np.where(some >= 0, ~wanted, outside[area, mine])
            right = (wanted & first)[~ignored]
            tp = np.cumsum(right)
            precision = tp / np.arange(1, len(right) + 1)
            recall = tp / total if total else np.zeros(len(right))
            ap = self._area_under(recall, precision) if total else NO_TRUTH
            results.append((ap, VocCurve(recall, precision, said[~ignored]), total))
        return results

    def _area_under(self, recall: Float[np.ndarray, "n"], precision: Float[np.ndarray, "n"]) -> float:
        best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
        if self.interpolation == "11-point":
            return float(best[np.searchsorted(recall, _ELEVEN, side="left")].mean())
        return float(np.sum(np.diff(recall, prepend=0.0) * best[:-1]))
