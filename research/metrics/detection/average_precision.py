"""COCO's average precision: twelve numbers, and the whole tables that they are means of."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.checks import UncheckedLabels, as_numpy, check_choice, check_count
from likeness.research.metrics.detection.matching import AreaRange, Matches, Reading, match
from likeness.research.metrics.detection.truths import GroundTruth, Predictions, all_classes, check_images

IOU_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
"""0.5, 0.55, …, 0.95, to the bit as COCO has them."""

RECALLS = tuple(np.linspace(0.0, 1.0, 101).tolist())
"""Where COCO looks up precision."""

AREAS = (
    AreaRange("all", 0.0, 1e10),
    AreaRange("small", 0.0, 32.0**2),
    AreaRange("medium", 32.0**2, 96.0**2),
    AreaRange("large", 96.0**2, 1e10),
)
"""Sizes of objects in square pixels, as COCO tells them apart."""

NO_TRUTH = -1.0
"""What stands in COCO's tables where there is nothing to be found."""


class TablePart(NamedTuple):
    """The part of a table that one of COCO's numbers is the mean of."""

    table: Literal["precision", "recall"]
    steps: Int[np.ndarray, "s"]
    """Places of IoU thresholds."""
    area: int
    """Place of the area range."""
    most: int | None
    """Place of the most detections; None where there is no such place."""


@dataclasses.dataclass(frozen=True, eq=False)
class CocoEvaluation:
    """What :class:`CocoEvaluator` measured.

    The tables hold -1 (:data:`NO_TRUTH`) where a class has no truth in an area range; such cells count in no mean.
    """

    precision: Float[np.ndarray, "t r k a m"]
    """The highest precision at a recall of at least r: by IoU threshold, recall, class, area range, most detections."""
    recall: Float[np.ndarray, "t k a m"]
    """The recall of all detections."""
    scores: Float[np.ndarray, "t r k a m"]
    """The score of the detection by which recall r is reached; 0 where it is not."""
    matches: Matches
    iou_thresholds: Float[np.ndarray, "t"]
    recalls: Float[np.ndarray, "r"]
    areas: tuple[AreaRange, ...]
    max_detections: tuple[int, ...]
    reading: Reading
    notes: tuple[str, ...] = ()
    """Where pycocotools would say another number of these data, and why: a sentence each."""

    @property
    def class_ids(self) -> Int[np.ndarray, "k"]:
        """The class behind each place of the tables."""
        return self.matches.class_ids

    @property
    def numbers(self) -> dict[str, float]:
        """``AP AP50 AP75 APs APm APl AR@1 AR@10 AR@100 ARs ARm ARl``, in the order in which COCO prints them.

        AP is the mean of precision over IoU thresholds, recalls and classes; AR the mean of recall over IoU thresholds and
        classes. But for ``AR@k`` all are of the most detections allowed. -1 where there is nothing to be found.
        """
        return {name: self.mean(part) for name, part in self.parts().items()}

    def parts(self) -> dict[str, TablePart]:
        """Returns what each of :attr:`numbers` is the mean of."""
        every, most = np.arange(len(self.iou_thresholds)), len(self.max_detections) - 1
        # pycocotools looks this one number up under 100 detections, whether or not there is such an entry.
        first = most if self.reading == "corrected" else _last(self.max_detections, 100)
        found = {"AP": TablePart("precision", every, 0, first)}
        for percent in (50, 75):
            found[f"AP{percent}"] = TablePart("precision", np.flatnonzero(self.iou_thresholds == percent / 100), 0, most)
        sizes = [(_short(each.name), 1 + place) for place, each in enumerate(self.areas[1:])]
        found |= {f"AP{name}": TablePart("precision", every, area, most) for name, area in sizes}
        found |= {f"AR@{k}": TablePart("recall", every, 0, m) for m, k in enumerate(self.max_detections)}
        return found | {f"AR{name}": TablePart("recall", every, area, most) for name, area in sizes}

    def mean(self, part: TablePart) -> float:
        """Returns the mean of some part of a table; -1 if nothing in it is known.

        Args:
            part: Which.
        """
        if part.most is None:
            return NO_TRUTH
        return self._mean(getattr(self, part.table)[part.steps][..., part.area, part.most])

    def per_class(self, area: str = "all") -> dict[int, dict[str, float]]:
        """Returns AP, AP50, AP75 and AR of each class, by its number, for objects of one size.

        Args:
            area: The name of an area range.

        Raises:
            ValueError: No area range has that name.
        """
        place = self._area(area)
        halves = {f"AP{percent}": self.iou_thresholds == percent / 100 for percent in (50, 75)}
        table = {}
        for k, class_id in enumerate(self.class_ids.tolist()):
            precision, recall = self.precision[:, :, k, place, -1], self.recall[:, k, place, -1]
            table[class_id] = {
                "AP": self._mean(precision),
                **{name: self._mean(precision[at]) for name, at in halves.items()},
                "AR": self._mean(recall),
            }
        return table

    def step(self, iou_threshold: float) -> int:
        """Returns the place of an IoU threshold.

        Raises:
            ValueError: It was not measured.
        """
        near = np.flatnonzero(np.abs(self.iou_thresholds - iou_threshold) < 1e-9)
        if not len(near):
            known = ", ".join(f"{each:g}" for each in self.iou_thresholds)
            raise ValueError(f"CocoEvaluation: the IoU threshold {iou_threshold} was not measured: there are {known}.")
        return int(near[0])

    def place(self, class_id: int) -> int:
        """Returns the place of a class.

        Raises:
            ValueError: It was not evaluated.
        """
        near = np.flatnonzero(self.class_ids == class_id)
        if not len(near):
            raise ValueError(f"CocoEvaluation: class {class_id} was not evaluated: there are {self.class_ids.tolist()}.")
        return int(near[0])

    def text(self) -> str:
        """Returns the table that COCO prints, a line for each number."""
        numbers = self.numbers
        width = max(map(len, numbers))
        return "\n".join([*(f"{name:<{width}}  {value:6.3f}" for name, value in numbers.items()), *self.notes])

    def _area(self, name: str) -> int:
        names = [each.name for each in self.areas]
        if name not in names:
            raise ValueError(f"CocoEvaluation: no area range is named {name!r}: there are {', '.join(map(repr, names))}.")
        return names.index(name)

    @staticmethod
    def _mean(table: np.ndarray) -> float:
        known = table[table > NO_TRUTH]
        return float(known.mean()) if known.size else NO_TRUTH


