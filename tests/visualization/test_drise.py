"""D-RISE on planted detectors, whose reasons are known."""

import jax.numpy as jnp
import numpy as np
import pytest

from likeness.research.detectors import Candidates
from likeness.research.visualization import Drise
from likeness.research.visualization.drise import similarity

BOXES = np.array([[4.0, 4.0, 16.0, 16.0], [20.0, 20.0, 36.0, 30.0]], np.float32)
REASONS = (np.s_[4:16, 4:16], np.s_[6:14, 28:38])
"""The first box is there for its own pixels, the second for some that are elsewhere."""


def planted(images):
    """Two boxes, whose scores are the brightness of their reasons; a third of another class, for all of the image."""
    images = jnp.asarray(images, jnp.float32) / 255
    scores = [images[:, rows, columns].mean((1, 2, 3)) for rows, columns in REASONS]
    scores = jnp.stack([*scores, images.mean((1, 2, 3))], axis=1)
    boxes = jnp.broadcast_to(jnp.asarray([*BOXES, BOXES[1]]), (len(images), 3, 4))
    return Candidates(boxes, scores, jnp.broadcast_to(jnp.array([0, 1, 0]), scores.shape))


WHITE = np.full((40, 44, 3), 255, np.uint8)


def test_a_map_lies_on_what_made_its_box():
    maps = Drise(masks=1500, cells=8, seed=1)(planted, WHITE, BOXES, np.array([0, 1]))
    assert maps.shape == (2, 40, 44) and maps.dtype == np.float32
    for heat, reason in zip(maps, REASONS, strict=True):
        inside = np.zeros(heat.shape, bool)
        inside[reason] = True
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert inside[row, column]
        assert heat[inside].mean() > 5 * abs(heat[~inside].mean())
    # The second box's own pixels do not matter.
    assert maps[1][20:30, 20:36].max() < 0.5 * maps[1].max()


def test_the_map_is_the_mean_over_masks_by_a_loop():
    method = Drise(masks=7, cells=3, batch=3, seed=2, value=50)
    masks = method.draw(40, 44, 0, 7).astype(np.float64)
    assert masks.min() >= 0 and masks.max() <= 1
    weights = []
    for mask in masks:
        shown = np.round(50 + mask[..., None] * (WHITE - 50.0)).astype(np.uint8)
        weights.append(np.asarray(similarity(planted(shown[None]), BOXES, np.array([0, 1])))[0])
    weights = np.array(weights)
    expected = np.einsum("nm,nhw->mhw", weights, masks) / masks.sum(0) - weights.mean(0)[:, None, None]
    told = []
    found = method(planted, WHITE, BOXES, np.array([0, 1]), lambda done, of: told.append((done, of)))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert told == [(0, 7), (3, 7), (6, 7), (7, 7)]


def test_batches_do_not_change_the_masks_and_seeds_do():
    one, other = Drise(masks=5, batch=5), Drise(masks=5, batch=2)
    np.testing.assert_array_equal(one.draw(20, 30, 0, 5)[3:], other.draw(20, 30, 3, 2))
    assert not np.array_equal(one.draw(20, 30, 0, 1), Drise(seed=1).draw(20, 30, 0, 1))
    many = Drise(seen=0.3, cells=6).draw(24, 24, 0, 400)
    assert many.mean() == pytest.approx(0.3, abs=0.02)
    # No pixel is seen more often than others.
    assert np.ptp(many.mean(axis=0)) < 0.15


def test_similarity_is_overlap_times_score_where_the_class_agrees():
    found = Candidates(
        jnp.array([[[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 20.0], [0.0, 0.0, 10.0, 10.0]]]),
        jnp.array([[0.3, 0.9, 1.0]]),
        jnp.array([[0, 0, 1]]),
    )
    said = similarity(found, np.array([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]]), np.array([0, 0]))
    np.testing.assert_allclose(said, [[0.45, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("fields", [{"masks": 0}, {"cells": 0}, {"seen": 1.0}, {"value": 300}, {"seed": -1}])
def test_what_draws_no_masks_is_refused(fields):
    with pytest.raises(ValueError, match="Drise"):
        Drise(**fields)
