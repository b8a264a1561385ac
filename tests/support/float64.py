"""Losses on activations beside an oracle in NumPy's float64: value, and gradient by central differences."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

IMAGE = (12, 8)
MAPS = {"relu1_1": (6, 4, 3), "relu2_1": (3, 4, 2)}
"""Two layers of an image of 12 × 8."""

Oracle = Callable[..., float]
"""``oracle(x, y, m, n)``: the loss of features x (h, w, c) of one image with mask m (h, w), against y with mask n."""


def maps(seed: int, *, images: int = 1, maps: dict = MAPS, scale: float = 1.0) -> dict[str, np.ndarray]:
    """Activations as after a ReLU: some are 0, no two others are equal. Exact in float32."""
    generator = np.random.default_rng(seed)
    drawn = {layer: generator.normal(0.4, 1.0, (images, *shape)) for layer, shape in maps.items()}
    return {layer: (scale * np.maximum(x, 0)).astype(np.float32) for layer, x in drawn.items()}


def smooth_mask(seed: int, shape: tuple[int, int] = IMAGE) -> np.ndarray:
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


def assert_close(found, expected: np.ndarray, tolerance: float = 1e-5, what: str = "") -> None:
    """The difference's norm is at most this share of the expected one's."""
    error = np.linalg.norm(np.asarray(found, np.float64) - expected)
    assert error <= tolerance * np.linalg.norm(expected), f"{what}: relative error {error / np.linalg.norm(expected):.2e}"


@functools.cache
def value_and_gradient(loss) -> Callable[..., tuple[jax.Array, dict[str, jax.Array]]]:
    """Of activations x, with a target of y and a mask of each, in one compiled program."""

    def value(x, y, mask, reference_mask):
        return loss(x, loss.target(y, reference_mask), mask)

    return jax.jit(jax.value_and_grad(value))


def cost(loss, x, y, mask=None, reference_mask=None) -> float:
    """The value alone."""
    return float(value_and_gradient(loss)(as_arrays(x), as_arrays(y), mask, reference_mask)[0])


def refuse(loss, x, y, mask=None, reference_mask=None) -> None:
    """Asks for the loss's shape only, for errors that come before anything is computed."""
    jax.eval_shape(lambda a, b: loss(a, loss.target(b, reference_mask), mask), as_arrays(x), as_arrays(y))


def check(oracles: Mapping[Any, Oracle], x, y, *, mask=None, reference_mask=None, tolerance: float = 1e-5) -> None:
    """Value and gradient of each loss equal those of ``mean_b Σ_l λ_l oracle``, and the value is float32.

    All losses are compiled as one program, which is most of what such a test costs.
    """

    def all_of_them(x, y, mask, reference_mask):
        target = lambda loss: loss.target(y, reference_mask)  # noqa: E731
        return [jax.value_and_grad(loss)(x, target(loss), mask) for loss in oracles]

    found = jax.jit(all_of_them)(as_arrays(x), as_arrays(y), mask, reference_mask)
    for (loss, oracle), (value, gradient) in zip(oracles.items(), found, strict=True):
        assert value.dtype == jnp.float32
        expected = 0.0
        for layer, weight in zip(loss.layers, loss.lambdas, strict=True):
            term, slope = _expected(oracle, x[layer], y[layer], mask, reference_mask)
            expected += weight * term
            assert np.abs(slope).max() > 0
            assert_close(gradient[layer], weight * slope, tolerance, f"{loss}: gradient at {layer}")
        assert_close(value, np.asarray(expected), tolerance, f"{loss}: value")


def check_joined(loss, oracle: Oracle, x, y, *, mask=None, reference_mask=None, tolerance: float = 1e-5, **given) -> None:
    """The same for a loss that reads all layers as one: ``oracle(x, y)`` has the activations of one image and one reference.

    Masks are those of the image's pixels; what else is given is what the loss is called with.
    """
    call = functools.partial(loss, **given)
    found = jax.jit(lambda x, y: jax.value_and_grad(call)(x, loss.target(y, reference_mask), mask))(as_arrays(x), as_arrays(y))
    value, gradient = found
    assert value.dtype == jnp.float32
    count = len(next(iter(x.values())))
    one = lambda maps, b: {layer: z[b % len(z)].astype(np.float64) for layer, z in maps.items()}  # noqa: E731
    expected = np.mean([oracle(one(x, b), one(y, b)) for b in range(count)])
    assert_close(value, np.asarray(expected), tolerance, f"{loss}: value")
    for layer in loss.layers:
        slopes = []
        for b in range(count):
            own, other = one(x, b), one(y, b)
            slopes.append(differences(lambda z, own=own, other=other, at=layer: oracle({**own, at: z}, other), own[layer]))
        slope = np.stack(slopes) / count
        assert np.abs(slope).max() > 0
        assert_close(gradient[layer], slope, tolerance, f"{loss}: gradient at {layer}")


def _expected(oracle: Oracle, x: np.ndarray, y: np.ndarray, mask, reference_mask) -> tuple[float, np.ndarray]:
    """Mean over the images at one layer, and its derivative."""
    m, n = averaged(mask, x.shape[1:3]), averaged(reference_mask, y.shape[1:3])
    references = [y[b % len(y)].astype(np.float64) for b in range(len(x))]
    own = [functools.partial(lambda r, z: oracle(z, r, m, n), reference) for reference in references]
    images = list(zip(own, x.astype(np.float64), strict=True))
    term = np.mean([function(features) for function, features in images])
    return float(term), np.stack([differences(function, features) for function, features in images]) / len(x)


def as_arrays(activations: dict[str, np.ndarray]) -> dict[str, jax.Array]:
    return {layer: jnp.asarray(x) for layer, x in activations.items()}
