import dataclasses

import numpy as np
import pytest
from group_photographs import detector, group, points_of, write
from random_faces import RANDOM_FACES

from likeness.experiments.recognition.face_crops import Template
from likeness.experiments.style.portrait import Portrait
from likeness.experiments.style.sitters import LEAST, find_sitters
from likeness.research.errors import UserError

PORTRAIT = Portrait(encoder=RANDOM_FACES)


@pytest.fixture
def photograph(tmp_path):
    return write(str(tmp_path / "group.png"), group(3))


def test_every_face_is_found_from_left_to_right_where_its_landmarks_are(photograph, monkeypatch):
    detector(monkeypatch, points_of(3))
    found = find_sitters(PORTRAIT, photograph, 192)
    assert [face.size for face in found.faces] == [(192, 64)] * 3
    np.testing.assert_allclose([face.points for face in found.faces], points_of(3), atol=1e-4)
    assert found.remarks == (
        f"3 faces are found in {photograph}, and painted so that each stays the same person, counted from the left",
    )


def test_at_another_size_the_faces_lie_where_they_do_in_the_photograph(photograph, monkeypatch):
    detector(monkeypatch, points_of(3))
    found = find_sitters(PORTRAIT, photograph, 384)
    template = Template()
    for number, face in enumerate(found.faces):
        laid = face.to_template(template, (128, 384), None)
        expected = (points_of(3)[number] + 0.5) * 2 - 0.5
        assert np.abs(laid(expected) - np.array(template.points)).max() < 8


@pytest.mark.parametrize(
    ("size", "shrunk", "why"),
    [
        (
            60,
            1.0,
            "painted it has {painted:.1f} pixels between the eyes, and the encoder of faces needs 10; --size {needed} or",
        ),
        (192, 0.25, "it has {own:.1f} pixels between the eyes, and the encoder of faces needs 10"),
    ],
)
def test_a_face_that_is_too_small_is_left_out_and_told(photograph, monkeypatch, size, shrunk, why):
    """In the photograph there is nothing to be done about it; in the painting a larger size helps."""
    points = points_of(3)
    middle = points.mean(axis=1, keepdims=True)
    points[1] = (middle + shrunk * (points - middle))[1]
    points[[0, 2]] = (middle + 2.5 * (points - middle))[[0, 2]]
    detector(monkeypatch, points)
    found = find_sitters(PORTRAIT, photograph, size)
    own = np.linalg.norm(points[1, 1] - points[1, 0])
    needed = int(np.ceil(LEAST / own * 192))
    assert len(found.faces) == 2 and "2 faces are found" in found.remarks[0]
    expected = why.format(own=own, painted=own * size / 192, needed=needed)
    assert expected in found.remarks[1] and f"the face at ({middle[1, 0, 0]:.0f}, " in found.remarks[1]
    if shrunk == 1:
        assert len(find_sitters(PORTRAIT, photograph, needed).faces) == 3


def test_where_no_face_is_large_enough_it_is_said_how_large_to_paint(photograph, monkeypatch):
    detector(monkeypatch, points_of(1))
    with pytest.raises(UserError, match=r"the face is not held to its person: painted it has .* --size \d+ or more"):
        find_sitters(PORTRAIT, photograph, 32)


def test_what_is_no_face_is_left_out(photograph, monkeypatch):
    points = points_of(3)
    points[1] = points[1][[1, 0, 2, 4, 3]]
    detector(monkeypatch, points)
    found = find_sitters(PORTRAIT, photograph, 192)
    assert len(found.faces) == 2 and "looks away, is half hidden, or is no face" in found.remarks[1]


@pytest.mark.parametrize(("turned", "how"), [(90, "on its side"), (180, "upside down")])
def test_a_photograph_that_lies_is_said_to(photograph, monkeypatch, turned, how):
    detector(monkeypatch, points_of(1), turned)
    assert f"the photograph lies {how}" in find_sitters(PORTRAIT, photograph, 192).remarks


def test_ten_faces_are_ten(tmp_path, monkeypatch):
    detector(monkeypatch, points_of(10))
    assert len(find_sitters(PORTRAIT, write(str(tmp_path / "ten.png"), group(10)), 640).faces) == 10


def test_a_photograph_without_a_face_is_told_with_what_to_do(photograph, monkeypatch):
    detector(monkeypatch, points_of(1)[:0])
    with pytest.raises(UserError, match=r"shows none: no face was found in its 192 x 64 pixels.* by --face, or paint this one"):
        find_sitters(PORTRAIT, photograph, 192)


def test_what_this_machine_lacks_is_said_at_once(photograph, monkeypatch):
    monkeypatch.setattr("likeness.research.weights.release.Release.find", lambda self: None)
    with pytest.raises(UserError) as caught:
        find_sitters(Portrait(), photograph, 192)
    said = str(caught.value)
    for word in ("`likeness weights fetch mobilefacenet`", "pip install 'likeness-jax[faces]'", "MTCNN", "YuNet", "--face"):
        assert word in said
    assert "\n" not in said


def test_a_template_that_no_detector_fits_asks_for_landmarks(photograph):
    template = dataclasses.replace(Template(), points=Template().points[:3])
    with pytest.raises(UserError, match="template has 3 points, and detectors find five"):
        find_sitters(dataclasses.replace(PORTRAIT, template=template), photograph, 192)


@pytest.mark.data
@pytest.mark.slow
def test_people_are_found_wherever_their_faces_are(real_data, tmp_path):
    """Side by side, cut off at the border, gray, turned by EXIF, and on a transparent image."""
    from PIL import Image

    names = ("Aaron_Peirsol", "Abdullah_Gul", "Adel_Al-Jubeir")
    people = [np.array(Image.open(real_data / "lfw" / name / f"{name}_0001.jpg")) for name in names]
    together = Image.fromarray(np.concatenate(people, axis=1))
    path = str(tmp_path / "people.png")

    def found(image: Image.Image, **options) -> np.ndarray:
        image.save(path, **options)
        return np.array([face.points for face in find_sitters(Portrait(), path, 480).faces])

    plain = found(together)
    assert plain.shape == (3, 5, 2)
    eyes = np.linalg.norm(plain[:, 1] - plain[:, 0], axis=-1)

    def error(points: np.ndarray) -> float:
        """As landmarks are measured: the mean over a face's points, as a share of the distance of the eyes."""
        return float((np.linalg.norm(points - plain, axis=-1).mean(axis=1) / eyes).max())

    assert error(found(together.convert("L"))) < 0.05
    assert np.abs(found(together.convert("RGBA")) - plain).max() < 0.5
    exif = Image.Exif()
    exif[0x0112] = 6
    assert np.abs(found(together.transpose(Image.Transpose.ROTATE_90), exif=exif) - plain).max() < 0.5
    cut = found(together.crop((45, 0, 480, 160)))
    # Of the first face a part is cut off.
    assert len(cut) == 3 and error(np.concatenate([plain[:1], cut[1:] + np.array([45, 0])])) < 0.05
