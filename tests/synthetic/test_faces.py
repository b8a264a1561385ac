"""Procedural faces: the same row is the same image, and images obey the pose that their vectors state."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from crossing import crossed
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness.research.data.synthetic_faces import Faces
from likeness.research.synthetic.faces import FaceIdentity, Nuisance, landmarks, render

FACES = Faces(people=40, images=5, size=48, seed=3)
LEFT_EYE, RIGHT_EYE, NOSE, LEFT_MOUTH, RIGHT_MOUTH = range(5)


def person(count: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, len(FaceIdentity._fields)), dtype=np.float32)


@pytest.mark.parametrize(("size", "channels"), [(48, 3), (48, 1), (64, 3), (33, 1)])
def test_shapes_and_dtypes(size: int, channels: int) -> None:
    images = Faces(people=3, images=2, size=size, channels=channels).open()
    assert images.shape == (size, size, channels)
    pixels = images.read(np.array([4, 1]))
    assert pixels.shape == (2, size, size, channels)
    assert pixels.dtype == np.uint8
    assert images.extras["landmarks"].shape == (6, 5, 2)
    assert images.extras["boxes"].shape == (6, 4)
    assert images.names[3] == "person-0001/1"
    assert images.counts().tolist() == [2, 2, 2]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_row_is_the_same_image_in_any_batch(channels: int) -> None:
    faces = dataclasses.replace(FACES, channels=channels, cache=0)
    rows = np.arange(200)
    together = faces.open().read(rows)
    shuffled = np.random.default_rng(0).permutation(rows)
    np.testing.assert_array_equal(faces.open().read(shuffled), together[shuffled])
    for row in range(0, 200, 3):
        np.testing.assert_array_equal(faces.open().read(np.array([row]))[0], together[row], err_msg=f"row {row}")


def test_every_process_draws_the_same() -> None:
    program = (
        "import hashlib, numpy as np; from likeness.research.data.synthetic_faces import Faces\n"
        "images = Faces(people=4, images=3, size=32, seed=9).open()\n"
        "print(hashlib.sha256(images.read(np.arange(12)).tobytes()).hexdigest(), images.fingerprint)"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout for _ in range(2)
    )
    assert first == second


def test_importing_and_drawing_touch_no_device() -> None:
    program = (
        "import numpy as np, jax; from likeness.research.data.synthetic_faces import Faces\n"
        "Faces(people=2, images=1, size=16).open().read(np.arange(2))\n"
        "from jax._src import xla_bridge; assert not xla_bridge.backends_are_initialized()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_more_people_or_images_change_none_of_those_there_were() -> None:
    few, many = Faces(people=3, images=2, size=32).open(), Faces(people=5, images=4, size=32).open()
    np.testing.assert_array_equal(few.read(np.array([3])), many.read(np.array([5])))


def test_the_cache_and_pickling_change_nothing() -> None:
    images = FACES.open()
    first, again = images.read(np.array([7, 7, 2])), images.read(np.array([7, 2, 9]))
    np.testing.assert_array_equal(first[[0, 2]], again[:2])
    np.testing.assert_array_equal(first[0], first[1])
    again[:] = 0
    fresh = crossed(images.read)
    np.testing.assert_array_equal(fresh(np.array([7, 7, 2])), first)
    np.testing.assert_array_equal(images.read(np.array([7, 7, 2])), first)


def test_the_fingerprint_says_what_the_images_depend_on() -> None:
    base = FACES.open().fingerprint
    assert dataclasses.replace(FACES, cache=0).open().fingerprint == base
    for change in ({"seed": 4}, {"size": 32}, {"light": 0.5}, {"images": 6}, {"channels": 1}):
        assert dataclasses.replace(FACES, **change).open().fingerprint != base


def test_people_differ_more_than_images_of_a_person_do_without_nuisance() -> None:
    people = person(20)
    portraits = render(people, Nuisance().vector(20), 48).astype(float)
    noisy = render(people, Nuisance(grain=4.0, grain_key=5.0).vector(20), 48).astype(float)
    between = np.abs(portraits[:, None] - portraits[None]).mean((2, 3, 4))[np.triu_indices(20, 1)]
    assert between.min() > 1.5 * np.abs(portraits - noisy).mean((1, 2, 3)).max()


def test_light_and_pose_move_pixels_more_than_identity_does() -> None:
    """Raw pixels must not verify: the nearest other image is usually another person's."""
    images = FACES.open()
    pixels = images.read(np.arange(200)).reshape(200, -1).astype(np.float32)
    squares = (pixels**2).sum(1)
    distance = squares[:, None] + squares[None] - 2.0 * pixels @ pixels.T
    first, second = np.triu_indices(200, 1)
    same = images.labels[first] == images.labels[second]
    scores = distance[first, second]
    thresholds = np.quantile(scores, np.linspace(0.0, 1.0, 201))
    far = np.array([(scores[~same] <= t).mean() for t in thresholds])
    frr = np.array([(scores[same] > t).mean() for t in thresholds])
    eer = float(0.5 * (far + frr)[np.argmin(np.abs(far - frr))])
    assert 0.20 < eer < 0.45


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    yaw=st.floats(-40, 40),
    pitch=st.floats(-25, 25),
    roll=st.floats(-40, 40),
    scale=st.floats(0.7, 1.3),
    smile=st.floats(-1, 1),
)
def test_landmarks_are_ordered_and_inside_the_box(seed, yaw, pitch, roll, scale, smile) -> None:
    nuisance = Nuisance(yaw=yaw, pitch=pitch, roll=roll, scale=scale, smile=smile).vector(4)
    points, boxes = landmarks(person(4, seed), nuisance, 64)
    assert np.isfinite(points).all()
    assert (points >= boxes[:, None, :2]).all()
    assert (points <= boxes[:, None, 2:]).all()
    assert (points[:, LEFT_EYE, 0] < points[:, RIGHT_EYE, 0]).all()
    assert (points[:, LEFT_MOUTH, 0] < points[:, RIGHT_MOUTH, 0]).all()


