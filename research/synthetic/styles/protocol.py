"""What a procedural style is, and what all of them begin with."""

from typing import Protocol, runtime_checkable

import jax
import numpy as np

from likeness.research.types import Float, PRNGKey

_SMALLEST = 8


@runtime_checkable
class Style(Protocol):
    """An image drawn from a key."""

    def __call__(self, size: tuple[int, int], key: PRNGKey) -> Float[np.ndarray, "h w 3"]:
        """Paints.

        Args:
            size: height and width in pixels. All lengths are fractions of the shorter side, so a larger image of the
                same proportions is the same image, painted more finely.
            key: typed key; the same key gives the same bytes on the same machine.

        Returns:
            float32 sRGB in [0, 1].

        Raises:
            ValueError: a side below 8 pixels.
        """
        ...


def begin(size: tuple[int, int], key: PRNGKey) -> tuple[np.random.Generator, np.random.Generator]:
    """Two independent generators: one for what the image shows, one for what depends on how many pixels it has."""
    if min(size) < _SMALLEST:
        raise ValueError(f"A style of {size[1]} x {size[0]} pixels is too small to paint: each side needs {_SMALLEST} or more.")
    layout, texture = np.random.default_rng(np.asarray(jax.random.key_data(key))).spawn(2)
    return layout, texture


def proportions(size: tuple[int, int]) -> tuple[float, float]:
    """Width and height in units of the shorter side."""
    return size[1] / min(size), size[0] / min(size)
