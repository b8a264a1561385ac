"""Images that look nearly alike: scaled, encoded anew, or taken a moment later."""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

NEAR = 0.97
"""The correlation of thumbnails from which two images are taken for nearly the same."""

_SIDE = 24
_MOST = 30_000
_ROWS = 2048


def thumbnails(images: Iterable[np.ndarray]) -> np.ndarray:
    """Gray images of 24 × 24 pixels, of mean 0 and length 1: their products are correlations. Of one color: zeros."""
    made = []
    for image in images:
        pixels = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).convert("L")
        small = np.asarray(pixels.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32).ravel()
        small = small - small.mean()
        length = float(np.linalg.norm(small))
        # Below half a level of gray on average there is nothing but noise.
        made.append(small / length if length > 0.5 * _SIDE else np.zeros_like(small))
    return np.array(made, np.float32).reshape(-1, _SIDE * _SIDE)


def near_copies(thumbs: np.ndarray, groups: Sequence[str], across: bool, least: float = NEAR) -> list[tuple[int, int, float]]:
    """Pairs of a row and the most similar one before it that correlate by at least so much, the most alike first.

    Args:
        thumbs: as :func:`thumbnails` makes them. Of more than 30,000 rows only those are compared that are close in order.
        groups: a name for each row.
        across: whether rows of different groups are compared, or those of one.
        least: from which correlation on.
    """
    group = np.unique(np.array(groups), return_inverse=True)[1]
    found: list[tuple[int, int, float]] = []
    for start in range(0, len(thumbs), _ROWS):
        block = thumbs[start : start + _ROWS]
        first = 0 if len(thumbs) <= _MOST else max(0, start - _ROWS)
        alike = block @ thumbs[first : start + len(block)].T
        rows, others = np.arange(start, start + len(block))[:, None], np.arange(first, first + alike.shape[1])
        alike[(others >= rows) | ((group[rows] != group[others]) != across)] = -1
        nearest = alike.argmax(axis=1)
        values = alike[np.arange(len(block)), nearest]
        found += [(start + int(row), first + int(nearest[row]), float(values[row])) for row in np.flatnonzero(values >= least)]
    return sorted(found, key=lambda pair: -pair[2])
