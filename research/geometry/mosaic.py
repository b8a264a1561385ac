"""Four images on one canvas, each scaled to cover its corner (Bochkovskiy et al. 2020, "YOLOv4", section 3.3)."""

import dataclasses

from likeness.research.checks import check_count
from likeness.research.geometry.placement import Placement, Size

__all__ = ["Mosaic"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mosaic:
    """Parts a canvas at a point into four tiles and covers each with an image, from the point outward.

    An image is scaled, by one factor for both axes but for the rounding to whole pixels, until it covers its tile. Its corner
    lies at the point where the tiles meet, and what sticks out of the tile is cut off. So objects are seen at other sizes,
    beside others' surroundings, and cut by borders. The boxes of each image are clipped to its tile by
    :meth:`~likeness.research.geometry.Placement.show`.

    Example:
        >>> placements = Mosaic(size=(64, 64), center=(32, 32)).placements([(10, 20), (20, 10), (64, 64), (32, 32)])
        >>> [placement.frame for placement in placements][0]
        (0.0, 0.0, 32.0, 32.0)
    """

    size: Size
    """Height and width of the canvas."""
    center: tuple[int, int]
    """Row and column where the tiles meet, each at least 1 and less than the canvas's side."""

    def __post_init__(self) -> None:
        for name, side, at in zip(("height", "width"), self.size, self.center, strict=True):
            check_count("Mosaic", name, side, least=2)
            if not 0 < at < side:
                raise ValueError(f"Mosaic(center={self.center}): the tiles meet inside of a canvas of {self.size}.")

    def placements(self, sizes: list[Size]) -> tuple[Placement, Placement, Placement, Placement]:
        """Where images of these sizes go: upper left, upper right, lower left, lower right.

        Raises:
            ValueError: there are not four.
        """
        if len(sizes) != 4:
            raise ValueError(f"Mosaic: four images make one, not {len(sizes)}.")
        row, column = self.center
        made = []
        for number, size in enumerate(sizes):
            lower, right = divmod(number, 2)
            tile = (self.size[0] - row if lower else row, self.size[1] - column if right else column)
            scale = max(tile[0] / size[0], tile[1] / size[1])
            height, width = (max(least, round(side * scale)) for side, least in zip(size, tile, strict=True))
            left, top = (column if right else column - width), (row if lower else row - height)
            placement = Placement.filling(size, self.size, (left, top, left + width, top + height))
            x, y = (column if right else 0), (row if lower else 0)
            made.append(placement.within(x, y, x + tile[1], y + tile[0]))
        return (made[0], made[1], made[2], made[3])