def test_landmarks_turn_as_a_solid_head_does() -> None:
    people = person(8)
    front, _ = landmarks(people, Nuisance().vector(8), 64)
    right, _ = landmarks(people, Nuisance(yaw=25.0).vector(8), 64)
    left, _ = landmarks(people, Nuisance(yaw=-25.0).vector(8), 64)
    down, _ = landmarks(people, Nuisance(pitch=15.0).vector(8), 64)
    eyes = front[:, [LEFT_EYE, RIGHT_EYE]].mean(1)
    np.testing.assert_allclose(front[:, NOSE, 0], eyes[:, 0], atol=1e-3)
    # What stands out moves most: the nose leads the eyes.
    moved = right - front
    assert (moved[:, NOSE, 0] > moved[:, [LEFT_EYE, RIGHT_EYE], 0].mean(1) + 0.5).all()
    assert (down[:, NOSE, 1] > front[:, NOSE, 1]).all()
    # Without pitch the two turns mirror each other.
    mirrored = 64.0 - left[:, [1, 0, 2, 4, 3], 0]
    np.testing.assert_allclose(right[..., 0], mirrored, atol=1e-3)
    # Foreshortening: the eyes' distance shrinks by the cosine, their depths being equal.
    width = (front[:, RIGHT_EYE] - front[:, LEFT_EYE])[:, 0]
    turned = (right[:, RIGHT_EYE] - right[:, LEFT_EYE])[:, 0]
    np.testing.assert_allclose(turned / width, np.cos(np.deg2rad(25.0)), rtol=0.02)


