"""Images of any sizes laid on canvases, some at a time, in batches of few shapes: what is done on the host before a program."""

import dataclasses
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from likeness.research.geometry.placement import Placement, Size
from likeness.research.geometry.resampling import place_image
from likeness.research.types import Bool, UInt8

__all__ = ["MOST_TOGETHER", "CanvasBatch", "canvas_batches"]

_PIXELS = {"cpu": 2**19}
"""Of the canvases that are looked at together: beyond this a CPU's caches hold no layer, and other devices are kept busy."""
MOST_TOGETHER = 64
"""Images that are looked at together, at most."""


@dataclasses.dataclass(frozen=True, eq=False)
class CanvasBatch:
    """Canvases of one size, filled up to a power of two by black ones, so that few programs serve all numbers of images."""

    rows: tuple[int, ...]
    """Which images they are of; the rows that fill up are not among them."""
    canvases: UInt8[np.ndarray, "b H W c"]
    placements: tuple[Placement, ...]
    """Of all rows; those that fill up have the first image's."""

    @property
    def real(self) -> Bool[np.ndarray, "b"]:
        """Which rows show an image."""
        return np.arange(len(self.canvases)) < len(self.rows)


def canvas_batches(
    images: Sequence[UInt8[np.ndarray, "_h _w c"]], placements: Sequence[Placement], fill: int
) -> Iterator[CanvasBatch]:
    """Lays images on their canvases; those whose canvases have one size are looked at together, as many as a device takes.

    Args:
        images: of any sizes.
        placements: of each.
        fill: the value of what shows no image, 0 to 255.
    """
    groups: dict[Size, list[int]] = {}
    for row, placement in enumerate(placements):
        groups.setdefault(placement.target, []).append(row)
    for size, rows in groups.items():
        most = _together(size)
        for start in range(0, len(rows), most):
            some = rows[start : start + most]
            more = (1 << (len(some) - 1).bit_length()) - len(some)
            canvases = [place_image(images[row], placements[row], fill=fill) for row in some]
            places = [placements[row] for row in some]
            yield CanvasBatch(
                rows=tuple(some),
                canvases=np.stack(canvases + [np.zeros_like(canvases[0])] * more),
                placements=(*places, *places[:1] * more),
            )


def _together(size: Size) -> int:
    """How many canvases of this height and width the default device looks at together: a power of two."""
    pixels = _PIXELS.get(jax.default_backend(), 2**23)
    return min(MOST_TOGETHER, 1 << max(0, (pixels // (size[0] * size[1])).bit_length() - 1))
