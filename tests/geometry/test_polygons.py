import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.research.geometry.polygons import intersect_convex, is_box, polygon_area, rectangle


def turned(polygon: np.ndarray, degrees: float, mirrored: bool = False) -> np.ndarray:
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return polygon @ matrix.T * ([-1, 1] if mirrored else [1, 1])


@given(
    seed=st.integers(0, 2**32 - 1),
    degrees=st.sampled_from([0.0, 90.0, 30.0, 45.0, 1e-7, 179.9]),
    mirrored=st.booleans(),
    whole=st.booleans(),
)
def test_what_polygons_have_in_common_is_what_points_have(seed: int, degrees: float, mirrored: bool, whole: bool):
    """Against counting the points of a grid; corners on edges and equal edges among them."""
    rng = np.random.default_rng(seed)
    edges = rng.integers(-4, 5, 8) if whole else rng.uniform(-4, 4, 8)
    first, second = (
        rectangle(min(a, b), min(c, d), max(a, b) + 1, max(c, d) + 1) for a, b, c, d in edges.astype(float).reshape(2, 4)
    )
    second = turned(second, degrees, mirrored)
    common = intersect_convex(first, second)
    again = intersect_convex(second, first)
    np.testing.assert_allclose(polygon_area(common), polygon_area(again), atol=1e-9)
    x, y = np.meshgrid(*[(np.arange(240) + 0.37) / 20 - 6] * 2)

    def inside(polygon: np.ndarray) -> np.ndarray:
        depth = [
            (end[0] - start[0]) * (y - start[1]) - (end[1] - start[1]) * (x - start[0])
            for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)
        ]
        return np.all(np.array(depth) >= 0, axis=0) | np.all(np.array(depth) <= 0, axis=0)

    both = (inside(first) & inside(second)).sum() / 400
    assert abs(both - polygon_area(common)) < 0.6
    if len(common):
        np.testing.assert_allclose(polygon_area(intersect_convex(first, common)), polygon_area(common), atol=1e-6)


@pytest.mark.parametrize("second", [rectangle(5, 5, 6, 6), rectangle(4, 0, 6, 4), turned(rectangle(10, 0, 12, 4), 10.0)])
def test_what_only_touches_has_nothing_in_common(second: np.ndarray):
    common = intersect_convex(rectangle(0, 0, 4, 4), second)
    assert polygon_area(common) == 0


def test_boxes_are_told_from_others():
    assert is_box(rectangle(0, 1, 2, 3)) and is_box(rectangle(0, 1, 2, 3)[::-1])
    assert not is_box(turned(rectangle(0, 1, 2, 3), 45.0)) and not is_box(rectangle(0, 1, 2, 3)[:3])
