"""Drawn shapes as a source of annotated images."""

import dataclasses
from typing import ClassVar

import numpy as np

from likeness.research.data.detection.examples import DetectionExamples, detection_examples
from likeness.research.data.detection.records import Part
from likeness.research.synthetic.shapes import SHAPES, DrawnShapes, draw_shapes

__all__ = ["Shapes"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shapes:
    """Synthetic images of disks, boxes and triangles on textured, noisy ground, one to four of them in an image or none.

    Small ones lie on large ones. A box holds exactly what is seen of its shape, and no two boxes of an image have an IoU above
    0.3. The three parts are drawn apart, and more images of a part leave those there were as they are.

    Raises:
        ValueError: a field is out of range.

    Example:
        >>> examples = Shapes(train=2, validation=1, test=1).open()
        >>> len(examples), examples.parts, examples.class_names
        (4, ('train', 'train', 'validation', 'test'), ('disk', 'box', 'triangle'))
    """

    synthetic: ClassVar[bool] = True
    """No number measured on them says anything of real objects."""

    train: int = 16000
    """Images to learn from."""
    validation: int = 500
    """Images to decide by."""
    test: int = 1000
    """Images to be evaluated by."""
    size: int = 64
    """Side of an image in pixels."""
    most: int = 4
    """Shapes in an image, at most."""
    sides: tuple[float, float] = (10.0, 30.0)
    """The smallest and the largest width and height of a shape in pixels."""
    empty: float = 0.0
    """Share of the images without any shape."""
    noise: float = 0.08
    """Standard deviation of the noise in the noisiest images, where black is 0 and white 1; the clearest have a quarter."""
    seed: int = 0
    """Decides all images."""

    def __post_init__(self) -> None:
        for field, low, high in (
            ("train", 1, 10**6),
            ("validation", 1, 10**6),
            ("test", 1, 10**6),
            ("size", 16, 1024),
            ("most", 1, 32),
            ("empty", 0.0, 0.9),
            ("noise", 0.0, 0.5),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                raise ValueError(f"Shapes.{field} is {value}; choose a value from {low} to {high}.")
        low, high = self.sides
        if not 4 <= low <= high <= self.size / 2:
            raise ValueError(
                f"Shapes.sides is {self.sides}; choose a smallest and a largest side from 4 pixels to {self.size / 2:g}, half "
                "of the image."
            )

    def open(self) -> DetectionExamples:
        """Draws all images."""
        sizes: dict[Part, int] = {"train": self.train, "validation": self.validation, "test": self.test}
        drawn = [self._part(part, count) for part, count in enumerate(sizes.values())]
        images, boxes, classes, mask = (np.concatenate(column) for column in zip(*drawn, strict=True))
        examples = detection_examples(
            images,
            [some[there] for some, there in zip(boxes, mask, strict=True)],
            [some[there] for some, there in zip(classes, mask, strict=True)],
            SHAPES,
        )
        parts = tuple(part for part, count in sizes.items() for _ in range(count))
        return dataclasses.replace(examples, parts=parts)

    def _part(self, part: int, count: int) -> DrawnShapes:
        rng = np.random.default_rng((self.seed, part))
        return draw_shapes(count, rng, self.size, self.most, self.sides, self.noise, self.empty)
