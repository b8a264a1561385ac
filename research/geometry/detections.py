"""What a detector found: arrays of a fixed size in jitted code, and exact ones for everybody else."""

import dataclasses
import difflib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from likeness.research.checks import check_array
from likeness.research.errors import UserError
from likeness.research.geometry.boxes import UncheckedBoxes, checked_boxes
from likeness.research.types import AnyArray, Bool, Float, Int

__all__ = ["Detection", "Detections", "PaddedDetections"]


class PaddedDetections(NamedTuple):
    """The detections of each image in k rows, of which only the valid ones count. A pytree, for jitted code.

    ``k`` does not depend on the images, so one program serves all. The valid rows come first, in falling order of score. What
    the others hold is 0.
    """

    boxes: Float[AnyArray, "*b k 4"]
    """``xyxy``, in pixels of the image that the detector was shown."""
    scores: Float[AnyArray, "*b k"]
    classes: Int[AnyArray, "*b k"]
    """From 0 on."""
    valid: Bool[AnyArray, "*b k"]
    landmarks: Float[AnyArray, "*b k p 2"] | None = None
    """Points (x, y) of each object, in pixels; None where the detector finds none."""

    def exact(self, class_names: Sequence[str] = ()) -> "Detections":
        """The valid rows of one image, on the host.

        Args:
            class_names: the names of the classes, in their order; none if they have none.

        Raises:
            ValueError: there are several images (use :meth:`exact_each`); a class has no name; or a valid row is no box.
        """
        if np.ndim(self.valid) != 1:
            raise ValueError(
                f"PaddedDetections.exact: these are detections of shape {np.shape(self.valid)}, of more than one image. "
                "`exact_each` returns a list, one entry for each image."
            )
        valid = np.asarray(self.valid)
        return Detections(
            xyxy=np.asarray(self.boxes)[valid],
            confidence=np.asarray(self.scores)[valid],
            class_id=np.asarray(self.classes)[valid],
            class_names=tuple(class_names),
            landmarks=None if self.landmarks is None else np.asarray(self.landmarks)[valid],
        )

    def exact_each(self, class_names: Sequence[str] = ()) -> list["Detections"]:
        """The valid rows of each image of a batch ``(b, k)``, on the host.

        Args:
            class_names: as of :meth:`exact`.

        Raises:
            ValueError: there is no batch; a class has no name; or a valid row is no box.
        """
        if np.ndim(self.valid) != 2:
            raise ValueError(
                f"PaddedDetections.exact_each: these are detections of shape {np.shape(self.valid)}, and those of a batch have "
                "shape (images, detections). `exact` is for one image."
            )
        # One transfer a field, not one an image.
        boxes, scores, classes, valid = (np.asarray(field) for field in self[:4])
        points = None if self.landmarks is None else np.asarray(self.landmarks)
        return [
            PaddedDetections(*fields, None if points is None else points[row]).exact(class_names)
            for row, fields in enumerate(zip(boxes, scores, classes, valid, strict=True))
        ]


class Detection(NamedTuple):
    """One found object."""

    xyxy: Float[np.ndarray, "4"]
    """Its box, in pixels."""
    confidence: float
    class_id: int
    class_name: str
    """Empty where classes have no names."""
    landmarks: Float[np.ndarray, "p 2"] | None = None
    """Its points (x, y), in pixels, if the detector finds any."""


