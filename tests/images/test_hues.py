"""Oklab, and a painting's light and dark with the content's hues in the style's palette."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from likeness.research.images import oklab_to_rgb, rgb_to_oklab, with_hues_of


def image(seed: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.15 + 0.7 * rng.random((height, width, 3)) ** rng.uniform(0.5, 2.0, 3)).astype(np.float32)


PAINTED, CONTENT, STYLE = image(0, 9, 11), image(1, 9, 11), image(2, 7, 13)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        # As CSS Color 4 has them.
        ((1, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 1, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 1), (0.45201, -0.03246, -0.31153)),
        ((1, 1, 1), (1, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((0.5, 0.5, 0.5), (0.59818, 0, 0)),
    ],
)
def test_published_colors(rgb: tuple[float, ...], expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(rgb_to_oklab(jnp.asarray(rgb, jnp.float32)), expected, atol=2e-5)


def test_there_and_back() -> None:
    np.testing.assert_allclose(oklab_to_rgb(rgb_to_oklab(jnp.asarray(CONTENT))), CONTENT, atol=2e-6)
    assert np.isfinite(oklab_to_rgb(jnp.asarray([[2.0, 1.0, -1.0], [-1.0, 0.0, 0.0]]))).all()


def oracle(painted: np.ndarray, content: np.ndarray, style: np.ndarray) -> np.ndarray:
    """In float64, pixel by pixel, in Oklab."""
    made, held, wanted = (np.asarray(rgb_to_oklab(jnp.asarray(one)), np.float64) for one in (painted, content, style))
    light = np.clip(made[..., 0], wanted[..., 0].min(), wanted[..., 0].max())
    source, target = held[..., 1:].reshape(-1, 2), wanted[..., 1:].reshape(-1, 2)
    root = lambda values, power: np.real(  # noqa: E731
        scipy.linalg.fractional_matrix_power(np.cov(values.T, bias=True) + 1e-8 * np.eye(2), power)
    )
    moved = (source - source.mean(0)) @ (root(target, 0.5) @ root(source, -0.5)).T + target.mean(0)
    hues = moved.reshape(*light.shape, 2)
    height, width = light.shape
    for _ in range(5):
        before = hues.copy()
        for row in range(height):
            for column in range(width):
                rows = np.clip([row - 1, row, row + 1], 0, height - 1)
                columns = np.clip([column - 1, column, column + 1], 0, width - 1)
                weights = np.exp(-10 * np.abs(light[rows][:, columns] - light[row, column]))
                hues[row, column] = np.tensordot(weights, before[rows][:, columns], 2) / weights.sum()
    return np.dstack([light, np.clip(hues, target.min(0), target.max(0))])


def test_lightness_is_the_painting_s_and_hues_are_the_content_s_in_the_style_s_palette() -> None:
    expected = np.asarray(oklab_to_rgb(jnp.asarray(oracle(PAINTED, CONTENT, STYLE), jnp.float32)))
    np.testing.assert_allclose(jax.jit(with_hues_of)(PAINTED, CONTENT, STYLE), expected, atol=2e-4)


def test_of_a_gray_style_nothing_of_the_content_s_hues_is_left() -> None:
    gray = np.repeat(STYLE[..., :1], 3, axis=2)
    painted = np.asarray(with_hues_of(PAINTED, CONTENT, gray))
    assert np.ptp(painted, axis=2).max() < 2e-3
    np.testing.assert_array_equal(painted, with_hues_of(PAINTED, CONTENT[::-1], gray))


def test_one_color_is_no_division_by_zero() -> None:
    flat = np.full_like(CONTENT, 0.4)
    for arguments in ((flat, CONTENT, STYLE), (PAINTED, flat, STYLE), (PAINTED, CONTENT, flat), (flat, flat, flat)):
        assert np.isfinite(with_hues_of(*arguments)).all()


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"the painting is \(9, 11, 3\) and the content \(7, 13, 3\): give one size"):
        with_hues_of(PAINTED, STYLE, CONTENT)
