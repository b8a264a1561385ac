"""Random changes of annotated images, on the host and in uint8: one map for pixels, boxes and points, then colors."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int32, Int64, UInt8
from PIL import Image

from likeness.research.data.detection.examples import DetectionExamples
from likeness.research.geometry.mosaic import Mosaic
from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.resampling import place_image
from likeness.research.geometry.transforms import Composition, Flip, GeometricTransform, Letterbox, Rotation, keep_visible

__all__ = ["DetectionAugmentation", "DetectionSample", "sample_of"]


class DetectionSample(NamedTuple):
    """An image as a detector sees it, and its objects."""

    image: UInt8[np.ndarray, "h w c"]
    boxes: Float32[np.ndarray, "k 4"]
    """``xyxy`` in its pixels."""
    classes: Int32[np.ndarray, "k"]
    rows: Int64[np.ndarray, "k"]
    """Where each object stands in the table's columns."""
    points: Float32[np.ndarray, "k p 2"] | None = None
    proposals: Float32[np.ndarray, "q 4"] | None = None
    """Boxes that may be objects, moved as the image, best first; None where there are none of the image."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectionAugmentation:
    """Draws anew for every image: a mosaic, a mirror, a turn, a scale and a place on the canvas, then colors.

    An image is scaled as a letterbox would, times a factor drawn evenly on a logarithmic scale, and its place is drawn evenly
    among those at which the smaller of image and canvas is inside of the other; a shift comes on top. All of it is one map by
    whole pixels of the canvas, so that pixels are filtered once; only a turn interpolates. A box is kept if its visible share
    is at least ``min_visible`` and what is seen of it no narrower than ``min_side`` (:func:`likeness.research.geometry.move`).

    What is drawn depends on the seed and on the number of the draw alone.

    Raises:
        ValueError: a field is out of range.

    Example:
        >>> from likeness.research.data.detection import detection_examples
        >>> examples = detection_examples(
        ...     [np.zeros((40, 60, 3), np.uint8)], [np.array([[10.0, 10.0, 30.0, 30.0]])], [np.array([0])], ("disk",)
        ... )
        >>> sample = DetectionAugmentation(mirror=1.0)(examples, 0, (60, 60), np.random.default_rng(0))
        >>> sample.boxes.tolist()
        [[30.0, 20.0, 50.0, 40.0]]
    """

    mirror: float = 0.5
    """Probability of exchanging left and right."""
    up_down: float = 0.0
    """Probability of exchanging above and below."""
    quarter_turns: float = 0.0
    """Probability of a turn by 90, 180 or 270 degrees, each as likely: for what is seen from above."""
    rotate: float = 0.0
    """Largest turn either way, in degrees, 0 to 180. Boxes grow under it, for they stay upright."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Smallest and largest factor of the image's size on the canvas."""
    translate: float = 0.0
    """Largest shift either way along each axis, as a fraction of the canvas, 0 to 1."""
    mosaic: float = 0.0
    """Probability of four images on one canvas in place of one."""
    mosaic_center: tuple[float, float] = (0.3, 0.7)
    """Between which fractions of the canvas's sides the four meet."""
    brightness: float = 0.0
    """Largest factor by which values are changed, less 1: 0.4 multiplies by 0.6 to 1.4."""
    contrast: float = 0.0
    """The same of the distance from the middle of gray."""
    saturation: float = 0.0
    """The same of the distance from the pixel's own gray."""
    hue: float = 0.0
    """Largest turn of the colors either way, in degrees, 0 to 180."""
    gray: float = 0.0
    """Probability of taking the colors away."""
    min_visible: float = 0.25
    """The least visible share of a box that is kept, 0 to 1."""
    min_side: float = 2.0
    """The least side of what is seen of it, in pixels of the canvas."""
    fill: int = 114
    """The value of what shows no image, 0 to 255."""
    point_order: tuple[int, ...] | None = None
    """Which landmark takes each place in the mirror, such as (1, 0, 2, 4, 3); None: they have no sides."""

    def __post_init__(self) -> None:
        for field, low, high in (
            ("mirror", 0.0, 1.0),
            ("up_down", 0.0, 1.0),
            ("quarter_turns", 0.0, 1.0),
            ("rotate", 0.0, 180.0),
            ("translate", 0.0, 1.0),
            ("mosaic", 0.0, 1.0),
            ("brightness", 0.0, 1.0),
            ("contrast", 0.0, 1.0),
            ("saturation", 0.0, 1.0),
            ("hue", 0.0, 180.0),
            ("gray", 0.0, 1.0),
            ("min_visible", 0.0, 1.0),
            ("min_side", 0.0, math.inf),
            ("fill", 0, 255),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                raise ValueError(f"DetectionAugmentation.{field} is {value}; choose a value from {low} to {high}.")
        for field, low, high in (("scale", 0.05, 20.0), ("mosaic_center", 0.05, 0.95)):
            start, stop = getattr(self, field)
            if not low <= start <= stop <= high:
                raise ValueError(
                    f"DetectionAugmentation.{field} is {(start, stop)}; choose a smallest and a largest value from {low} to "
                    f"{high}, the smallest first."
                )

    def __call__(self, examples: DetectionExamples, row: int, size: Size, rng: np.random.Generator) -> DetectionSample:
        """An image of a table, changed.

        Args:
            examples: of a mosaic, three others are drawn from them.
            row: the image.
            size: height and width of the canvas.
            rng: what is drawn from.
        """
        if self.mosaic and min(size) >= 2 and rng.random() < self.mosaic:
            sample = self._mosaic(examples, row, size, rng)
        else:
            shape = (int(examples.sizes[row, 0]), int(examples.sizes[row, 1]))
            placement = self._orient(rng).placement(shape)
            placement = placement.then(self._place(placement.target, size, rng))
            canvas = place_image(examples.read(row), placement, fill=self.fill)
            sample = _sample(canvas, [self._objects(examples, row, placement)])
        return sample._replace(image=self._colors(sample.image, rng))

    def most_boxes(self, examples: DetectionExamples) -> int:
        """How many boxes a changed image may have at most."""
        return examples.most_boxes * (4 if self.mosaic else 1)

    def _orient(self, rng: np.random.Generator) -> GeometricTransform:
        """The flips and turns that come first. As many numbers are drawn whatever is switched on."""
        chances, angle = rng.random(3), rng.uniform(-1, 1)
        quarters = int(rng.integers(1, 4))
        steps: list[GeometricTransform] = []
        if chances[0] < self.mirror:
            steps.append(Flip())
        if chances[1] < self.up_down:
            steps.append(Flip(direction="up_down"))
        if chances[2] < self.quarter_turns:
            steps.append(Rotation(degrees=90.0 * quarters, canvas="around"))
        if self.rotate:
            steps.append(Rotation(degrees=self.rotate * float(angle)))
        return Composition(tuple(steps))

    def _place(self, shape: Size, size: Size, rng: np.random.Generator) -> Placement:
        """A letterbox at another scale and another place, by whole pixels."""
        low, high = (math.log(factor) for factor in self.scale)
        factor = math.exp(rng.uniform(low, high))
        where, shift = rng.random(2), rng.uniform(-self.translate, self.translate, 2)
        if self.scale == (1.0, 1.0) and not self.translate:
            return Letterbox(size=size).placement(shape)
        scale = factor * min(size[0] / shape[0], size[1] / shape[1])
        covered = [max(1, round(side * scale)) for side in shape]
        top, left = (
            round(float(at) * (side - own)) + round(float(by) * side)
            for at, by, side, own in zip(where, shift, size, covered, strict=True)
        )
        return Placement.filling(shape, size, (left, top, left + covered[1], top + covered[0]))

    def _mosaic(self, examples: DetectionExamples, row: int, size: Size, rng: np.random.Generator) -> DetectionSample:
        low, high = self.mosaic_center
        where = rng.uniform(low, high, 2).tolist()
        y, x = (min(side - 1, max(1, round(side * at))) for side, at in zip(size, where, strict=True))
        rows = [row, *rng.integers(0, len(examples), 3).tolist()]
        rows = [rows[i] for i in rng.permutation(4)]
        turned = [self._orient(rng).placement((int(h), int(w))) for h, w in (examples.sizes[other] for other in rows)]
        tiles = Mosaic(size=size, center=(y, x)).placements([placement.target for placement in turned])
        canvas = np.full((*size, examples.channels), self.fill, np.uint8)
        objects = []
        for other, first, tile in zip(rows, turned, tiles, strict=True):
            placement = first.then(tile)
            place_image(examples.read(other), placement, fill=self.fill, canvas=canvas)
            objects.append(self._objects(examples, other, placement))
        return _sample(canvas, objects)

    def _objects(self, examples: DetectionExamples, row: int, placement: Placement) -> DetectionSample:
        return _objects(examples, row, placement, self.min_visible, self.min_side, self.point_order)

    def _colors(self, image: UInt8[np.ndarray, "h w c"], rng: np.random.Generator) -> UInt8[np.ndarray, "h w c"]:
        factors = 1 + rng.uniform(-1, 1, 3) * (self.brightness, self.contrast, self.saturation)
        angle, chance = rng.uniform(-1, 1), rng.random()
        if not (self.brightness or self.contrast or self.saturation or self.hue or self.gray):
            return image
        bright, contrast, saturation = factors.tolist()
        if chance < self.gray:
            saturation = 0.0
        # value -> (value · bright - 127.5) · contrast + 127.5
        scale, shift = bright * contrast, 127.5 * (1 - contrast)
        if image.shape[2] == 1:
            table = np.clip(np.round(np.arange(256) * scale + shift), 0, 255).astype(np.uint8)
            return table[image]
        matrix = scale * _hue_and_saturation(math.radians(self.hue * float(angle)), saturation)
        rows = np.concatenate([matrix, np.full((3, 1), shift)], axis=1)
        return np.asarray(Image.fromarray(image).convert("RGB", tuple(rows.ravel().tolist())))


def sample_of(
    examples: DetectionExamples, row: int, transform: GeometricTransform, *, fill: int = 114, min_side: float = 0.0
) -> DetectionSample:
    """An image of a table, moved by a transform and not changed otherwise: what a detector is evaluated on.

    No box of a letterbox is lost; ``min_side`` is what :func:`likeness.research.geometry.move` says.
    """
    placement = transform.placement((int(examples.sizes[row, 0]), int(examples.sizes[row, 1])))
    objects = _objects(examples, row, placement, 0.0, min_side, None)
    return objects._replace(image=place_image(examples.read(row), placement, fill=fill))


def _objects(
    examples: DetectionExamples,
    row: int,
    placement: Placement,
    min_visible: float,
    min_side: float,
    order: tuple[int, ...] | None,
) -> DetectionSample:
    own = examples.objects(row)
    boxes, kept = keep_visible(placement, examples.boxes[own], min_visible, min_side)
    rows = np.arange(own.start, own.stop, dtype=np.int64)[kept]
    points = None if examples.points is None else np.asarray(placement.points(examples.points[rows], order), np.float32)
    none = np.zeros((0, 0, examples.channels), np.uint8)
    proposals = None
    if examples.proposals is not None:
        proposals = keep_visible(placement, examples.proposals(row), min_visible, min_side)[0].astype(np.float32)
    return DetectionSample(none, boxes.astype(np.float32), examples.classes[rows], rows, points, proposals)


def _sample(canvas: np.ndarray, parts: list[DetectionSample]) -> DetectionSample:
    points = [part.points for part in parts if part.points is not None]
    proposals = [part.proposals for part in parts if part.proposals is not None]
    # The best of each first.
    order = np.argsort(np.concatenate([np.arange(len(each)) for each in proposals]), kind="stable") if proposals else None
    return DetectionSample(
        image=canvas,
        boxes=np.concatenate([part.boxes for part in parts]),
        classes=np.concatenate([part.classes for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
        points=np.concatenate(points) if points else None,
        proposals=np.concatenate(proposals)[order] if proposals else None,
    )


def _hue_and_saturation(angle: float, saturation: float) -> Float[np.ndarray, "3 3"]:
    """Turns the two color axes of YIQ and scales them; gray stays."""
    to_yiq = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    cos, sin = saturation * math.cos(angle), saturation * math.sin(angle)
    turn = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    return np.linalg.inv(to_yiq) @ turn @ to_yiq
