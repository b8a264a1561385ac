"""Procedural styles: the same key is the same image, at any size, and a color is what the eye makes of the dots."""

import dataclasses

import jax
import numpy as np
import pytest

from likeness.research.synthetic.styles import CurlStrokes, InkWash, Pointillism, Style, VoronoiMosaic, Woodcut
from likeness.research.synthetic.styles.pointillism import _PIGMENTS

# Large strokes and tiles paint fast.
STYLES: list[Style] = [
    CurlStrokes(stroke=3.0, stars=4),
    InkWash(ranges=3),
    Pointillism(dot=3.0),
    VoronoiMosaic(tile=0.1),
    Woodcut(),
]
every_style = pytest.mark.parametrize("style", STYLES, ids=lambda style: type(style).__name__)


def shrunk(image: np.ndarray, by: int) -> np.ndarray:
    height, width, _ = image.shape
    return image.reshape(height // by, by, width // by, by, 3).mean((1, 3))


@every_style
@pytest.mark.parametrize("size", [(20, 33), (8, 8)])
def test_every_size_is_an_image(style: Style, size: tuple[int, int]) -> None:
    image = style(size, jax.random.key(1))
    assert image.shape == (*size, 3)
    assert image.dtype == np.float32
    assert image.min() >= 0.0
    assert image.max() <= 1.0
    assert image.std((0, 1)).min() > 0.02


@every_style
def test_the_key_is_all_that_matters(style: Style) -> None:
    first, again = (style((24, 32), jax.random.key(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = style((24, 32), jax.random.key(6))
    assert np.abs(first - other).mean() > 0.02


@every_style
def test_a_larger_image_is_the_same_image(style: Style) -> None:
    """Area averages of the large one are nearer to the small one than another key's image is, by far."""
    key = jax.random.key(2)
    small, large = shrunk(style((48, 64), key), 4), shrunk(style((96, 128), key), 8)
    other = shrunk(style((48, 64), jax.random.key(3)), 4)
    assert np.abs(small - large).mean() < 0.045
    assert np.abs(small - large).mean() < 0.5 * np.abs(small - other).mean()


@every_style
def test_too_small_an_image_is_refused(style: Style) -> None:
    with pytest.raises(ValueError, match="90 x 7 pixels"):
        style((7, 90), jax.random.key(0))


@pytest.mark.parametrize(
    ("style", "change"),
    [
        (CurlStrokes(), {"stroke": 0.0}),
        (CurlStrokes(), {"stars": 0}),
        (InkWash(), {"ranges": 1}),
        (Pointillism(), {"dot": -1.0}),
        (Pointillism(), {"purity": float("nan")}),
        (VoronoiMosaic(), {"tile": 0.5}),
        (VoronoiMosaic(), {"grout": 0.0}),
        (VoronoiMosaic(), {"norm": 0.5}),
        (Woodcut(), {"line": float("inf")}),
    ],
)
def test_illegal_values_are_refused(style: Style, change: dict) -> None:
    with pytest.raises(ValueError, match=rf"{type(style).__name__}\({next(iter(change))}="):
        dataclasses.replace(style, **change)


def test_dots_average_to_about_the_color() -> None:
    rng = np.random.default_rng(0)
    for wanted in ([0.9, 0.6, 0.4], [0.3, 0.5, 0.75], [0.6, 0.6, 0.6]):
        dots = Pointillism()._divided(np.tile(wanted, (4000, 1)), 1.0, rng)
        assert np.abs(dots.mean(0) - wanted).max() < 0.12
        assert {tuple(dot) for dot in dots} <= {tuple(pigment) for pigment in _PIGMENTS}


def test_the_night_sky_is_blue_and_its_moon_yellow() -> None:
    image = CurlStrokes()((96, 144), jax.random.key(0))
    red, _, blue = image[:60].reshape(-1, 3).mean(0)
    assert blue > 1.5 * red
    red, green, blue = image[12:24, 120:132].reshape(-1, 3).mean(0)
    assert red > green > 1.3 * blue
