"""Drawn shapes as a source of annotated images."""

import dataclasses
from typing import ClassVar

import numpy as np

from likeness.research.data.detection.drawn import Drawing, check_scenes, open_in_parts
from likeness.research.data.detection.examples import DetectionExamples
from likeness.research.synthetic.shapes import SHAPES, draw_shapes

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
        ranges = {"size": (16, 1024), "most": (1, 32), "empty": (0.0, 0.9), "noise": (0.0, 0.5), "seed": (0, 2**63 - 1)}
        check_scenes(self, 4, ranges)

    def open(self) -> DetectionExamples:
        """Draws all images."""
        return open_in_parts(self, self._part, SHAPES)

    def _part(self, part: int, count: int) -> Drawing:
        rng = np.random.default_rng((self.seed, part))
        return Drawing(*draw_shapes(count, rng, self.size, self.most, self.sides, self.noise, self.empty))
