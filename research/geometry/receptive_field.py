"""What a unit of a convolutional network sees of the image."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

__all__ = ["NetworkGeometry", "ReceptiveField", "WindowGeometry", "receptive_fields"]


@runtime_checkable
class WindowGeometry(Protocol):
    """A layer, square in both directions."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """The layers it reads; ``input`` is the image."""
        ...

    @property
    def kernel(self) -> int:
        """Side of its window."""
        ...

    @property
    def stride(self) -> int:
        """Step between windows."""
        ...

    @property
    def padding(self) -> int:
        """Pixels added at the upper and left edge."""
        ...


@runtime_checkable
class NetworkGeometry(Protocol):
    """An encoder that says how its layers lie."""

    @property
    def geometry(self) -> Sequence[WindowGeometry]:
        """Its layers in the order in which they are computed."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReceptiveField:
    """The square of pixels that the units of one layer see; the same along both axes.

    Unit i sees the pixels ``offset + i·stride`` up to but not including ``offset + i·stride + size``, of which those
    outside of the image are padding.
    """

    size: int
    """Side in pixels."""
    stride: int
    """Pixels between the fields of neighboring units."""
    offset: int
    """The first pixel that unit 0 sees; negative where that is padding."""

    def window(self, unit: int) -> tuple[int, int]:
        """The first pixel that a unit sees, and the one after the last.

        Example:
            >>> ReceptiveField(size=10, stride=2, offset=-4).window(3)
            (2, 12)
        """
        start = self.offset + unit * self.stride
        return start, start + self.size


def receptive_fields(encoder: NetworkGeometry) -> dict[str, ReceptiveField]:
    """The receptive field of every layer by name, ``input`` included.

    A layer of kernel k, stride s and padding p on a field (size r, stride j, offset o) has

        r + (k − 1) j,   j s,   o − p j.

    Where branches are joined, it is the smallest square that holds the fields of all.

    Args:
        encoder: one with a ``geometry``, which all encoders of this project have.

    Raises:
        ValueError: a layer reads branches of different strides.

    Example:
        >>> from likeness.research.encoders import Vgg
        >>> fields = receptive_fields(Vgg())
        >>> fields["relu4_1"]
        ReceptiveField(size=68, stride=8, offset=-30)
        >>> fields["relu5_1"].size
        156
    """
    fields = {"input": ReceptiveField(size=1, stride=1, offset=0)}
    for layer in encoder.geometry:
        seen = _union(layer.name, [fields[name] for name in layer.inputs])
        fields[layer.name] = ReceptiveField(
            size=seen.size + (layer.kernel - 1) * seen.stride,
            stride=seen.stride * layer.stride,
            offset=seen.offset - layer.padding * seen.stride,
        )
    return fields


def _union(layer: str, fields: list[ReceptiveField]) -> ReceptiveField:
    strides = {field.stride for field in fields}
    if len(strides) > 1:
        raise ValueError(
            f"{layer} joins branches of strides {sorted(strides)}: it has no receptive field that moves by a fixed step."
        )
    start = min(field.offset for field in fields)
    stop = max(field.offset + field.size for field in fields)
    return ReceptiveField(size=stop - start, stride=strides.pop(), offset=start)