@dataclasses.dataclass(frozen=True)
class CocoEvaluator:
    """Average precision and recall by the rules of the COCO detection challenge.

    Detections of one class over all images are ordered by score. At each of them stand a recall, the share of truths found so
    far, and a precision, the share of detections so far that found one. AP is the mean over 101 recalls of the highest
    precision at that recall or a higher one. How detections find truths is told at
    :func:`~likeness.research.metrics.detection.matching.match`.

    Equal to pycocotools 2.0.11 to the bit, its habits included:

    * Of two truths that overlap a detection equally, the later one is taken.
    * A crowd may be found any number of times, and its IoU is the share of the detection that lies inside.
    * Who finds a crowd, or a truth outside the area range, is neither right nor wrong, and so is a detection outside the
      range that finds nothing. Both ends of a range belong to it: 1024 square pixels are small and medium.
    * Truths have the area that is written down, that of their outline, and detections that of their box.
    * A class without truths counts -1 in the tables and in no mean, whatever was detected of it. A class with truths and no
      detections counts 0.
    * ``max_detections`` counts by image and class, the surest first.
    * Equal scores keep the order of images, and within an image that in which they were given.

    pycocotools has three faults beside. ``reading="corrected"`` does not repeat them and says in
    :attr:`CocoEvaluation.notes` where its numbers would differ for that; ``reading="pycocotools"`` repeats them:

    * Whoever finds the truth with the id 0 has found nothing: 0 stands for no match (cocoapi#672).
    * ``ignore`` is overwritten by ``iscrowd``, so that difficult truths count like others (cocoapi#307, #572).
    * AP is looked up at 100 detections, and is -1 if ``max_detections`` does not hold that number (cocoapi#558).

    Example:
        >>> truth = GroundTruth(np.array([[0.0, 0.0, 10.0, 10.0]]), np.array([3]))
        >>> found = Predictions(np.array([[0.0, 0.0, 10.0, 8.0]]), np.array([0.9]), np.array([3]))
        >>> numbers = CocoEvaluator()([truth], [found]).numbers
        >>> round(numbers["AP"], 3), round(numbers["AP50"], 3), numbers["APl"]
        (0.7, 1.0, -1.0)

    Lin et al., "Microsoft COCO: common objects in context", ECCV 2014.
    """

    iou_thresholds: tuple[float, ...] = IOU_THRESHOLDS
    recalls: tuple[float, ...] = RECALLS
    areas: tuple[AreaRange, ...] = AREAS
    """The first is that of AP, AP50, AP75 and AR@k."""
    max_detections: tuple[int, ...] = (1, 10, 100)
    """Any numbers, rising."""
    class_agnostic: bool = False
    """All classes are taken for one, as for proposals."""
    reading: Reading = "corrected"

    def __post_init__(self) -> None:
        owner = type(self).__name__
        check_choice(owner, "reading", self.reading, Reading)
        for number in self.max_detections:
            check_count(owner, "max_detections", number)
        for field, rising, low in (
            ("iou_thresholds", self.iou_thresholds, 0.0),
            ("recalls", self.recalls, -1e-300),
            ("max_detections", self.max_detections, 0),
        ):
            high = 1.0 if field != "max_detections" else np.inf
            if not rising or not all(a < b for a, b in zip((low, *rising), rising, strict=False)) or rising[-1] > high:
                raise ValueError(
                    f"{owner}({field}={rising!r}): {field} must be one number or more, rising, "
                    + ("from 1 on." if high > 1 else "from 0 to 1." if field == "recalls" else "above 0 and at most 1.")
                )
        names = [each.name for each in self.areas]
        if not names or len(set(names)) < len(names) or not all(each.low <= each.high for each in self.areas):
            raise ValueError(
                f"{owner}(areas={self.areas!r}): areas must be one or more, each with its own name and from a lower number to "
                "a higher."
            )

    def __call__(
        self,
        truths: Sequence[GroundTruth],
        predictions: Sequence[Predictions],
        class_ids: UncheckedLabels | None = None,
    ) -> CocoEvaluation:
        """Evaluates the predictions of all images together.

        Args:
            truths: One for each image.
            predictions: One for each image, in the same order.
            class_ids: The classes to evaluate; boxes of others are left out. None for all that occur.

        Raises:
            ValueError: There are not as many images of one as of the other, or a class is named twice.
        """
        check_images(type(self).__name__, truths, predictions)
        classes = checked_classes(type(self).__name__, truths, predictions, class_ids)
        thresholds = np.array(self.iou_thresholds)
        most = self.max_detections[-1]
        found = match(truths, predictions, classes, thresholds, self.areas, most, self.class_agnostic, self.reading)
        precision, recall, scores = tables(found, np.array(self.recalls), self.max_detections)
        return CocoEvaluation(
            precision=precision,
            recall=recall,
            scores=scores,
            matches=found,
            iou_thresholds=thresholds,
            recalls=np.array(self.recalls),
            areas=self.areas,
            max_detections=self.max_detections,
            reading=self.reading,
            notes=self._notes(truths) if self.reading == "corrected" else (),
        )

    def _notes(self, truths: Sequence[GroundTruth]) -> tuple[str, ...]:
        zeros = sum(int((np.asarray(each.ids) == 0).sum()) for each in truths if each.ids is not None)
        difficult = sum(int((np.asarray(each.difficult) & ~np.asarray(each.crowd)).sum()) for each in truths)
        said = {
            f"pycocotools loses whoever finds the {zeros} truths with the id 0": zeros,
            f"pycocotools counts the {difficult} truths that need not be found": difficult,
            f"pycocotools says -1 for AP, since 100 is not among {self.max_detections}": 100 not in self.max_detections,
        }
        return tuple(f"{sentence}." for sentence, so in said.items() if so)