def test_roll_scale_and_shift_are_similarities_of_the_landmarks() -> None:
    people, size = person(5), 64
    plain, _ = landmarks(people, Nuisance(yaw=12.0).vector(5), size)
    moved, _ = landmarks(people, Nuisance(yaw=12.0, roll=20.0, scale=1.1, shift_x=0.05, shift_y=-0.02).vector(5), size)
    center = np.array([0.5, 0.48]) * size
    cos, sin = np.cos(np.deg2rad(20.0)), np.sin(np.deg2rad(20.0))
    expected = 1.1 * (plain - center) @ np.array([[cos, sin], [-sin, cos]]) + center + np.array([0.05, -0.02]) * size
    np.testing.assert_allclose(moved, expected, atol=1e-3)


@pytest.mark.parametrize("pose", [{}, {"yaw": 25.0}, {"yaw": -25.0, "pitch": 10.0}, {"roll": 15.0, "pitch": -10.0}])
def test_the_iris_is_drawn_where_the_landmark_says(pose: dict[str, float]) -> None:
    """The pupil is the darkest spot of a fair person's eye; its centroid and the landmark agree within a pixel."""
    people = person(6)
    fields = FaceIdentity._fields
    people[:, fields.index("skin_tone")] = 0.0
    people[:, fields.index("hair_style")] = 0.0
    people[:, fields.index("eye_color")] = 1.0
    nuisance = Nuisance(**pose, light_ambient=0.9, light_intensity=0.1).vector(6)
    closed = Nuisance(**pose, light_ambient=0.9, light_intensity=0.1, eyes_open=0.2).vector(6)
    size = 128
    points, _ = landmarks(people, nuisance, size)
    difference = np.abs(render(people, nuisance, size, 1).astype(float) - render(people, closed, size, 1))[..., 0]
    y, x = np.mgrid[:size, :size] + 0.5
    for i in range(6):
        for eye in (LEFT_EYE, RIGHT_EYE):
            near = np.hypot(x - points[i, eye, 0], y - points[i, eye, 1]) < 10.0
            weight = difference[i] * near
            centroid = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
            assert np.hypot(*(centroid - points[i, eye])) < 3.0


def test_light_comes_from_where_it_is_said_to() -> None:
    people = person(6)
    left = render(people, Nuisance(light_azimuth=-70.0).vector(6), 64, 1).astype(float)
    right = render(people, Nuisance(light_azimuth=70.0).vector(6), 64, 1).astype(float)
    face = slice(26, 44)
    assert (left[:, face, 20:30].mean((1, 2, 3)) > right[:, face, 20:30].mean((1, 2, 3))).all()
    assert (left[:, face, 34:44].mean((1, 2, 3)) < right[:, face, 34:44].mean((1, 2, 3))).all()


def test_extras_are_the_landmarks_of_the_rows() -> None:
    images, rows = FACES.open(), np.array([3, 77, 150])
    points, boxes = landmarks(*FACES.vectors(rows), FACES.size)
    np.testing.assert_array_equal(images.extras["landmarks"][rows], points)
    np.testing.assert_array_equal(images.extras["boxes"][rows], boxes)


def test_vectors_are_uniform_and_independent() -> None:
    identity, _ = Faces(people=4000, images=1).vectors(np.arange(4000))
    assert abs(identity.mean() - 0.5) < 0.005
    assert np.abs(np.corrcoef(identity.T) - np.eye(identity.shape[1])).max() < 0.08
    assert len(np.unique(identity, axis=0)) == 4000


@pytest.mark.parametrize(
    "change",
    [
        {"people": 0},
        {"images": 0},
        {"size": 8},
        {"seed": -1},
        {"pose": -0.1},
        {"light": 2.0},
        {"glasses": 1.1},
        {"occlusion": -0.1},
        {"noise": float("nan")},
    ],
)
def test_illegal_values_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=f"Faces.{next(iter(change))}"):
        Faces(**change)


def test_the_data_says_that_it_is_synthetic() -> None:
    assert Faces().description.startswith("synthetic")