@dataclasses.dataclass(frozen=True, eq=False)
class Detections:
    """The objects found in one image. The fields have the names that ``supervision`` gives them.

    It has a length, it is iterated object by object, and indexing it with a number, a slice, a list or a mask gives a part of
    it.

    Raises:
        ValueError: the fields do not have as many entries as one another; the corners of a box are reversed; a number is NaN;
        or
            a class has no name.

    Example:
        >>> found = Detections(
        ...     xyxy=np.array([[10, 10, 50, 40], [0, 0, 8, 8]]),
        ...     confidence=np.array([0.9, 0.3]),
        ...     class_id=np.array([1, 0]),
        ...     class_names=("cat", "dog"),
        ... )
        >>> for one in found.filter(score_threshold=0.5):
        ...     print(one.class_name, one.confidence, one.xyxy)
        dog 0.9 [10. 10. 50. 40.]
    """

    xyxy: np.ndarray
    """Boxes ``(n, 4)`` in pixels, float32 or float64."""
    confidence: np.ndarray
    """Scores ``(n,)``: a higher one is surer."""
    class_id: np.ndarray
    """Whole numbers ``(n,)`` from 0 on."""
    class_names: tuple[str, ...] = ()
    """The name of each class, or nothing."""
    landmarks: np.ndarray | None = None
    """Points ``(n, p, 2)``, x and y in pixels, such as eyes, nose and mouth of each face; None where there are none."""

    def __post_init__(self) -> None:
        # Checked in float64, and kept in the precision that they have.
        boxes = _floats(self.xyxy)
        boxes = boxes.reshape(0, 4) if not boxes.size else boxes
        checked_boxes("Detections", "xyxy", boxes)
        check_array("Detections", "xyxy", boxes, ("n", 4))
        count = len(boxes)
        scores, classes = _floats(self.confidence), np.asanyarray(self.class_id)
        classes = classes.astype(np.int64) if not classes.size else classes
        check_array("Detections", "confidence", scores, (count,), help="Give a number for each box.")
        check_array("Detections", "class_id", classes, (count,), "integers", "Give a whole number for each box.")
        points = None if self.landmarks is None else _floats(self.landmarks)
        if points is not None:
            points = points.reshape(0, *points.shape[1:2] or (0,), 2) if not points.size else points
            check_array("Detections", "landmarks", points, (count, "p", 2), help="Give as many points (x, y) for each box.")
        for name, values in (("xyxy", boxes), ("confidence", scores)):
            if np.isnan(values).any():
                raise ValueError(
                    f"Detections: {name} number {int(np.argwhere(np.isnan(values))[0, 0])} of {count} is NaN, and nothing "
                    "was found there. Suppression leaves such boxes out: leave these out too, or look at the network that made "
                    "them."
                )
        names = tuple(self.class_names)
        if count and (classes.min() < 0 or (names and classes.max() >= len(names))):
            wrong = int(classes[(classes < 0) | (classes >= (len(names) or classes.max() + 1))][0])
            raise ValueError(
                f"Detections: class_id {wrong} has no name: "
                + (
                    f"there are {len(names)} class_names, for classes 0 to {len(names) - 1}."
                    if names
                    else "classes count from 0."
                )
            )
        object.__setattr__(self, "landmarks", points)
        for field, value in (("xyxy", boxes), ("confidence", scores), ("class_id", classes), ("class_names", names)):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.confidence)

    def __iter__(self) -> Iterator[Detection]:
        for row, (score, number) in enumerate(zip(self.confidence.tolist(), self.class_id.tolist(), strict=True)):
            name = self.class_names[number] if self.class_names else ""
            yield Detection(self.xyxy[row], score, number, name, None if self.landmarks is None else self.landmarks[row])

    def __getitem__(self, index: Any) -> "Detections":
        rows = np.atleast_1d(np.arange(len(self))[index])
        return dataclasses.replace(
            self,
            xyxy=self.xyxy[rows],
            confidence=self.confidence[rows],
            class_id=self.class_id[rows],
            landmarks=None if self.landmarks is None else self.landmarks[rows],
        )

    def filter(
        self, score_threshold: float | None = None, classes: int | str | Sequence[int | str] | None = None
    ) -> "Detections":
        """Those that score more than a threshold and are of some classes, in the order that they have.

        Args:
            score_threshold: what scores this or less goes; None lets all scores pass.
            classes: names or numbers, one or several; None lets all classes pass.

        Raises:
            UserError: no class has this name or number.
        """
        kept = np.ones(len(self), bool)
        if score_threshold is not None:
            # In the precision of the scores: one of .6 does not score more than .6.
            kept &= self.confidence > self.confidence.dtype.type(score_threshold)
        if classes is not None:
            wanted = [classes] if isinstance(classes, int | str) else classes
            kept &= np.isin(self.class_id, [self._number(each) for each in wanted])
        return self[kept]

    def to_coco(self, image_id: int, category_ids: Sequence[int] | Mapping[int, int] | None = None) -> list[dict[str, Any]]:
        """The detections as COCO writes results, ready for JSON: ``bbox`` is ``[x, y, width, height]``.

        Landmarks are ``keypoints``, ``[x, y, 2, …]``: 2 is COCO's word for a point that is seen.

        Args:
            image_id: of the image.
            category_ids: COCO's id of each class, by its number; where there are none, the number itself.

        Raises:
            UserError: a class has no id.
        """
        records = []
        # In float64, where the difference of two float32 numbers is exact.
        for row, ((x1, y1, x2, y2), score, number) in enumerate(
            zip(self.xyxy.astype(np.float64).tolist(), self.confidence.tolist(), self.class_id.tolist(), strict=True)
        ):
            try:
                category = number if category_ids is None else category_ids[number]
            except (KeyError, IndexError):
                raise UserError(
                    f"Detections.to_coco: class {number} has no id among the category_ids {category_ids}."
                ) from None
            record = {"image_id": image_id, "category_id": int(category), "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
            if self.landmarks is not None:
                record["keypoints"] = [number for x, y in self.landmarks[row].tolist() for number in (x, y, 2)]
            records.append(record)
        return records

    def to_supervision(self) -> Any:
        """The same as a ``supervision.Detections``, with ``data["class_name"]`` where classes have names and
        ``data["landmarks"]`` where there are any.

        Raises:
            UserError: the package ``supervision`` is not installed.
        """
        if importlib.util.find_spec("supervision") is None:
            raise UserError("Detections.to_supervision needs supervision, which is not installed: pip install supervision.")
        import supervision  # pyright: ignore[reportMissingImports]

        data = {"class_name": np.array([each.class_name for each in self], dtype=str)} if self.class_names else {}
        if self.landmarks is not None:
            data["landmarks"] = self.landmarks.astype(np.float32)
        return supervision.Detections(
            xyxy=self.xyxy.astype(np.float32),
            confidence=self.confidence.astype(np.float32),
            class_id=self.class_id.astype(int),
            data=data,
        )

    def _number(self, wanted: int | str) -> int:
        if isinstance(wanted, str) and wanted in self.class_names:
            return self.class_names.index(wanted)
        if not isinstance(wanted, str) and (0 <= wanted < len(self.class_names) or not self.class_names):
            return int(wanted)
        near = difflib.get_close_matches(str(wanted), self.class_names, n=1)
        raise UserError(
            f"There is no class {wanted!r}"
            + (f": did you mean {near[0]!r}?" if near else f". There are {', '.join(self.class_names) or 'numbers only'}.")
        )


def _floats(values: UncheckedBoxes) -> np.ndarray:
    given = np.asanyarray(values)
    if given.dtype in (np.float32, np.float64):
        return given
    # What is no number is for the check to refuse.
    return given.astype(np.float64) if given.dtype.kind in "iuf" or not given.size else given
