"""Noise, palettes and curves that the styles are made of."""

import numpy as np
import pytest

from likeness.research.synthetic.styles.noise import Noise, axes, enlarge, smoothstep
from likeness.research.synthetic.styles.palettes import palette, ramp, varied
from likeness.research.synthetic.styles.sheet import Sheet, curve


@pytest.mark.parametrize("octaves", [1, 3])
def test_the_grid_is_the_field_at_its_points(octaves: int) -> None:
    noise = Noise.draw(np.random.default_rng(0), octaves)
    x, y = np.linspace(-70.0, 90.0, 31), np.linspace(-3.0, 130.0, 17)
    np.testing.assert_allclose(noise.grid(x, y), noise(*np.meshgrid(x, y)), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("gain", [0.3, 0.5, 0.7])
def test_noise_has_unit_deviation_and_repeats(gain: float) -> None:
    noise = Noise.draw(np.random.default_rng(1), 4, gain)
    x = np.arange(0.0, 64.0, 0.37)
    field = noise.grid(x, x)
    assert field.std() == pytest.approx(1.0, abs=0.06)
    assert abs(field.mean()) < 0.06
    np.testing.assert_allclose(noise.grid(x + 64.0, x - 64.0), field, atol=1e-9)


def test_noise_is_smooth() -> None:
    noise = Noise.draw(np.random.default_rng(2))
    x = np.arange(0.0, 4.0, 1e-3)
    slope = np.diff(noise(x, np.zeros_like(x))) / 1e-3
    assert np.abs(np.diff(slope)).max() < 0.05


def test_smoothstep_runs_either_way() -> None:
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(smoothstep(0.0, 1.0, x), [0.0, 0.0, 0.5, 1.0, 1.0])
    np.testing.assert_allclose(smoothstep(1.0, 0.0, x), [1.0, 1.0, 0.5, 0.0, 0.0])


def test_axes_are_pixel_centers() -> None:
    x, y = axes((2, 4))
    np.testing.assert_allclose(x, [0.25, 0.75, 1.25, 1.75])
    np.testing.assert_allclose(y, [0.25, 0.75])


def test_enlarging_keeps_a_plane_inside() -> None:
    y, x = np.mgrid[:6, :8] + 0.5
    large = enlarge(2.0 * x + y, (12, 24))
    y, x = (np.mgrid[:12, :24] + 0.5) / np.array([2.0, 3.0])[:, None, None]
    np.testing.assert_allclose(large[2:-2, 3:-3], (2.0 * x + y)[2:-2, 3:-3])


def test_ramps_meet_their_stops() -> None:
    stops = palette("000000", "ff8000", "ffffff")
    np.testing.assert_allclose(ramp(np.array([-1.0, 0.0, 0.5, 0.75, 1.0, 3.0])[:, None], stops)[1, 0], stops[0])
    np.testing.assert_allclose(ramp(np.array([0.5, 0.75, 3.0]), stops), [stops[1], (stops[1] + stops[2]) / 2.0, stops[2]])


def test_variation_is_of_the_size_asked_for() -> None:
    color = np.full((20000, 3), 0.5)
    made = varied(color, np.random.default_rng(0), 0.1, 0.02)
    assert made.mean(1).std() == pytest.approx(np.hypot(0.05, 0.02 / np.sqrt(3.0)), rel=0.03)
    np.testing.assert_array_equal(varied(color, np.random.default_rng(0), 0.0, 0.0), color)


def test_a_curve_passes_its_points() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.5], [1.5, 2.0], [3.0, 2.0]])
    dense = curve(points, 3000)
    np.testing.assert_allclose(dense[[0, -1]], points[[0, -1]], atol=1e-12)
    assert np.hypot(*(dense[:, None] - points).transpose(2, 0, 1)).min(0).max() < 2e-3


def test_areas_and_ribbons_are_where_they_are_drawn() -> None:
    sheet = Sheet.blank((40, 60))
    sheet.area(np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]), np.array([1.0, 0.0, 0.0]))
    sheet.ribbon(np.array([[1.0, 0.2], [1.0, 0.8]]), 0.1, np.array([0.0, 1.0, 0.0]))
    image = np.asarray(sheet.image.reduce(sheet.image.width // 60), float) / 255.0
    assert image[..., 0].sum() / 40.0**2 == pytest.approx(0.25, rel=0.05)
    assert image[..., 1].sum() / 40.0**2 == pytest.approx(0.2 * 0.6 + np.pi * 0.01, rel=0.07)
    assert image[20, 40].tolist() == [0.0, 1.0, 0.0]
