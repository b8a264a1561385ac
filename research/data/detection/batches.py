"""Batches of one fixed shape for jitted code: rows for as many boxes as an image may need, and a mask of the real ones."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from likeness.research.data.detection.augmentation import DetectionAugmentation, DetectionSample, sample_of
from likeness.research.data.detection.examples import DetectionExamples
from likeness.research.data.examples import Epochs
from likeness.research.errors import UserError
from likeness.research.geometry.placement import Size
from likeness.research.geometry.transforms import GeometricTransform, Letterbox
from likeness.research.types import AnyArray

__all__ = ["PaddedBoxes", "pad_boxes", "padded_boxes", "stream_detection"]


class PaddedBoxes(NamedTuple):
    """The objects of each image of a batch in m rows, of which only those under the mask are real. A pytree."""

    boxes: Float[AnyArray, "*b m 4"]
    """``xyxy``, float32; zeros where there is no object."""
    classes: Int[AnyArray, "*b m"]
    """int32; 0 where there is no object."""
    mask: Bool[AnyArray, "*b m"]
    """Which rows are objects that are to be found."""
    ignored: Bool[AnyArray, "*b m"]
    """Which rows are crowds or difficult objects: neither to be found nor background. No row is under both."""


def pad_boxes(examples: DetectionExamples, samples: list[DetectionSample], most: int) -> PaddedBoxes:
    """The objects of samples in rows of a fixed number.

    Raises:
        UserError: a sample has more objects than rows.

    Example:
        >>> from likeness.research.data.detection import detection_examples
        >>> examples = detection_examples(
        ...     [np.zeros((40, 60, 3), np.uint8)], [np.array([[10.0, 10.0, 30.0, 30.0]])], [np.array([0])], ("disk",)
        ... )
        >>> padded = pad_boxes(examples, [sample_of(examples, 0, Letterbox(size=(60, 60)))], 2)
        >>> padded.boxes.tolist(), padded.mask.tolist()
        ([[[10.0, 20.0, 30.0, 40.0], [0.0, 0.0, 0.0, 0.0]]], [[True, False]])
    """
    shape = (len(samples), most)
    boxes, classes = np.zeros((*shape, 4), np.float32), np.zeros(shape, np.int32)
    mask, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    passed_over = examples.ignored
    for row, sample in enumerate(samples):
        count = len(sample.boxes)
        if count > most:
            raise UserError(f"An image has {count} boxes, and there are rows for {most}: raise `max_boxes`.")
        boxes[row, :count], classes[row, :count] = sample.boxes, sample.classes
        ignored[row, :count] = passed_over[sample.rows]
        mask[row, :count] = ~ignored[row, :count]
    return PaddedBoxes(boxes, classes, mask, ignored)


@dataclasses.dataclass(frozen=True, eq=False)
class _ReadDetections:
    """One process's share of a batch: (number of the batch, rows) -> images and boxes."""

    examples: DetectionExamples
    batches: Epochs
    size: Size
    augmentation: DetectionAugmentation | None
    transform: GeometricTransform
    most: int
    seed: int
    process_index: int
    process_count: int
    ignoring: bool

    def __call__(self, number: int) -> dict[str, np.ndarray]:
        rows = self.batches[number]
        share = len(rows) // self.process_count
        first = self.process_index * share
        rows = rows[first : first + share]
        samples = [self._sample(int(row), (number, first + place)) for place, row in enumerate(rows)]
        padded = pad_boxes(self.examples, samples, self.most)
        batch = {"images": np.stack([sample.image for sample in samples]), **padded._asdict(), "rows": rows}
        if not self.ignoring:
            del batch["ignored"]
        if self.examples.points is not None:
            points = np.zeros((*padded.mask.shape, *self.examples.points.shape[1:]), np.float32)
            for row, sample in enumerate(samples):
                if sample.points is not None:
                    points[row, : len(sample.points)] = sample.points
            batch["points"] = points
        if self.examples.proposals is not None:
            batch |= _padded_proposals(samples, self.examples.proposals.limit)
        return batch

    def _sample(self, row: int, draw: tuple[int, int]) -> DetectionSample:
        if self.augmentation is None:
            return sample_of(self.examples, row, self.transform)
        return self.augmentation(self.examples, row, self.size, np.random.default_rng((self.seed, *draw)))