def checked_classes(
    owner: str, truths: Sequence[GroundTruth], predictions: Sequence[Predictions], asked: UncheckedLabels | None
) -> Int[np.ndarray, "k"]:
    """Returns the classes to evaluate in rising order: those asked for, else all that occur.

    Args:
        owner: Who asks.
        truths: One for each image.
        predictions: One for each image.
        asked: The classes, or None.

    Raises:
        ValueError: There is none, or one is named twice.
    """
    if asked is None:
        classes = all_classes(truths, predictions)
        return classes if len(classes) else np.zeros(1, np.int64)
    given = as_numpy(owner, "class_ids", asked, ("k",), "integers", "Give the number of each class.").astype(np.int64)
    classes = np.unique(given)
    if not len(given) or len(classes) < len(given):
        raise ValueError(f"{owner}: class_ids must be one class or more, each once, and are {given.tolist()}.")
    return classes


def tables(
    found: Matches, recalls: Float[np.ndarray, "r"], max_detections: Sequence[int]
) -> tuple[Float[np.ndarray, "t r k a m"], Float[np.ndarray, "t k a m"], Float[np.ndarray, "t r k a m"]]:
    """Returns COCO's tables of precision, recall and scores.

    Args:
        found: What each detection found.
        recalls: Where precision is looked up.
        max_detections: Of an image and class, the surest so many.
    """
    areas, steps, _ = found.hit.shape
    classes, most = len(found.class_ids), len(max_detections)
    precision = np.full((steps, len(recalls), classes, areas, most), NO_TRUTH)
    recall = np.full((steps, classes, areas, most), NO_TRUTH)
    scores = np.full((steps, len(recalls), classes, areas, most), NO_TRUTH)
    positives = found.positives
    needed = {count: fewest(count, recalls) for count in np.unique(positives).tolist() if count}
    order = np.lexsort((-found.scores, found.detections.classes))
    bounds = np.searchsorted(found.detections.classes, np.arange(classes + 1))
    for k in np.flatnonzero(positives.any(axis=1)).tolist():
        rows = order[bounds[k] : bounds[k + 1]]
        known = np.flatnonzero(positives[k])
        hit, ignored = (each[:, :, rows][known].reshape(len(known) * steps, len(rows)) for each in (found.hit, found.ignored))
        rank, score = found.rank[rows], found.scores[rows]
        counts = np.repeat(np.stack([needed[count] for count in positives[k, known].tolist()]), steps, axis=0)
        total = np.repeat(positives[k, known], steps)
        last = rank.max(initial=0)
        for m, number in enumerate(max_detections):
            if m and last < max_detections[m - 1]:
                # Nobody has more detections than before.
                for table in (precision, scores):
                    table[:, :, k, :, m] = table[:, :, k, :, m - 1]
                recall[:, k, :, m] = recall[:, k, :, m - 1]
                continue
            kept = slice(None) if last < number else rank < number
            best, reached, at = precision_at(hit[:, kept], ignored[:, kept], score[kept], counts)
            shape = (len(known), steps, len(recalls))
            precision[:, :, k, known, m] = best.reshape(shape).transpose(1, 2, 0)
            scores[:, :, k, known, m] = at.reshape(shape).transpose(1, 2, 0)
            recall[:, k, known, m] = (reached / total).reshape(len(known), steps).T
    return precision, recall, scores


