"""Colors kept: luminance from one image, colors from the other, and never NaN."""

import colorsys

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from likeness.research.images import (
    luminance,
    match_colors,
    match_histogram,
    match_luminance,
    rgb_to_yiq,
    with_colors_of,
    yiq_to_rgb,
)
from likeness.research.types import Array

METHODS = ("symmetric", "cholesky", "pca")
EPSILON = 1e-5


def image(seed: int, height: int = 13, width: int = 17) -> np.ndarray:
    """Correlated colors, unevenly distributed."""
    rng = np.random.default_rng(seed)
    colors = rng.random((height, width, 3)) ** rng.uniform(0.5, 2.0, 3)
    return (0.2 + 0.6 * colors @ rng.dirichlet(np.ones(3) * 2.0, 3).T).astype(np.float32)


STYLE, CONTENT = image(0), image(1, 9, 11)
FLAT = np.full((6, 7, 3), 0.4, np.float32)
GRAY = np.repeat(np.linspace(0.1, 0.9, 30, dtype=np.float32).reshape(5, 6, 1), 3, 2)


def covariance(pixels: np.ndarray) -> np.ndarray:
    return np.cov(np.float64(pixels).reshape(-1, 3).T, bias=True) + EPSILON * np.eye(3)


def change(method: str, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The map of each method in float64, by SciPy's matrix square root."""
    if method == "cholesky":
        return np.linalg.cholesky(target) @ np.linalg.inv(np.linalg.cholesky(source))
    root = scipy.linalg.sqrtm(source).real
    if method == "pca":
        return scipy.linalg.sqrtm(target).real @ np.linalg.inv(root)
    inverse = np.linalg.inv(root)
    return inverse @ scipy.linalg.sqrtm(root @ target @ root).real @ inverse


def test_yiq_is_that_of_colorsys() -> None:
    expected = [[colorsys.rgb_to_yiq(*map(float, color)) for color in row] for row in STYLE]
    np.testing.assert_allclose(rgb_to_yiq(jnp.asarray(STYLE)), expected, atol=2e-3)
    np.testing.assert_allclose(yiq_to_rgb(rgb_to_yiq(jnp.asarray(STYLE))), STYLE, atol=2e-6)
    np.testing.assert_allclose(luminance(jnp.asarray(STYLE)), np.float64(STYLE) @ [0.299, 0.587, 0.114], rtol=1e-5)


def test_gray_has_no_color() -> None:
    np.testing.assert_allclose(rgb_to_yiq(jnp.asarray(GRAY))[..., 1:], 0.0, atol=2e-6)


def test_luminance_gets_the_contents_mean_and_deviation() -> None:
    matched = np.asarray(match_luminance(jnp.asarray(STYLE), jnp.asarray(CONTENT)))
    y, wanted = (np.float64(p) @ [0.299, 0.587, 0.114] for p in (STYLE, CONTENT))
    expected = np.sqrt((wanted.var() + EPSILON) / (y.var() + EPSILON)) * (y - y.mean()) + wanted.mean()
    assert matched.shape == STYLE.shape
    for c in range(3):
        np.testing.assert_allclose(matched[..., c], expected, rtol=1e-5)


def test_after_the_transfer_the_contents_colors_come_back() -> None:
    mixed = with_colors_of(jnp.asarray(STYLE), jnp.asarray(STYLE[::-1].copy()))
    np.testing.assert_allclose(rgb_to_yiq(mixed)[..., 0], luminance(jnp.asarray(STYLE)), atol=2e-6)
    np.testing.assert_allclose(rgb_to_yiq(mixed)[..., 1:], rgb_to_yiq(jnp.asarray(STYLE[::-1].copy()))[..., 1:], atol=2e-6)
    np.testing.assert_allclose(with_colors_of(jnp.asarray(STYLE), jnp.asarray(STYLE)), STYLE, atol=2e-6)


@pytest.mark.parametrize("method", METHODS)
def test_color_matching_agrees_with_float64(method: str) -> None:
    mean = np.float64(STYLE).reshape(-1, 3).mean(0)
    linear = change(method, covariance(STYLE), covariance(CONTENT))
    expected = (np.float64(STYLE) - mean) @ linear.T + np.float64(CONTENT).reshape(-1, 3).mean(0)
    matched = match_colors(jnp.asarray(STYLE), jnp.asarray(CONTENT), method)
    np.testing.assert_allclose(matched, expected, rtol=0.0, atol=2e-5)


@pytest.mark.parametrize("method", METHODS)
def test_color_matching_gives_the_contents_moments(method: str) -> None:
    matched = np.float64(match_colors(jnp.asarray(STYLE), jnp.asarray(CONTENT), method, 1e-9)).reshape(-1, 3)
    content = np.float64(CONTENT).reshape(-1, 3)
    np.testing.assert_allclose(matched.mean(0), content.mean(0), atol=1e-5)
    np.testing.assert_allclose(np.cov(matched.T), np.cov(content.T) * (len(content) - 1) / len(content), rtol=0.01, atol=2e-5)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_matched_with_itself_stays(method: str) -> None:
    np.testing.assert_allclose(match_colors(jnp.asarray(STYLE), jnp.asarray(STYLE), method), STYLE, atol=1e-4)


def test_the_symmetric_map_moves_colors_least() -> None:
    moved = {m: float(jnp.sum((match_colors(jnp.asarray(STYLE), jnp.asarray(CONTENT), m) - STYLE) ** 2)) for m in METHODS}
    assert moved["symmetric"] <= min(moved.values()) + 1e-4


def test_histogram_matching_agrees_with_ranks_of_scipy() -> None:
    style = np.round(STYLE * 8.0) / 8.0  # with ties
    expected = np.empty(style.shape)
    for c in range(3):
        rank = (scipy.stats.rankdata(style[..., c].ravel()) - 0.5) / style[..., c].size
        wanted = np.sort(np.float64(CONTENT[..., c]).ravel())
        expected[..., c] = np.interp(rank, (np.arange(wanted.size) + 0.5) / wanted.size, wanted).reshape(style.shape[:2])
    np.testing.assert_allclose(match_histogram(jnp.asarray(style), jnp.asarray(CONTENT)), expected, rtol=1e-5, atol=1e-6)


def test_histogram_matching_gives_the_contents_values() -> None:
    content = image(3)
    matched = match_histogram(jnp.asarray(STYLE), jnp.asarray(content))
    np.testing.assert_allclose(np.sort(np.reshape(matched, (-1, 3)), 0), np.sort(content.reshape(-1, 3), 0), atol=1e-6)
    for c in range(3):
        assert (np.argsort(matched[..., c].ravel()) == np.argsort(STYLE[..., c].ravel())).all()


@pytest.mark.parametrize("style", [STYLE, FLAT, GRAY], ids=["color", "flat", "gray"])
@pytest.mark.parametrize("content", [CONTENT, FLAT, GRAY], ids=["color", "flat", "gray"])
def test_gray_and_flat_images_stay_finite(style: np.ndarray, content: np.ndarray) -> None:
    a, b = jnp.asarray(style), jnp.asarray(content)

    def check(matched: Array, reach: float) -> None:
        assert matched.shape == style.shape
        assert jnp.isfinite(matched).all()
        assert jnp.abs(matched - b.mean((0, 1))).max() < reach

    # Deviations are at most those of the content, times how far from the style's mean its values lie.
    check(match_luminance(a, b), 3.0)
    for method in METHODS:
        check(match_colors(a, b, method), 3.0)
    check(match_histogram(a, b), 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_a_style_takes_the_gray_of_a_gray_content(method: str) -> None:
    matched = match_colors(jnp.asarray(STYLE), jnp.asarray(GRAY), method)
    assert float(jnp.std(matched, axis=-1).max()) < 0.05


def test_illegal_values_are_refused() -> None:
    with pytest.raises(ValueError, match="epsilon"):
        match_colors(jnp.asarray(STYLE), jnp.asarray(CONTENT), epsilon=0.0)
    with pytest.raises(ValueError, match="epsilon"):
        match_luminance(jnp.asarray(STYLE), jnp.asarray(CONTENT), epsilon=-1.0)
