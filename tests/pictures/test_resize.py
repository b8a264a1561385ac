import numpy as np
import pytest

from research.pictures import fit, resize


@pytest.mark.parametrize(
    ("shape", "size", "expected"), [((40, 60), 30, (20, 30)), ((60, 40), 30, (30, 20)), ((3, 900), 90, (1, 90))]
)
def test_the_longer_side_gets_the_size(shape, size, expected):
    assert fit(np.zeros((*shape, 3), np.float32), size).shape == (*expected, 3)


def test_shrinking_averages_and_enlarging_interpolates():
    board = (np.indices((64, 64)).sum(0) % 2).astype(np.float32)[..., None].repeat(3, -1)
    np.testing.assert_allclose(resize(board, 16, 16)[2:-2, 2:-2], 0.5, atol=0.02)
    ramp = np.linspace(0, 1, 16, dtype=np.float32)[None, :, None].repeat(8, 0).repeat(3, -1)
    enlarged = np.asarray(resize(ramp, 16, 32))[4, 4:-4, 0]
    np.testing.assert_allclose(np.diff(enlarged), 1 / 30, atol=5e-3)


def test_nothing_leaves_the_range_of_a_picture():
    edge = np.zeros((32, 32, 3), np.float32)
    edge[:, 16:] = 1.0
    resized = resize(edge, 50, 50)
    assert float(resized.min()) >= 0.0
    assert float(resized.max()) <= 1.0
