"""Truth for the losses of detectors, and how their gradients are compared with an oracle's."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

SIZE = 48
"""Side of the images in pixels."""


def truth(seed: int, images: int = 3, rows: int = 5, classes: int = 3, size: int = SIZE) -> dict[str, np.ndarray]:
    """Boxes, classes and mask of a batch; padding is NaN, class -1."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, size * 0.7, (images, rows, 2))
    boxes = np.concatenate([corner, np.minimum(corner + rng.uniform(5, size * 0.5, corner.shape), size)], axis=-1)
    mask = rng.random((images, rows)) < 0.7
    return {
        "boxes": np.where(mask[..., None], boxes, np.nan).astype(np.float32),
        "classes": np.where(mask, rng.integers(0, classes, mask.shape), -1).astype(np.int32),
        "mask": mask,
    }


def noise(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def check_against(loss: Callable, oracle: Callable[..., float], *outputs: np.ndarray, rtol: float = 1e-5) -> None:
    """Value and directional derivatives of a loss equal those of its definition in float64, by central differences."""
    value, gradients = jax.jit(jax.value_and_grad(loss, argnums=tuple(range(len(outputs)))))(*map(jnp.asarray, outputs))
    assert value.dtype == jnp.float32
    exact = [each.astype(np.float64) for each in outputs]
    np.testing.assert_allclose(value, oracle(*exact), rtol=rtol, atol=1e-6)
    rng = np.random.default_rng(99)
    for _ in range(4):
        directions = [rng.normal(size=each.shape) for each in outputs]
        ahead, behind = (
            oracle(*(each + sign * 1e-6 * along for each, along in zip(exact, directions, strict=True))) for sign in (1, -1)
        )
        found = sum(float(np.sum(np.asarray(g, np.float64) * a)) for g, a in zip(gradients, directions, strict=True))
        np.testing.assert_allclose(found, (ahead - behind) / 2e-6, rtol=2e-4, atol=2e-5)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def cross_entropy(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of a probability σ(z) and a target."""
    return -y * np.log(sigmoid(z)) - (1 - y) * np.log(1 - sigmoid(z))
