"""A detector with weights, ready to find objects: what the command line and notebooks use."""

import dataclasses
import math
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias, cast, runtime_checkable

import jax
import numpy as np
from PIL.Image import Image as PillowImage

from likeness.experiments.experiment import Variables
from likeness.experiments.storage.workdir import Workdir, read_json
from likeness.experiments.training.evaluation import read_run, restore
from likeness.research.data.decode import BadImage, Decode, to_uint8
from likeness.research.data.paths import printable
from likeness.research.detectors import CanvasPlaces, DetectionModel, FastestDetDetector, MTCNNDetector, YuNetDetector, detect
from likeness.research.detectors.canvases import MOST_TOGETHER, CanvasBatch, canvas_batches
from likeness.research.encoders.yunet import YuNet
from likeness.research.errors import UserError
from likeness.research.geometry.detections import Detections, PaddedDetections
from likeness.research.geometry.slices import Slices, merge_slices
from likeness.research.geometry.suppression import Suppression
from likeness.research.ops.vectors import wide_vectors
from likeness.research.types import AnyArray, PyTree, UInt8
from likeness.research.weights import named

__all__ = ["PUBLISHED", "Detector", "ImageDetections", "LearnsDetector"]

Image: TypeAlias = str | os.PathLike | AnyArray | PillowImage
"""A file, an image of Pillow's, or an array (h, w, 3) or (h, w): uint8, or floating-point in [0, 1]."""
_Program: TypeAlias = Callable[[AnyArray, CanvasPlaces, AnyArray], PaddedDetections]

_HELD = 2**25
"""Pixels of decoded images after which no further image is waited for before these are looked at."""
_AHEAD = 4
"""Images that are decoded while others are looked at."""
_SMALL = 2**24
"""Bytes of weights that become part of the program, which then folds batch normalization into them."""


def _small_yunet() -> DetectionModel:
    return YuNetDetector(network=YuNet(widths=(16, 32, 64, 64, 64, 64), shared=0))


PUBLISHED: dict[str, Callable[[], DetectionModel]] = {
    "yunet": YuNetDetector,
    "yunet_s": _small_yunet,
    "mtcnn": MTCNNDetector,
    "fastestdet": FastestDetDetector,
}
"""The detectors with published weights, by the names of those."""


@runtime_checkable
class LearnsDetector(Protocol):
    """An experiment that learns a detector.

    Its finished runs keep the names of the classes in ``detector.json``, as ``class_names``.
    """

    def model(self, class_names: tuple[str, ...]) -> DetectionModel:
        """The detector that is learned, for classes of these names."""
        ...

    def model_variables(self, learned: Variables) -> PyTree:
        """What :meth:`DetectionModel.candidates` takes, of what was learned."""
        ...


class ImageDetections(NamedTuple):
    """An image that was looked at."""

    number: int
    """Which of the images it is, from 0 on."""
    image: UInt8[np.ndarray, "h w 3"]
    """As it was read: upright, RGB."""
    detections: Detections
    """What was found in it, in its pixels."""


