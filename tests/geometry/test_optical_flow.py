import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from likeness.research.geometry import flowed, trusted_flow
from likeness.research.synthetic.moving_scene import MovingScene

IMAGE = np.random.default_rng(0).random((12, 17, 3), np.float32)


def test_an_image_moved_is_what_scipy_interpolates():
    flow = np.random.default_rng(1).normal(0, 3, (12, 17, 2)).astype(np.float32)
    rows, columns = np.mgrid[:12, :17]
    where = np.stack([rows + flow[..., 1], columns + flow[..., 0]])
    expected = np.stack([ndimage.map_coordinates(IMAGE[..., c], where, order=1, mode="nearest") for c in range(3)], axis=-1)
    np.testing.assert_allclose(jax.jit(flowed)(IMAGE, flow), expected, atol=1e-5)


@pytest.mark.slow
def test_no_flow_moves_nothing_and_has_a_gradient():
    flow = np.zeros((12, 17, 2), np.float32)
    assert np.array_equal(flowed(IMAGE, flow), IMAGE)
    assert np.array_equal(jax.grad(lambda x: jnp.sum(flowed(x, flow)))(IMAGE), np.ones_like(IMAGE))


def test_of_a_film_whose_flow_is_known_the_frame_before_moved_is_the_frame():
    film = MovingScene(frames=4, size=48)()
    for number in range(1, 4):
        moved = np.asarray(flowed(film.frames[number - 1], film.to_earlier[number - 1]))
        seen = film.seen_before[number - 1]
        assert 0.5 < seen.mean() < 1
        np.testing.assert_allclose(moved[seen], film.frames[number][seen], atol=1e-6)


@pytest.mark.slow
def test_what_has_just_come_into_sight_is_not_trusted():
    film = MovingScene(frames=3, size=64, seed=3)()
    for number in range(2):
        trust = np.asarray(trusted_flow(film.to_earlier[number], film.to_later[number])) > 0
        assert not (trust & ~film.seen_before[number]).any()
        # Borders of what moves are left out on both sides; the rest is trusted.
        assert trust.mean() > 0.8 * film.seen_before[number].mean()


def test_there_and_back_must_lead_home():
    right = np.zeros((9, 9, 2), np.float32)
    right[..., 0] = 2.0
    assert np.array_equal(trusted_flow(right, -right)[:, :7], np.ones((9, 7)))
    assert not trusted_flow(right, -right)[:, 7:].any()
    assert not trusted_flow(right, right).any()


@pytest.mark.parametrize(
    ("flow", "what"), [(np.zeros((12, 16, 2), np.float32), "the flow"), (np.zeros((12, 17, 2), int), "flow")]
)
def test_what_does_not_fit_is_refused(flow, what):
    with pytest.raises(ValueError, match=what):
        flowed(IMAGE, flow)


def test_a_flow_of_one_row_is_refused():
    row = np.zeros((1, 5, 2), np.float32)
    with pytest.raises(ValueError, match="from 2 × 2 pixels on"):
        trusted_flow(row, row)
