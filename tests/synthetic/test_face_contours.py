"""The 68 points of a drawn face lie on what is drawn."""

import numpy as np
import pytest

from likeness.research.data.detection.faces import CONTOUR_POINT_ORDER
from likeness.research.synthetic.faces import CONTOURS, FaceIdentity, Nuisance, contours, landmarks, render
from likeness.research.synthetic.faces.canvas import Canvas, hit
from likeness.research.synthetic.faces.scene import scene

SIZE = 256
POSES = [{}, {"yaw": 20.0, "pitch": -6.0}, {"yaw": -15.0, "pitch": 8.0, "roll": 10.0, "smile": 0.9, "mouth_open": 0.7}]
LIT = {"light_ambient": 0.9, "light_intensity": 0.1}


def person(count=4, seed=5, **traits):
    people = np.random.default_rng(seed).random((count, len(FaceIdentity._fields)), dtype=np.float32)
    # Bald, shaven and fair, so that nothing is hidden.
    for trait, value in {"hair_style": 0.0, "beard": 0.0, "moustache": 0.0, "skin_tone": 0.0, **traits}.items():
        people[:, FaceIdentity._fields.index(trait)] = value
    return people


def changed(first, second):
    """The ends of what differs in each image: left, top, right, bottom."""
    ends = []
    for one, other in zip(first, second, strict=True):
        there = np.abs(one.astype(int) - other).max(axis=-1) > 6
        rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
        ends.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return np.array(ends, float)


def around(points, *names):
    """The ends of some contours."""
    own = np.concatenate([points[:, CONTOURS[name]] for name in names], axis=1)
    return np.concatenate([own.min(axis=1), own.max(axis=1)], axis=1)


@pytest.mark.parametrize("pose", POSES)
def test_lips_lie_between_their_points(pose):
    """What changes with the lips' color ends where their contour does."""
    nuisance = Nuisance(**pose, **LIT).vector(4)
    pale, red = (render(person(lip_color=color), nuisance, SIZE) for color in (0.0, 1.0))
    points = contours(person(), nuisance, SIZE)
    inner, outer, ends = around(points, "inner_lips"), around(points, "outer_lips"), changed(pale, red)
    np.testing.assert_allclose(outer[:, [1, 3]], ends[:, [1, 3]], atol=1.5)
    # Towards the corners lips become thinner than a pixel.
    assert ((ends - outer)[:, 0] > -1).all()
    assert ((outer - ends)[:, 2] > -1).all()
    np.testing.assert_allclose(outer[:, [0, 2]], ends[:, [0, 2]], atol=6.0)
    assert (inner[:, :2] > outer[:, :2]).all()
    assert (inner[:, 2:] < outer[:, 2:]).all()


@pytest.mark.parametrize("pose", POSES)
def test_brows_end_where_their_points_do(pose):
    """Thicker brows are as long, and lie about the same line."""
    nuisance = Nuisance(**pose, **LIT).vector(4)
    drawn = [render(person(hair_tone=0.0, brow_thickness=thick), nuisance, SIZE) for thick in (0.0, 1.0)]
    found = around(contours(person(), nuisance, SIZE), "left_brow", "right_brow")
    ends = changed(*drawn)
    np.testing.assert_allclose(found[:, [0, 2]], ends[:, [0, 2]], atol=4.0)
    # Half the thickness of a brow at its inner end.
    np.testing.assert_allclose(found[:, [1, 3]], ends[:, [1, 3]], atol=7.0)


@pytest.mark.parametrize("pose", POSES)
def test_the_iris_is_seen_between_the_lids(pose):
    """What changes as the gaze wanders lies within both eyes and reaches from lid to lid."""
    nuisance = [Nuisance(**pose, **LIT, gaze_x=gaze).vector(4) for gaze in (-1.0, 1.0)]
    drawn = [render(person(), each, SIZE) for each in nuisance]
    ends, found = changed(*drawn), around(contours(person(), nuisance[0], SIZE), "left_eye", "right_eye")
    assert (found[:, :2] < ends[:, :2] + 2.0).all()
    assert (found[:, 2:] > ends[:, 2:] - 2.0).all()
    np.testing.assert_allclose(found[:, [1, 3]], ends[:, [1, 3]], atol=6.0)


@pytest.mark.parametrize("pose", POSES)
def test_the_jaw_is_the_outline_of_the_skull(pose):
    people, nuisance = person(), Nuisance(**pose).vector(4)
    points = contours(people, nuisance, SIZE)[:, CONTOURS["jaw"]]
    portraits = scene(people, nuisance, SIZE, 1)
    easel = Canvas.open(portraits, np.zeros((1, 4, SIZE, SIZE), np.float32))
    inside, _ = hit(portraits.skull, easel.x, easel.y)
    for image in range(4):
        for x, y in points[image]:
            own = inside[image, int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
            assert own.min() < 0.0 < own.max() or np.abs(own).min() < 0.05


@pytest.mark.parametrize("pose", POSES)
def test_the_points_agree_with_the_five(pose):
    people, nuisance = person(), Nuisance(**pose).vector(4)
    points, (five, boxes) = contours(people, nuisance, SIZE), landmarks(people, nuisance, SIZE)
    np.testing.assert_allclose(points[:, [30, 48, 54]], five[:, 2:], atol=1e-3)
    np.testing.assert_allclose(points[:, CONTOURS["left_eye"]].mean(axis=1), five[:, 0], atol=3.0)
    np.testing.assert_allclose(points[:, CONTOURS["right_eye"]].mean(axis=1), five[:, 1], atol=3.0)
    assert (points[:, :27] >= boxes[:, None, :2] - 1.0).all()
    assert (points[:, 17:] <= boxes[:, None, 2:] + 1.0).all()


def test_in_the_mirror_the_order_is_turned():
    """A face that looks straight ahead is as good as symmetric."""
    people = person(hair_part=0.5)
    points = contours(people, Nuisance().vector(4), SIZE)
    mirrored = points * [-1.0, 1.0] + [SIZE, 0.0]
    np.testing.assert_allclose(mirrored[:, CONTOUR_POINT_ORDER], points, atol=1e-3)
    turned = contours(people, Nuisance(yaw=20.0).vector(4), SIZE) * [-1.0, 1.0] + [SIZE, 0.0]
    np.testing.assert_allclose(turned[:, CONTOUR_POINT_ORDER], contours(people, Nuisance(yaw=-20.0).vector(4), SIZE), atol=1e-3)
    assert sorted(CONTOUR_POINT_ORDER) == list(range(68))
    assert (np.array(CONTOUR_POINT_ORDER)[list(CONTOUR_POINT_ORDER)] == np.arange(68)).all()
