"""The relaxed earth mover's distance against its definition in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from float64 import check_joined, cost, refuse, smooth_mask
from joined import LAYERS, columns, cosine, generic, places

from likeness.research.losses import PaletteEMD, RelaxedEMD

ROTATION = np.array(
    [[0.577350, 0.577350, 0.577350], [-0.577350, 0.788675, -0.211325], [-0.577350, -0.211325, 0.788675]], np.float64
)
"""By which the authors turn colors."""


def relaxed(distance: np.ndarray) -> float:
    return max(distance.min(1).mean(), distance.min(0).mean())


def palette(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = ((rows - 0.5) @ ROTATION.T for rows in (x, y))
    squares = ((x[:, None] - y[None]) ** 2).sum(2)
    return cosine(x, y) + np.sqrt(np.maximum(squares, 1e-5) / 3)


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
@pytest.mark.parametrize(("samples", "reference_samples"), [(1024, 5000), (10, 40), (60, 7)])
def test_value_and_gradient_equal_the_oracle(masked: bool, samples: int, reference_samples: int):
    """Of all pixels, of few of the image, and of few of the style: each of the two means decides somewhere."""
    loss = RelaxedEMD(layers=tuple(LAYERS), samples=samples, reference_samples=reference_samples)
    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    own = places(samples, masks.get("mask"), seed=5)
    other = places(reference_samples, masks.get("reference_mask"))

    def oracle(x, y):
        return relaxed(cosine(columns(x, own), columns(y, other)))

    check_joined(loss, oracle, generic(0, images=2), generic(1), key=jax.random.key(5), **masks)


def test_each_direction_decides_where_it_is_the_dearer():
    loss = RelaxedEMD(layers=("a",), samples=2, reference_samples=2)
    narrow = {"a": np.float32([1, 0, 1, 0]).reshape(1, 1, 2, 2)}
    wide = {"a": np.float32([1, 0, 0, 1]).reshape(1, 1, 2, 2)}
    assert cost(loss, narrow, wide) == pytest.approx(0.5)
    assert cost(loss, wide, narrow) == pytest.approx(0.5)
    assert cost(loss, wide, wide) == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "region"])
def test_the_palette_equals_the_oracle(masked: bool):
    loss = PaletteEMD(samples=50)
    masks = {"mask": smooth_mask(3), "reference_mask": smooth_mask(4)} if masked else {}
    own, other = places(50, masks.get("mask")), places(5000, masks.get("reference_mask"))

    def oracle(x, y):
        return relaxed(palette(columns({"input": x["input"]}, own), columns({"input": y["input"]}, other)))

    x, y = (
        {"input": np.random.default_rng(seed).uniform(0, 1, (b, 12, 8, 3)).astype(np.float32)} for seed, b in ((0, 2), (1, 1))
    )
    check_joined(loss, oracle, x, y, tolerance=3e-5, **masks)


@pytest.mark.slow
def test_equal_colors_have_no_derivative_and_grays_no_direction():
    """Neither NaN nor a jump."""
    gray = {"input": jnp.full((1, 4, 4, 3), 0.5)}
    loss = PaletteEMD()
    value, gradient = jax.value_and_grad(loss)(gray, loss.target(gray))
    assert value == pytest.approx(1 + (1e-5 / 3) ** 0.5)
    assert not np.any(np.asarray(gradient["input"]))
    with pytest.raises(ValueError, match=r"PaletteEMD.*colors have 3 channels, and here are 2"):
        refuse(PaletteEMD(layers=("relu2_1",)), generic(0), generic(1))


@pytest.mark.slow
@pytest.mark.parametrize("loss", [RelaxedEMD(layers=tuple(LAYERS)), PaletteEMD()])
def test_a_region_of_no_place_costs_nothing(loss):
    x, y, none = generic(0), generic(1), np.zeros((12, 8), np.float32)
    assert cost(loss, x, y, none) == cost(loss, x, y, None, none) == 0