def fewest(count: int, recalls: Float[np.ndarray, "r"]) -> Int[np.ndarray, "r"]:
    """Returns how many of ``count`` truths must be found for each recall, by the divisions that pycocotools makes."""
    return np.searchsorted(np.arange(count + 1) / count, recalls, side="left")


def precision_at(
    hit: Bool[np.ndarray, "c n"],
    ignored: Bool[np.ndarray, "c n"],
    scores: Float[np.ndarray, "n"],
    needed: Int[np.ndarray, "c r"],
) -> tuple[Float[np.ndarray, "c r"], Int[np.ndarray, "c"], Float[np.ndarray, "c r"]]:
    """Returns the best precision from the detection on by which so many truths are found, how many are in all, and its score.

    Both are 0 where fewer are found.

    Args:
        hit: Which detections found a truth, by falling score; curves lie below one another.
        ignored: Which are neither right nor wrong.
        scores: Of the detections.
        needed: How many truths are to be found.
    """
    rows, n = hit.shape
    if not n:
        return np.zeros(needed.shape), np.zeros(rows, np.int64), np.zeros(needed.shape)
    found = np.cumsum(hit, axis=1, dtype=np.int32)
    counted = np.cumsum(~ignored, axis=1, dtype=np.int32)
    # What pycocotools adds so as not to divide by 0 makes the first precision 1 - 2⁻⁵².
    precision = found / (counted + np.spacing(1))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = found[:, -1].astype(np.int64)
    places = np.flatnonzero(hit)
    # The c-th hit of a row; for none, the row's first detection.
    which = np.minimum((np.cumsum(reached) - reached)[:, None] + needed - 1, max(len(places) - 1, 0))
    start = np.arange(rows)[:, None] * n
    column = np.where(needed > 0, places[which] - start if len(places) else 0, 0)
    enough = needed <= reached[:, None]
    column = np.where(enough, column, 0)
    return (
        np.where(enough, np.take_along_axis(best, column, axis=1), 0.0),
        reached,
        np.where(enough, scores[column], 0.0),
    )


def _last(numbers: Sequence[int], wanted: int) -> int | None:
    return numbers.index(wanted) if wanted in numbers else None


def _short(name: str) -> str:
    return name[0] if name in ("small", "medium", "large") else f"/{name}"