@dataclasses.dataclass(frozen=True, eq=False)
class Detector:
    """A detector and its weights. It takes images of any size, as files or arrays.

    Example::

        detector = Detector.load("yunet")
        for face in detector.detect(["photo.jpg"])[0]:
            print(face.confidence, face.xyxy, face.landmarks)
    """

    model: DetectionModel
    """What it looks at, and how boxes are read."""
    variables: PyTree
    """The network's weights."""
    name: str = "detector"
    """What they are called: a published name, or a working directory."""
    _programs: dict[Suppression, _Program] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, model: str | os.PathLike) -> "Detector":
        """Loads published weights, or the best checkpoint of a working directory, for which no training data are needed.

        Args:
            model: ``yunet`` (faces), ``yunet_s``, ``mtcnn``, ``fastestdet`` (COCO's 80 classes), or a working directory.

        Raises:
            UserError: there is nothing of that name, the weights are not on this machine, or the directory holds no detector.
        """
        name = os.fspath(model)
        if name in PUBLISHED:
            return cls(PUBLISHED[name](), named(name).load()[0], name)
        if not Path(name).is_dir():
            raise UserError(
                f"There is no detector {printable(name)}: give {', '.join(PUBLISHED)}, or the working directory of a run that "
                "has learned one."
            )
        run = read_run(name)
        experiment = run.experiment
        if not isinstance(experiment, LearnsDetector):
            raise UserError(
                f"{printable(name)} holds a run of {type(experiment).__name__}, which learns no detector: give "
                f"{', '.join(PUBLISHED)}, or the working directory of a run that has learned one."
            )
        kept = Workdir(name).artifact("detector")
        if not kept.exists():
            raise UserError(
                f"{printable(name)} holds a run that has not finished: {kept.name} is written at its end. Launch the same "
                "`likeness train` command again, which goes on where it stopped. Or make do with its best checkpoint, by "
                f"`likeness evaluate {shlex.quote(name)}`."
            )
        names = tuple(map(str, read_json(kept)["class_names"]))
        return cls(experiment.model(names), experiment.model_variables(restore(name, run)[1]), name)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of what it finds."""
        return self.model.class_names

    def detect(
        self,
        images: Image | Sequence[Image],
        *,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
        max_detections: int | None = None,
        class_agnostic: bool | None = None,
        classes: str | int | Sequence[str | int] | None = None,
        slices: Slices | None = None,
    ) -> list[Detections]:
        """Finds the objects in images: a list with an entry for each.

        Args:
            images: files or arrays, of any sizes; one image is a list of one.
            score_threshold: what scores this or less is left out; None is the detector's own.
            iou_threshold: boxes of one class that overlap by more are taken for one object; None likewise.
            max_detections: the most in one image; None likewise.
            class_agnostic: whether boxes of different classes that overlap are taken for one object too; None likewise.
            classes: names or numbers of those that are wanted, one or several; None for all.
            slices: look at slices of a large image too, and put together what is found there, by :func:`merge_slices`.

        Raises:
            UserError: an image cannot be used, or a class has another name.
        """
        rule = self.rule(score_threshold, iou_threshold, max_detections, class_agnostic)
        return [seen.detections for seen in self.look(images, rule, classes=classes, slices=slices)]

    def rule(
        self,
        score_threshold: float | None = None,
        iou_threshold: float | None = None,
        max_detections: int | None = None,
        class_agnostic: bool | None = None,
    ) -> Suppression:
        """The detector's own suppression, changed where something else is asked for.

        Raises:
            UserError: a threshold is out of range.
        """
        asked = {
            "score_threshold": score_threshold,
            "iou_threshold": iou_threshold,
            "max_detections": max_detections,
            "class_agnostic": class_agnostic,
        }
        changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        try:
            return dataclasses.replace(self.model.suppression, **changes)
        except ValueError as error:
            raise UserError(str(error)) from error

    def look(
        self,
        images: Image | Sequence[Image],
        rule: Suppression | None = None,
        *,
        classes: str | int | Sequence[str | int] | None = None,
        slices: Slices | None = None,
        skip: Callable[[int, BadImage], None] | None = None,
    ) -> Iterator[ImageDetections]:
        """As :meth:`detect`, one image after the other in their order, with their pixels.

        The next ones are read while this one is looked at, and no more are held than memory easily takes.

        Args:
            images: likewise.
            rule: what is left out.
            classes: likewise.
            slices: likewise.
            skip: told of each file that cannot be used, by its number, which is then left out; without it such a file is an
                error.
        """
        rule = rule or self.model.suppression
        # Refused before anything is read.
        _nothing(self.class_names).filter(classes=classes)
        for group in _groups(_each(images), skip):
            pixels = [image for _, image in group]
            found = self._sliced(pixels, rule, slices) if slices else self._whole(pixels, rule)
            for (index, image), one in zip(group, found, strict=True):
                yield ImageDetections(index, image, one if classes is None else one.filter(classes=classes))

    def _sliced(self, images: list[np.ndarray], rule: Suppression, slices: Slices) -> list[Detections]:
        """Each image by its slices, and whole where those are several."""
        merged = []
        for image in images:
            height, width = image.shape[:2]
            windows = slices.windows((height, width))
            if len(windows) > 1:
                windows = np.concatenate([windows, [[0, 0, width, height]]])
            cuts = [image[top:bottom, left:right] for left, top, right, bottom in windows.tolist()]
            found = [
                dataclasses.replace(
                    one,
                    xyxy=one.xyxy + np.float32(np.tile(window[:2], 2)),
                    landmarks=None if one.landmarks is None else one.landmarks + np.float32(window[:2]),
                )
                for one, window in zip(self._whole(cuts, rule), windows, strict=True)
            ]
            together = merge_slices(found, windows, (height, width))
            merged.append(_suppressed(together, rule) if len(windows) > 1 else together)
        return merged

    def _whole(self, images: list[np.ndarray], rule: Suppression) -> list[Detections]:
        """Images of any sizes; those whose canvases have one size are looked at together."""
        placements = [self.model.placement((image.shape[0], image.shape[1])) for image in images]
        found: dict[int, Detections] = {}
        for batch in canvas_batches(images, placements, self.model.fill):
            found |= dict(zip(batch.rows, self._run(batch, rule), strict=True))
        return [found[index] for index in range(len(images))]

    def _run(self, batch: CanvasBatch, rule: Suppression) -> list[Detections]:
        own = self.model.suppression
        # What scores less drops nothing that scores more: one program serves all thresholds above the detector's own.
        hard = rule.method in ("hard", "merge")
        base = own.score_threshold if own.score_threshold is not None else -math.inf
        above = hard and rule.score_threshold is not None and rule.score_threshold >= base
        compiled = dataclasses.replace(rule, score_threshold=own.score_threshold) if above else rule
        padded = jax.device_get(self._program(compiled)(batch.canvases, CanvasPlaces.of(batch.placements), batch.real))
        found = PaddedDetections(*padded).exact_each(self.class_names)[: len(batch.rows)]
        return [one.filter(rule.score_threshold) for one in found] if above else found

    def _program(self, rule: Suppression) -> _Program:
        if rule not in self._programs:
            model, variables = self.model, self.variables
            size = sum(leaf.nbytes for leaf in jax.tree.leaves(variables))
            options = wide_vectors()

            def run(variables: PyTree, canvases: AnyArray, places: CanvasPlaces, real: AnyArray) -> PaddedDetections:
                return detect(model, variables, canvases, places, rule, real)

            if size <= _SMALL:
                constants = jax.tree.map(np.asarray, variables)
                program = jax.jit(lambda *given: run(constants, *given), compiler_options=options)
            else:
                held, compiled = jax.device_put(variables), jax.jit(run, compiler_options=options)
                program = lambda *given: compiled(held, *given)  # noqa: E731
            self._programs[rule] = cast(_Program, program)
        return self._programs[rule]


def _each(images: Image | Sequence[Image]) -> list[Image]:
    if isinstance(images, str | os.PathLike | PillowImage) or (hasattr(images, "ndim") and cast(Any, images).ndim in (2, 3)):
        return [cast(Image, images)]
    return list(cast(Sequence[Image], images))


def _groups(
    images: list[Image], skip: Callable[[int, BadImage], None] | None
) -> Iterator[list[tuple[int, UInt8[np.ndarray, "h w 3"]]]]:
    """Decoded images with their indices, some at a time; the next are decoded meanwhile."""
    with ThreadPoolExecutor(max_workers=2) as readers:
        ahead = [readers.submit(_pixels, image) for image in images[:_AHEAD]]
        group, held = [], 0
        for index in range(len(images)):
            if index + _AHEAD < len(images):
                ahead.append(readers.submit(_pixels, images[index + _AHEAD]))
            try:
                pixels = ahead.pop(0).result()
            except BadImage as error:
                if skip is None:
                    raise
                skip(index, error)
                continue
            group.append((index, pixels))
            held += pixels.shape[0] * pixels.shape[1]
            if held >= _HELD or len(group) == MOST_TOGETHER:
                yield group
                group, held = [], 0
        if group:
            yield group


def _pixels(image: Image) -> UInt8[np.ndarray, "h w 3"]:
    """uint8 RGB.

    Raises:
        UserError: it is no image.
    """
    decode = Decode(max_megapixels=170.0, min_side=1)
    if isinstance(image, str | os.PathLike):
        return decode(image)
    if isinstance(image, PillowImage):
        return decode.from_image(image)
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise UserError(
            f"An image is an array of shape (height, width, 3), or gray (height, width), and this one has shape "
            f"{np.shape(image)}: drop or blend an alpha channel, and put channels last."
        )
    return np.ascontiguousarray(np.broadcast_to(to_uint8(pixels, "the array"), (*pixels.shape[:2], 3)))


def _nothing(class_names: tuple[str, ...]) -> Detections:
    return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32), class_names)


def _suppressed(found: Detections, rule: Suppression) -> Detections:
    """Of what several slices gave, what remains; in as many rows as a power of two, so that few programs serve all."""
    rows = max(64, 1 << max(0, len(found) - 1).bit_length())
    more = rows - len(found)
    boxes, scores = (
        np.pad(each, ((0, more), *[(0, 0)] * (each.ndim - 1))).astype(np.float32) for each in (found.xyxy, found.confidence)
    )
    kept = rule.select(boxes, scores, np.pad(found.class_id, (0, more)), np.arange(rows) < len(found))
    return found[np.asarray(kept.indices)[np.asarray(kept.valid)]]
