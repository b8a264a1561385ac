"""Total variation under every convention, against NumPy in float64 and jcjohnson's gradient."""

import numpy as np
import pytest
from float64 import assert_close, check, refuse, value_and_gradient

from likeness.research.losses import TotalVariation

CONVENTIONS = ("anisotropic", "johnson", "crowson")


def image(seed: int, images: int = 1) -> dict[str, np.ndarray]:
    return {"input": np.random.default_rng(seed).random((images, 5, 4, 3)).astype(np.float32)}


def oracle(convention: str):
    def value(x, y, m, n):
        height, width, channels = x.shape
        inside = lambda i, j: 0 <= i < height and 0 <= j < width  # noqa: E731
        at = lambda i, j: x[min(max(i, 0), height - 1), min(max(j, 0), width - 1)]  # noqa: E731
        total = 0.0
        if convention == "crowson":
            for i in range(-1, height + 1):
                for j in range(-1, width + 1):
                    for (di, dj), weight in {(0, 1): 2 / 3, (1, 0): 2 / 3}.items():
                        share = weight / x.size
                        total += share * ((at(i + di, j + dj) - at(i, j)) ** 2).sum() if inside(i, j) else 0
                    for down, right in ((1, 1), (1, -1)):
                        ends = -1 <= i + down <= height and -1 <= j + right <= width
                        share = 1 / 6 / ((height + 1) * (width + 1) * channels)
                        total += share * ((at(i + down, j + right) - at(i, j)) ** 2).sum() if ends else 0
            return total
        for i in range(height):
            for j in range(width):
                for di, dj in ((0, 1), (1, 0)):
                    if not inside(i + di, j + dj):
                        continue
                    difference = x[i + di, j + dj] - x[i, j]
                    if convention == "anisotropic":
                        total += np.abs(difference).sum() / x.size
                    elif i < height - 1 and j < width - 1:
                        total += (difference**2).sum() / 2
        return total

    return value


def test_value_and_gradient_equal_the_oracle():
    check({TotalVariation(convention=each): oracle(each) for each in CONVENTIONS}, image(0, 2), image(1))


def around(convention: str):
    """Every pixel has all its neighbors."""

    def value(x, y, m, n):
        weights = {"anisotropic": (1, 0), "johnson": (x.size / 2, 0), "crowson": (2 / 3, 1 / 6)}[convention]
        total = 0.0
        for offset, weight in (((0, 1), weights[0]), ((1, 0), weights[0]), ((1, 1), weights[1]), ((1, -1), weights[1])):
            difference = np.abs(np.roll(x, offset, (0, 1)) - x)
            total += weight * (difference if convention == "anisotropic" else difference**2).sum() / x.size
        return total

    return value


def test_of_an_image_that_goes_on_at_its_other_side():
    check({TotalVariation(convention=each).wrapped(): around(each) for each in CONVENTIONS}, image(0, 2), image(1))


def test_gradient_is_the_one_jcjohnson_adds():
    """``(x_ij - x_i,j+1) + (x_ij - x_i+1,j)`` at a pixel, less the same at its right and lower neighbor, border left out."""
    x = image(0)["input"].astype(np.float64)
    expected = np.zeros_like(x)
    right, down = x[:, :-1, :-1] - x[:, :-1, 1:], x[:, :-1, :-1] - x[:, 1:, :-1]
    expected[:, :-1, :-1] += right + down
    expected[:, :-1, 1:] -= right
    expected[:, 1:, :-1] -= down
    _, found = value_and_gradient(TotalVariation(convention="johnson"))(image(0), image(0), None, None)
    assert_close(found["input"], expected)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_flat_image_costs_nothing_and_is_flat(convention: str):
    flat = {"input": np.full((1, 4, 4, 3), 0.3, np.float32)}
    value, gradient = value_and_gradient(TotalVariation(convention=convention))(flat, flat, None, None)
    assert value == 0
    assert not np.asarray(gradient["input"]).any()


def test_has_no_target_and_takes_no_mask():
    loss = TotalVariation()
    assert loss.target({}) == {}
    with pytest.raises(ValueError, match="takes no mask"):
        refuse(loss, image(0), image(0), np.ones((5, 4), np.float32))
