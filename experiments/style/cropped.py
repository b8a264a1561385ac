"""Images of many proportions brought to one."""

import dataclasses
import math

from likeness.research.images import fit
from likeness.research.images.sources import ImageSource, Pixels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cropped(ImageSource):
    """As much as possible of the middle of an image, in other proportions."""

    source: ImageSource
    """The image."""
    proportions: tuple[int, int]
    """Height and width, or any multiple of them."""
    opened: dict[int, Pixels] = dataclasses.field(default_factory=dict, repr=False, compare=False)
    """By size, what was opened before: a procedural painting takes seconds."""

    @property
    def title(self) -> str:
        """The source's."""
        return self.source.title

    def fingerprint(self) -> str:
        """The source's."""
        return self.source.fingerprint()

    def open(self, size: int) -> Pixels:
        """RGB in [0, 1], with ``size`` pixels along its longer side.

        Raises:
            UserError: when it cannot be read.
        """
        if size not in self.opened:
            height, width = fit(self.proportions, size)
            pixels = self.source.open(size)
            larger = math.floor(size * max(height / pixels.shape[0], width / pixels.shape[1]))
            # Sides are rounded, and one may lack a pixel of what it is to cover.
            while pixels.shape[0] < height or pixels.shape[1] < width:
                pixels, larger = self.source.open(larger), larger + 1
            top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
            self.opened[size] = pixels[top : top + height, left : left + width]
        return self.opened[size]
