"""Images padded at the right and below, so that the maps of a network lie over one another."""

import dataclasses
import math

from likeness.research.checks import check_count
from likeness.research.geometry.placement import Placement, Size

__all__ = ["PadToMultiple"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PadToMultiple:
    """Leaves an image in the upper left corner of a canvas whose sides are multiples of a number; a long one shrinks first.

    The proportions are kept to whole pixels, and each axis is scaled by exactly what its rounding makes of it.

    Example:
        >>> PadToMultiple(multiple=32).placement((100, 64)).target
        (128, 64)
        >>> PadToMultiple(multiple=32, longest=320).placement((1200, 1600)).target
        (256, 320)
    """

    multiple: int = 32
    """What both sides of the canvas are multiples of."""
    longest: int | None = None
    """The most pixels of the image's longer side, to which a longer one shrinks; None keeps every image's size."""

    def __post_init__(self) -> None:
        check_count("PadToMultiple", "multiple", self.multiple)
        if self.longest is not None:
            check_count("PadToMultiple", "longest", self.longest)

    def placement(self, size: Size) -> Placement:
        """Of an image of this height and width."""
        for name, side in zip(("height", "width"), size, strict=True):
            check_count("PadToMultiple", name, side)
        scale = 1.0 if self.longest is None else min(1.0, self.longest / max(size))
        height, width = (max(1, round(side * scale)) for side in size)
        canvas = math.ceil(height / self.multiple) * self.multiple, math.ceil(width / self.multiple) * self.multiple
        return Placement.filling(size, canvas, (0, 0, width, height))
