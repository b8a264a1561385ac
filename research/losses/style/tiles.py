"""What a loss on activations offers so that it can be had exactly from the tiles of an image."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from likeness.research.losses.style.layers import PlaceMask
from likeness.research.types import Activations, Array, PyTree, Scalar

__all__ = ["AddsPlaces", "AddsStatistics", "ChecksTiles", "Corner"]

Corner: TypeAlias = Callable[[str], tuple[Array, Array]]
"""Row and column of a window's first unit in the whole map of a layer, by the layer's name."""


@runtime_checkable
class AddsStatistics(Protocol):
    """A loss of an image's statistics, and these are the sums of its tiles' statistics."""

    def statistics(self, activations: Activations, mask: PlaceMask | None = None) -> Any:
        """Those of images or of what a mask leaves of them: a pytree of arrays."""
        ...

    def keep(self, statistics: Any) -> PyTree:
        """The target: what the loss keeps of a reference of which only the statistics are known."""
        ...

    def from_statistics(self, statistics: Any, target: PyTree) -> Scalar:
        """The loss of images of which only the statistics are known."""
        ...


@runtime_checkable
class AddsPlaces(Protocol):
    """A loss that compares places one by one, so that it is the sum of its tiles' losses, each with a mask."""

    def cut_target(self, target: PyTree, activations: Activations, corner: Corner) -> PyTree:
        """The part of a target that a window is compared with.

        Args:
            target: of the whole image.
            activations: the window's, whose shapes are those of the part.
            corner: where it lies.
        """
        ...


@runtime_checkable
class ChecksTiles(Protocol):
    """A loss that can be had from tiles as some configs say it only. Without, all can that add anything."""

    def check_tiles(self) -> None:
        """Asked before anything is computed.

        Raises:
            ValueError: it cannot, saying why and what to choose.
        """
        ...
