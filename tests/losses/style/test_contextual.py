"""The contextual loss against its definition, term by term, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from float64 import MAPS, check, cost, maps

from likeness.research.losses import Contextual

OTHER_SIZE = {"relu1_1": (5, 7, 3), "relu2_1": (2, 3, 2)}


def oracle(bandwidth: float, eps: float):
    def value(x, y, m, n):
        own, others = x[m >= 0.5], y[n >= 0.5]
        center = others.mean(0)
        own, others = own - center, others - center
        cosine = own @ others.T / np.linalg.norm(own, axis=1)[:, None] / np.linalg.norm(others, axis=1)
        relative = (1 - cosine) / ((1 - cosine).min(1, keepdims=True) + eps)
        weights = np.exp((1 - relative) / bandwidth)
        return -np.log((weights / weights.sum(1, keepdims=True)).max(0).mean())

    return value


def halves(first: float, second: float) -> np.ndarray:
    return np.concatenate([np.full((6, 8), first), np.full((6, 8), second)]).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
def test_value_and_gradient_equal_the_oracle(masked: bool):
    """At once, and in chunks."""
    # A larger ε than the paper's: with 1e-5 float32 keeps three digits of the nearest distances' quotients.
    losses = [Contextual(layers=tuple(MAPS), bandwidth=0.5, eps=0.1, chunk=chunk) for chunk in (1024, 5)]
    masks = {"mask": halves(0.9, 0.3), "reference_mask": halves(0.2, 1.0)} if masked else {}
    sizes = OTHER_SIZE if not masked else MAPS
    check(dict.fromkeys(losses, oracle(0.5, 0.1)), generic(0, images=2), generic(1, maps=sizes), **masks)


def generic(seed: int, **kwargs):
    """No feature is zero, none is another's double."""
    generator = np.random.default_rng(seed)
    return {k: x + generator.uniform(0.1, 0.5, x.shape).astype(np.float32) for k, x in maps(seed, **kwargs).items()}


def test_the_papers_eps():
    x, y = generic(0), generic(1)
    found = cost(Contextual(layers=("relu1_1",)), x, y)
    every = np.ones((6, 4))
    expected = oracle(0.5, 1e-5)(x["relu1_1"][0].astype(np.float64), y["relu1_1"][0].astype(np.float64), every, every)
    assert found == pytest.approx(expected, rel=1e-3)


def test_the_same_features_in_any_order_cost_nothing():
    x = generic(0)["relu1_1"]
    shuffled = np.random.default_rng(0).permutation(x.reshape(24, 3)).reshape(x.shape)
    assert cost(Contextual(layers=("relu1_1",)), {"relu1_1": shuffled}, {"relu1_1": x}) == pytest.approx(0, abs=1e-4)


def test_memory_is_bounded_by_the_chunk():
    """1024 places against 1024, value and gradient: the whole matrix would be 4 MiB, several times over."""
    shape = {"a": jax.ShapeDtypeStruct((1, 32, 32, 8), jnp.float32)}

    def needed(chunk: int) -> int:
        loss = Contextual(layers=("a",), chunk=chunk)
        step = jax.jit(jax.value_and_grad(loss))
        return step.lower(shape, jax.eval_shape(loss.target, shape)).compile().memory_analysis().temp_size_in_bytes

    assert needed(64) < 0.25 * needed(1024)


def test_fields_are_checked():
    for field in ("bandwidth", "eps"):
        with pytest.raises(ValueError, match=f"{field} must be a finite number above 0"):
            Contextual(layers=("a",), **{field: 0.0})
    with pytest.raises(ValueError, match="chunk must be at least 1"):
        Contextual(layers=("a",), chunk=0)