def _padded_proposals(samples: list[DetectionSample], most: int) -> dict[str, np.ndarray]:
    proposals, proposed = np.zeros((len(samples), most, 4), np.float32), np.zeros((len(samples), most), bool)
    for row, sample in enumerate(samples):
        if sample.proposals is not None:
            # Of a mosaic there are more, and these are the best of each of its images.
            own = sample.proposals[:most]
            proposals[row, : len(own)], proposed[row, : len(own)] = own, True
    return {"proposals": proposals, "proposed": proposed}


def stream_detection(
    examples: DetectionExamples,
    batch: int,
    size: Size,
    seed: int,
    *,
    augmentation: DetectionAugmentation | None = None,
    transform: GeometricTransform | None = None,
    max_boxes: int | None = None,
    process_index: int = 0,
    process_count: int = 1,
    threads: int | None = None,
    prefetch: int = 4,
):
    """Iterates without end over batches of images and their boxes, in a fresh order every epoch.

    Batch i is a function of the seed and i alone, and so is what is drawn for each of its images. Each of several processes
    gets its contiguous slice of every batch.

    Args:
        examples: what is learned from.
        batch: how many images a batch has.
        size: height and width of what the detector is shown.
        seed: another one draws otherwise.
        augmentation: how each image is changed; None: not at all.
        transform: how an image comes to the size where it is not changed; None: by a letterbox.
        max_boxes: rows for boxes; None: as many as an image may have.
        process_index: this process.
        process_count: how many processes there are.
        threads: how many batches are made at a time; 0 makes them in the caller's thread. Default: one for each processor.
        prefetch: how many batches are made ahead.

    Returns:
        A ``grain.DatasetIterator`` over dictionaries: ``images`` uint8 (b, h, w, c), the fields of :class:`PaddedBoxes`, of
        which ``ignored`` is left out where the table has no such object, ``rows`` int64 (b,), ``points`` (b, m, p, 2) where
        there are landmarks, and ``proposals`` (b, q, 4) with the mask ``proposed`` (b, q) where the table has some. Its state
        is JSON, and holds the number of the next batch.

    Raises:
        UserError: there are no images, the batch does not divide by the processes, or an image has more boxes than rows.
    """
    import grain

    if not len(examples):
        raise UserError("There are no images to train on: give the data some.")
    if batch % process_count:
        raise UserError(f"A batch of {batch} images cannot be shared evenly by {process_count} processes: choose a multiple.")
    needed = examples.most_boxes if augmentation is None else augmentation.most_boxes(examples)
    most = max(1, needed if max_boxes is None else max_boxes)
    if most < needed:
        fullest = examples.names[int(np.diff(examples.starts).argmax())]
        raise UserError(
            f"An image may have {needed} boxes ({fullest} has most), and there are rows for {most}: raise `max_boxes`, or "
            "leave it out."
        )
    rows = Epochs(batch, len(examples), seed)
    read = _ReadDetections(
        examples,
        rows,
        size,
        augmentation,
        Letterbox(size=size) if transform is None else transform,
        most,
        seed,
        process_index,
        process_count,
        bool(examples.ignored.any()),
    )
    dataset: Any = grain.MapDataset.source(range(len(rows))).map(read)
    threads = os.cpu_count() or 1 if threads is None else threads
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=prefetch if threads else 0)
    return iter(dataset.to_iter_dataset(options))


def padded_boxes(batch: Mapping[str, np.ndarray]) -> PaddedBoxes:
    """The boxes of a batch of :func:`stream_detection`."""
    ignored = batch.get("ignored", np.zeros_like(batch["mask"]))
    return PaddedBoxes(batch["boxes"], batch["classes"], batch["mask"], ignored)
