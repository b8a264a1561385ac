"""Boxes drawn at random for tests of what moves them."""

import numpy as np


def boxes_in(height: int, width: int, rng: np.random.Generator, count: int = 16) -> np.ndarray:
    """Boxes of all sizes, the whole image and one at each edge among them."""
    x, y = (np.sort(rng.uniform(0, side, (2, count)), axis=0) for side in (width, height))
    boxes = np.stack([x[0], y[0], x[1], y[1]], axis=1)
    return np.concatenate([boxes, [[0, 0, width, height], [0, 0, 1, 1], [width - 1, height - 1, width, height]]])
