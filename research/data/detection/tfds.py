"""Annotated images of TensorFlow Datasets, read without TensorFlow."""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from likeness.research.checks import check_choice
from likeness.research.data.decode import BadImage, Decode, ImageHeader
from likeness.research.data.detection.checking import BoxChecks, VocPixels
from likeness.research.data.detection.examples import DetectionExamples
from likeness.research.data.detection.looking import CachedReader, Good, without_copies
from likeness.research.data.detection.problems import Problem
from likeness.research.data.detection.records import Part, RawBox, RawImage
from likeness.research.data.images import content_numbers
from likeness.research.data.tfds import prepared_source
from likeness.research.errors import UserError

__all__ = ["DetectionTfds"]


@dataclasses.dataclass(frozen=True)
class DetectionTfds:
    """A data set of TensorFlow Datasets with boxes, such as VOC, that was prepared as ArrayRecord.

    Reading needs no TensorFlow. Preparing a stock data set may, once, in any environment, and the error says the command. Its
    boxes are shares of the image, (ymin, xmin, ymax, xmax). What is wrong is named and counted as by
    :class:`~likeness.research.data.detection.DetectionFolder`: what cannot be used is left out.

    Example::

        examples = DetectionTfds("voc/2007", voc_pixels="one_based").open()
    """

    builder: str
    """The data set's name, perhaps with config and version: ``voc/2007``, ``my_cells:1.0.0``."""
    train: str = "train"
    """The split to learn from, or a slice of it such as ``train[:80%]``."""
    validation: str = "validation"
    """The split to decide by; empty for none, and a share of the images to learn from is taken."""
    test: str = "test"
    """The split to be evaluated by; likewise."""
    data_dir: str = ""
    """Where prepared data sets lie; empty: ``$TFDS_DATA_DIR``, else ``~/tensorflow_datasets``."""
    image_key: str = "image"
    """The feature that holds the image."""
    objects_key: str = "objects"
    """The feature that holds the objects: a sequence with ``box_key`` and ``label_key``, and perhaps ``is_difficult`` (VOC) and
    ``is_crowd`` (COCO)."""
    box_key: str = "bbox"
    """Of an object: its box."""
    label_key: str = "label"
    """Of an object: its class."""
    voc_pixels: VocPixels = "continuous"
    """Whether the shares were made of continuous coordinates, or of indices of pixels from 1 (VOC)."""
    min_box_side: float = 1.0
    """What is inside of the image of a good box is no narrower and no lower, in pixels."""
    channels: Literal[1, 3] = 3
    """1 for gray, 3 for RGB."""
    cache_megabytes: float = 2048.0
    """Images are kept in memory if, decoded, all take no more than this; else each is read when needed."""
    download: bool = False
    """Download and prepare the data set if it is missing; may take hours and want TensorFlow."""

    def __post_init__(self) -> None:
        check_choice("DetectionTfds", "voc_pixels", self.voc_pixels, VocPixels)
        if not (self.train and self.builder):
            raise ValueError("DetectionTfds: give the name of a data set and the split to learn from.")
        if not (self.cache_megabytes >= 0 and self.min_box_side >= 0):
            raise ValueError("DetectionTfds: cache_megabytes and min_box_side must be 0 or more.")

    def open(self) -> DetectionExamples:
        """Reads every record, and checks every image by decoding it once.

        Raises:
            UserError: the data set is not there, was prepared in another format, has not these features, or no image can be
                used.
        """
        splits: list[tuple[Part, str]] = [("train", self.train), ("validation", self.validation), ("test", self.test)]
        splits = [(part, split) for part, split in splits if split]
        sources = [prepared_source(self.builder, split, self.data_dir, self.image_key, self.download) for _, split in splits]
        classes = self._classes(sources[0].dataset_info.features)
        checks = BoxChecks("voc", classes, self.voc_pixels, "told", self.min_box_side)
        decode, problems, room = Decode(channels=self.channels), [], self.cache_megabytes * 1e6
        keep, good = True, list[Good]()
        places: dict[str, tuple[int, int]] = {}
        for number, ((part, split), source) in enumerate(zip(splits, sources, strict=True)):
            for row in range(len(source)):
                name = f"{split}/{row}"
                try:
                    one = self._look(source[row], RawImage(name, (), part=part), decode, checks)
                except BadImage as error:
                    problems.append(Problem("unreadable_image", name, error.why))
                    continue
                room -= 0 if one.pixels is None else one.pixels.nbytes
                if keep and room < 0:
                    # What was kept so far is let go, once, and all are read when needed.
                    keep, good = False, [each._replace(pixels=None) for each in good]
                problems += one.checked.problems
                places[name] = (number, row)
                good.append(one if keep else one._replace(pixels=None))
        good = without_copies(good, problems)
        if not good:
            first = f"; the first problem is {problems[0]}" if problems else ""
            raise UserError(f"No image of {self.builder} can be used{first}. Name other splits.")
        kept = [one.pixels for one in good if one.pixels is not None]
        in_memory = len(kept) == len(good)
        where = np.array([places[one.image.file] for one in good])
        checked = [one.checked for one in good]
        return DetectionExamples(
            names=tuple(one.image.file for one in good),
            sizes=np.array([one.size for one in good], np.int32).reshape(-1, 2),
            starts=np.concatenate([[0], np.cumsum([len(one.boxes) for one in checked])]).astype(np.int64),
            boxes=np.concatenate([one.boxes for one in checked]),
            classes=np.concatenate([one.classes for one in checked]),
            class_names=classes,
            read=CachedReader(kept) if in_memory else _RecordReader(sources, where, self.image_key, decode),
            crowd=np.concatenate([one.crowd for one in checked]),
            difficult=np.concatenate([one.difficult for one in checked]),
            parts=tuple(one.image.part for one in good),
            content=content_numbers([one.content for one in good]),
            digests=tuple(one.digest for one in good),
            channels=self.channels,
            in_memory=in_memory,
            problems=tuple(problems),
        )

    def _look(self, record: Any, image: RawImage, decode: Decode, checks: BoxChecks) -> Good:
        pixels = decode.from_bytes(record[self.image_key], image.file)
        height, width = pixels.shape[:2]
        objects = record[self.objects_key]
        boxes = np.asarray(objects[self.box_key], np.float64).reshape(-1, 4)[:, [1, 0, 3, 2]] * (width, height, width, height)
        labels = np.asarray(objects[self.label_key], np.int64).reshape(-1)
        flags = [np.asarray(objects.get(key, np.zeros(len(labels))), bool) for key in ("is_difficult", "is_crowd")]
        raw = tuple(
            RawBox((box[0], box[1], box[2], box[3]), int(label), difficult=bool(difficult), crowd=bool(crowd))
            for box, label, difficult, crowd in zip(boxes.tolist(), labels, *flags, strict=True)
        )
        checked = checks(dataclasses.replace(image, boxes=raw), image.file, ImageHeader(height, width, 1))
        content = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
        told = hashlib.sha256(content)
        for values in (checked.boxes, checked.classes, checked.crowd, checked.difficult):
            told.update(values.tobytes())
        return Good(image, checked, (height, width), content, told.digest(), pixels)

    def _classes(self, features: Any) -> tuple[str, ...]:
        import tensorflow_datasets as tfds

        for field in ("image_key", "objects_key"):
            if (key := getattr(self, field)) not in features:
                raise UserError(
                    f"{self.builder} has no feature {key!r}, only {', '.join(map(repr, sorted(features)))}: mend the field "
                    f"`{field}`."
                )
        objects = getattr(features[self.objects_key], "feature", {})
        inside = sorted(objects) if hasattr(objects, "keys") else []
        for field in ("box_key", "label_key"):
            if (key := getattr(self, field)) not in inside:
                raise UserError(
                    f"The objects of {self.builder} have no {key!r}, only {', '.join(map(repr, inside)) or 'none'}: mend the "
                    f"field `{field}`."
                )
        if not isinstance(objects[self.label_key], tfds.features.ClassLabel):
            raise UserError(f"{self.label_key!r} of {self.builder} is no ClassLabel: mend the field `label_key`.")
        return tuple(objects[self.label_key].names)


@dataclasses.dataclass(frozen=True, eq=False)
class _RecordReader:
    sources: Sequence[Any]
    places: np.ndarray
    key: str
    decode: Decode

    def __call__(self, row: int) -> np.ndarray:
        source, record = self.places[row].tolist()
        return self.decode.from_bytes(self.sources[source][record][self.key], f"record {record}")
