"""Cutting an image into windows from which its activations can be had exactly, however large it is.

A window is larger than the tile that it is for, by a halo on every side: what the network's padding does at a window's edge
then never reaches the tile. At the image's own edges there is no halo, for there the padding is the image's own. All
windows have one size, so one program serves them all, and begin where the network's strides begin.
"""

import dataclasses
from collections.abc import Iterable

from likeness.research.geometry.receptive_field import NetworkGeometry, receptive_fields

__all__ = ["Span", "Tiles", "cut"]


@dataclasses.dataclass(frozen=True)
class Span:
    """One window along one axis, in pixels."""

    start: int
    """The window's first pixel."""
    begin: int
    """The tile's first pixel."""
    end: int
    """The one after the tile's last."""


@dataclasses.dataclass(frozen=True)
class Tiles:
    """How an image is cut: every row of windows with every column of windows."""

    height: int
    """Of every window."""
    width: int
    """Of every window."""
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    strides: tuple[tuple[str, int], ...]
    """Pixels between neighboring units, for every layer that is read."""

    @property
    def spans(self) -> list[tuple[Span, Span]]:
        """The windows, row by row."""
        return [(row, column) for row in self.rows for column in self.columns]


def cut(network: NetworkGeometry, layers: Iterable[str], height: int, width: int, tile: int) -> Tiles:
    """Plans the windows of an image.

    Args:
        network: the encoder.
        layers: the activations that are read.
        height: of the image, in pixels.
        width: of the image.
        tile: side of a tile without its halo; rounded down to a multiple of the coarsest stride.

    Raises:
        ValueError: a tile smaller than the coarsest stride, or a layer that does not exist.

    Example:
        >>> from likeness.research.encoders import Vgg
        >>> tiles = cut(Vgg(), ["relu2_1"], height=100, width=64, tile=48)
        >>> tiles.height, tiles.width, [(span.start, span.begin, span.end) for span in tiles.rows]
        (56, 56, [(0, 0, 48), (44, 48, 96), (44, 96, 100)])
    """
    fields = receptive_fields(network)
    missing = [layer for layer in layers if layer not in fields]
    if missing:
        raise ValueError(f"The encoder has no layer {missing[0]!r}: there are {', '.join(fields)}.")
    read = {layer: fields[layer] for layer in layers}
    stride = max(field.stride for field in read.values())
    if tile < stride:
        raise ValueError(f"A tile of {tile} pixels is smaller than the stride of the deepest layer: give at least {stride}.")
    reach = max(max(-field.offset, field.offset + field.size - field.stride) for field in read.values())
    halo = -(-reach // stride) * stride
    core = tile // stride * stride
    (tall, rows), (wide, columns) = (_spans(side, core, halo, stride) for side in (height, width))
    return Tiles(tall, wide, rows, columns, tuple((layer, field.stride) for layer, field in read.items()))


def _spans(side: int, core: int, halo: int, stride: int) -> tuple[int, tuple[Span, ...]]:
    """The windows' side and the windows.

    The side leaves the image's own remainder by the stride, so that the last window, which ends where the image ends,
    begins at a multiple of the stride too.
    """
    window = core + 2 * halo + side % stride
    if window >= side:
        return side, (Span(0, 0, side),)
    starts = range(0, side, core)
    return window, tuple(Span(max(0, min(begin - halo, side - window)), begin, min(begin + core, side)) for begin in starts)
