"""Strokes cover the arc they say, the later over the earlier."""

import numpy as np
import pytest

from likeness.research.synthetic.styles.brush import PaintCanvas, Strokes, join
from likeness.research.synthetic.styles.scene import Look, PaintLayer, back_to_front, underpainting


def strokes(**columns: float) -> Strokes:
    """One white stroke."""
    numbers = {"x": 40.0, "y": 30.0, "angle": 0.0, "curvature": 0.0, "length": 20.0, "width": 5.0, "dryness": 0.0} | columns
    white = np.ones((1, 3))
    return Strokes(**{name: np.array([value]) for name, value in numbers.items()}, color=white, streak=white)


def canvas(height: int = 60, width: int = 80) -> PaintCanvas:
    return PaintCanvas.prime(np.zeros((height, width, 3)), np.random.default_rng(0))


def painted(stroke: Strokes) -> np.ndarray:
    surface = canvas()
    surface.paint(stroke)
    return surface.planes[..., 0]


@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 2, 2.5, -1.0])
def test_a_straight_stroke_is_a_turned_box(angle: float) -> None:
    cover = painted(strokes(angle=angle))
    y, x = np.mgrid[:60, :80] + 0.5
    u = (x - 40.0) * np.cos(angle) + (y - 30.0) * np.sin(angle)
    v = (y - 30.0) * np.cos(angle) - (x - 40.0) * np.sin(angle)
    assert cover[(np.abs(u) < 12.0) & (np.abs(v) < 3.0)].min() > 0.95
    assert cover[(np.abs(u) > 21.0) | (np.abs(v) > 6.0)].max() == 0.0


@pytest.mark.parametrize("radius", [25.0, -25.0, 60.0])
@pytest.mark.parametrize("angle", [0.0, 1.1, -2.0])
def test_a_curved_stroke_lies_on_its_circle(radius: float, angle: float) -> None:
    cover = painted(strokes(angle=angle, curvature=1.0 / radius, length=15.0, width=4.0))
    y, x = np.mgrid[:60, :80] + 0.5
    # The center lies to the right of the direction, y pointing down.
    r = np.hypot(x - 40.0 + radius * np.sin(angle), y - 30.0 - radius * np.cos(angle))
    distance, chord = np.abs(r - abs(radius)), np.hypot(x - 40.0, y - 30.0)
    assert cover[(distance < 2.5) & (chord < 9.0)].min() > 0.9
    assert cover[(distance > 5.0) | (chord > 17.0)].max() == 0.0


def test_strokes_outside_or_across_the_border_are_cut() -> None:
    for x, y in ((-100.0, 30.0), (40.0, 200.0), (-5.0, 30.0), (79.0, 59.0)):
        cover = painted(strokes(x=x, y=y))
        assert (cover.max() > 0.9) == (abs(x - 40.0) < 60.0 and y < 70.0)


def test_the_later_stroke_covers_the_earlier_in_batches_of_any_size() -> None:
    rng = np.random.default_rng(1)
    many = [strokes(x=rng.uniform(0, 80), y=rng.uniform(0, 60), angle=rng.uniform(0, 3)) for _ in range(60)]
    red = np.array([[1.0, 0.0, 0.0]])
    last = strokes(length=30.0, width=20.0)
    last = Strokes(**(vars(last) | {"color": red, "streak": red}))
    surface = canvas()
    surface.paint(join([*many, last]))
    np.testing.assert_allclose(surface.planes[25:35, 30:50, :3], np.broadcast_to(red, (10, 20, 3)), atol=0.05)


def test_a_dry_brush_leaves_gaps() -> None:
    wet, dry = (painted(strokes(dryness=dryness))[27:33, 25:55].mean() for dryness in (0.0, 1.0))
    assert wet > 0.97
    assert dry < 0.9 * wet


def test_light_comes_from_the_upper_left() -> None:
    surface = canvas()
    surface.planes[..., :3] = 0.5
    surface.planes[20:40, 30:50, 3] = 5.0
    lit = surface.lit(0.5)
    assert lit[30, 29, 0] > 0.5 > lit[30, 50, 0]
    assert lit[19, 40, 0] > 0.5 > lit[40, 40, 0]
    np.testing.assert_array_equal(surface.lit(0.0), surface.planes[..., :3])


def two_planes(x: np.ndarray, y: np.ndarray) -> Look:
    """Gray above, white and nearer below, strokes around the middle of the upper edge."""
    angle = np.arctan2(x - 0.75, -y)
    look = Look(np.full((len(x), 3), 0.5), angle, np.ones_like(x), np.zeros(x.shape, int))
    return look.covered(y > 0.6, np.ones(3), 0.0, 1, detail=0.5)


def test_strokes_follow_the_scene_and_cover_it() -> None:
    size = (100, 150)
    layer = PaintLayer(length=0.06, width=0.02, cover=3.0, dryness=0.0)
    laid, depth = layer(two_planes, size, np.random.default_rng(0))
    assert 4.0 * layer.length * layer.width * len(depth) / (1.5 * 1.0) == pytest.approx(3.0, rel=0.4)
    up = (laid.y < 56.0) & (np.hypot(laid.x - 75.0, laid.y) > 20.0)
    radius = np.hypot(laid.x - 75.0, laid.y)[up]
    np.testing.assert_allclose(np.abs(laid.curvature[up]), 1.0 / radius, rtol=0.15)
    ordered = back_to_front([(laid, depth), (laid, depth)])
    assert (np.diff(ordered.color[:, 0]) >= 0.0).all()
    surface = PaintCanvas.prime(underpainting(two_planes, size), np.random.default_rng(0))
    surface.paint(ordered)
    assert np.abs(surface.planes[:50, :, 0] - 0.5).max() < 0.05
    assert surface.planes[70:, :, 0].min() > 0.95
