"""Hypercolumns read by SciPy, for the oracles of the losses that compare them."""

import jax
import jax.numpy as jnp
import numpy as np
from float64 import maps
from scipy.ndimage import map_coordinates

from likeness.research.losses.style.hypercolumns import draw_places

LAYERS = {"input": (12, 8, 3), "relu1_1": (6, 4, 3), "relu2_1": (3, 4, 2)}


def generic(seed: int, **kwargs) -> dict[str, np.ndarray]:
    """Activations none of which is 0."""
    generator = np.random.default_rng(seed + 100)
    drawn = maps(seed, **{"maps": LAYERS, **kwargs})
    return {layer: x + generator.uniform(0.1, 0.5, x.shape).astype(np.float32) for layer, x in drawn.items()}


def places(samples: int, mask: np.ndarray | None = None, seed: int = 0, size: tuple[int, int] = (12, 8)) -> np.ndarray:
    """The drawn pixels, flat."""
    share = jnp.ones(size) if mask is None else jnp.asarray(mask)
    return np.asarray(draw_places(jax.random.key(seed), share, min(samples, size[0] * size[1])))


def columns(activations: dict[str, np.ndarray], chosen: np.ndarray, size: tuple[int, int] = (12, 8)) -> np.ndarray:
    """Of one image: a row for each chosen pixel of an image of this size."""
    rows, across = (chosen // size[1] + 0.5) / size[0], (chosen % size[1] + 0.5) / size[1]
    read = []
    for x in activations.values():
        at = [
            np.clip(rows * x.shape[0] - 0.5, 0, x.shape[0] - 1),
            np.clip(across * x.shape[1] - 0.5, 0, x.shape[1] - 1),
        ]
        read += [map_coordinates(x[:, :, c], at, order=1, mode="nearest", output=np.float64) for c in range(x.shape[2])]
    return np.stack(read, axis=1)


def cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``1 - cos`` of every row of x and every row of y."""
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y))
    return 1.0 - x @ y.T
