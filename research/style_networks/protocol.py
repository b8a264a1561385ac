"""What is asked of a network that paints learned styles."""

from typing import Any, Protocol, runtime_checkable

__all__ = ["StyleNetwork"]


@runtime_checkable
class StyleNetwork(Protocol):
    """A ``flax.linen.Module`` that paints one learned style, or several and their mixtures.

    ``network.apply(variables, images, weights)`` takes images (b, h, w, 3), RGB in [0, 1], and weights (b, n), how much of each
    style every image gets, in rows that sum to 1. It returns what was painted, of the images' shape, float32.
    """

    @property
    def styles(self) -> int:
        """n, how many styles it knows."""
        ...

    def init(self, *arguments: Any, **named: Any) -> Any:
        """As flax defines it."""
        ...

    def apply(self, *arguments: Any, **named: Any) -> Any:
        """As flax defines it."""
        ...
