"""Losses on activations beside an oracle in NumPy's float64: value, and gradient by central differences."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

PICTURE = (12, 8)
MAPS = {"relu1_1": (6, 4, 3), "relu2_1": (3, 4, 2)}
"""Two layers of a picture of 12 × 8."""

Oracle = Callable[..., float]
"""``oracle(x, y, m, n)``: the loss of features x (h, w, c) of one picture with mask m (h, w), against y with mask n."""


def maps(seed: int, *, pictures: int = 1, maps: dict = MAPS, scale: float = 1.0) -> dict[str, np.ndarray]:
    """Activations as after a ReLU: some are 0, no two others are equal. Exact in float32."""
    generator = np.random.default_rng(seed)
    drawn = {layer: generator.normal(0.4, 1.0, (pictures, *shape)) for layer, shape in maps.items()}
    return {layer: (scale * np.maximum(x, 0)).astype(np.float32) for layer, x in drawn.items()}


def smooth_mask(seed: int, shape: tuple[int, int] = PICTURE) -> np.ndarray:
    """A mask of 12 × 8 with soft edges that is nowhere quite 0."""
    return np.random.default_rng(seed).uniform(0.05, 1.0, shape).astype(np.float32)


def averaged(mask: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
    """The mask at a layer's size, by cutting each pixel into pieces that fall into one cell each."""
    if mask is None:
        return np.ones(shape)
    (rows, columns), (height, width) = mask.shape, shape
    fine = np.kron(mask.astype(np.float64), np.ones((height, width)))
    return fine.reshape(height, rows, width, columns).mean(axis=(1, 3))


def differences(function: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences of the function at x, in float64."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = step
        gradient[index] = (function(x + shift) - function(x - shift)) / (2 * step)
    return gradient


def assert_close(found, expected: np.ndarray, tolerance: float = 1e-5) -> None:
    """The difference's norm is at most this share of the expected one's."""
    error = np.linalg.norm(np.asarray(found, np.float64) - expected)
    assert error <= tolerance * np.linalg.norm(expected), f"relative error {error / np.linalg.norm(expected):.2e}"


def check(loss, oracle: Oracle, x, y, *, mask=None, reference_mask=None, tolerance: float = 1e-5) -> None:
    """Value and gradient of the loss equal those of ``mean_b Σ_l λ_l oracle``, and the value is float32."""
    target = jax.jit(loss.target)(as_arrays(y), reference_mask)
    value, gradient = jax.jit(jax.value_and_grad(loss))(as_arrays(x), target, mask)
    assert value.dtype == jnp.float32
    expected = 0.0
    for layer, weight in zip(loss.layers, loss.lambdas, strict=True):
        m = averaged(mask, x[layer].shape[1:3])
        n = averaged(reference_mask, y[layer].shape[1:3])
        terms, slopes = [], []
        for b, features in enumerate(x[layer].astype(np.float64)):
            reference = y[layer][b % len(y[layer])].astype(np.float64)
            alone = lambda z, reference=reference, m=m, n=n: oracle(z, reference, m, n)  # noqa: E731
            terms.append(alone(features))
            slopes.append(differences(alone, features))
        expected += weight * np.mean(terms)
        slope = weight * np.stack(slopes) / len(terms)
        assert np.abs(slope).max() > 0
        assert_close(gradient[layer], slope, tolerance)
    assert_close(value, np.asarray(expected), tolerance)


def as_arrays(activations: dict[str, np.ndarray]) -> dict[str, jax.Array]:
    return {layer: jnp.asarray(x) for layer, x in activations.items()}
