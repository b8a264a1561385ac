"""Scenes of several drawn people: what is behind them stays, and faces stay to be seen."""

import numpy as np
import pytest

from likeness.research.synthetic.faces import FaceIdentity, Nuisance, render
from likeness.research.synthetic.faces.crowd import Crowd, draw_crowds

SIZE = 96


def people(n, most, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, most, len(FaceIdentity._fields)), dtype=np.float32), np.stack([Nuisance().vector(most)] * n)


def crowds(n=32, most=4, seed=0, **given) -> Crowd:
    return draw_crowds(*people(n, most, seed), np.random.default_rng(seed), SIZE, **given)


def test_where_nobody_stands_the_ground_is_untouched():
    """Each of the 256 values is developed to itself, in color and in gray."""
    values = np.arange(256, dtype=np.uint8)
    for channels in (1, 3):
        behind = np.broadcast_to(values[None, :, None, None], (1, 256, 256, channels)).copy()
        # A head so small and so far to the right that it lies beside the image.
        away = Nuisance(scale=0.02, shift_x=5.0).vector()
        drawn = render(people(1, 1)[0][0], away, 256, channels, behind)
        np.testing.assert_array_equal(drawn, behind)


def test_a_person_looks_the_same_before_any_ground():
    """In the middle of the face, and not at its rims, where the ground shines through."""
    identity, nuisance = people(1, 3)[0][0], Nuisance(scale=0.9).vector(3)
    alone = render(identity, nuisance, SIZE)
    for value in (0, 255):
        drawn = render(identity, nuisance, SIZE, behind=np.full((3, SIZE, SIZE, 3), value, np.uint8))
        np.testing.assert_array_equal(drawn[:, 40:64, 40:56], alone[:, 40:64, 40:56])
        assert (drawn[:, 0, 0] == value).all()


def test_boxes_hold_their_landmarks_and_lie_in_the_image():
    drawn = crowds()
    assert drawn.images.shape == (32, SIZE, SIZE, 3)
    boxes, points = drawn.boxes[drawn.mask], drawn.points[drawn.mask]
    assert (boxes >= 0).all()
    assert (boxes <= SIZE).all()
    assert (points >= boxes[:, None, :2] - 1e-3).all()
    assert (points <= boxes[:, None, 2:] + 1e-3).all()
    assert not drawn.boxes[~drawn.mask].any()
    sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    assert sides.min() < 16
    assert sides.max() > 32
    counts = drawn.mask.sum(axis=1)
    assert set(counts) == {0, 1, 2, 3, 4}


@pytest.mark.slow
def test_who_is_in_front_hides_little_of_a_face():
    """By drawing everybody once more, all in one color of the light: most of a face's pixels are its own."""
    n, most = 24, 4
    identity, nuisance = people(n, most, seed=4)
    whole = draw_crowds(identity, nuisance, np.random.default_rng(4), SIZE)
    bright = nuisance.copy()
    bright[..., Nuisance._fields.index("light_ambient")] = 1.2
    shares = []
    # Another light on one person at a time changes what is seen of that person alone.
    for row in range(most):
        changed = nuisance.copy()
        changed[:, row] = bright[:, row]
        drawn = draw_crowds(identity, changed, np.random.default_rng(4), SIZE)
        different = (drawn.images != whole.images).any(axis=-1)
        for image in range(n):
            for at in np.flatnonzero(whole.mask[image]):
                left, top, right, bottom = whole.boxes[image, at].round().astype(int)
                shares.append((image, at, different[image, top:bottom, left:right].mean()))
    best = {}
    for image, at, share in shares:
        best[image, at] = max(best.get((image, at), 0.0), share)
    assert min(best.values()) > 0.5
    assert np.mean(list(best.values())) > 0.85


def test_the_same_generator_draws_the_same_scenes():
    first, second = crowds(seed=3), crowds(seed=3)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (crowds(seed=4).images != first.images).any()
