"""Faces found in photographs: on photographs whose faces are known, with the published detector."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.research.data import BadImage
from likeness.research.faces import FaceCrop, FaceFinder, FaceReader

pytestmark = pytest.mark.data
EYES = np.array([[203.0, 104.0], [248.0, 104.0]])
"""Of ``pictures/content/astronaut.png``, as the data's notes state them."""


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.asarray(Image.open(Path(os.environ["LIKENESS_DATA"]) / "pictures/content/astronaut.png").convert("RGB"))


@pytest.fixture(scope="module")
def reader() -> FaceReader:
    return FaceReader.load(FaceFinder(), "yunet")


def eyes_in_the_crop(reader: FaceReader, crop: np.ndarray) -> None:
    """The pupils are darker than the skin around them where the template has the eyes."""
    for x, y in reader.finder.template.points[:2]:
        column, row = round(x), round(y)
        eye = crop[row - 3 : row + 4, column - 5 : column + 6].min()
        cheek = crop[row + 14 : row + 20, column - 4 : column + 5].mean()
        assert eye < 0.7 * cheek


@pytest.mark.slow
def test_the_face_is_found_and_laid_over_the_template(reader: FaceReader, astronaut: np.ndarray) -> None:
    found = reader([astronaut])[0]
    assert found.size == (512, 512)
    np.testing.assert_allclose(found.landmarks[0, :2], EYES, atol=2)
    np.testing.assert_allclose(found.xyxy[0], (178, 65, 269, 176), atol=2)
    assert found.confidence[0] == pytest.approx(0.936, abs=2e-3)
    assert found.crops.shape == (1, 112, 112, 3) and found.crops.dtype == np.uint8
    eyes_in_the_crop(reader, found.crops[0])


@pytest.mark.slow
@pytest.mark.parametrize("size", [(300, 300), (1600, 1600), (3000, 3000)])
def test_the_size_of_a_photograph_changes_little(reader: FaceReader, astronaut: np.ndarray, size: tuple[int, int]) -> None:
    larger = np.asarray(Image.fromarray(astronaut).resize(size, Image.Resampling.LANCZOS))
    found = reader([larger])[0]
    # A tenth of the distance between the eyes.
    np.testing.assert_allclose(found.landmarks[0, :2] * 512 / size[0], EYES, atol=4.5)
    eyes_in_the_crop(reader, found.crops[0])


@pytest.mark.slow
def test_a_face_that_fills_a_large_photograph_is_found(reader: FaceReader, astronaut: np.ndarray) -> None:
    close = np.asarray(Image.fromarray(astronaut[60:180, 170:275]).resize((1400, 1600), Image.Resampling.LANCZOS))
    found = reader([close])[0]
    assert len(found) == 1
    eyes_in_the_crop(reader, found.crops[0])


@pytest.mark.slow
def test_photographs_of_several_sizes_are_answered_in_their_order(reader: FaceReader, astronaut: np.ndarray) -> None:
    nothing = np.full((200, 200, 3), 128, np.uint8)
    found = reader([nothing, astronaut, astronaut[:, :300], nothing[:90]])
    assert [len(each) for each in found] == [0, 1, 1, 0]
    assert [each.size for each in found] == [(200, 200), (512, 512), (512, 300), (90, 200)]
    np.testing.assert_allclose(found[1].landmarks, found[2].landmarks, atol=2)


@pytest.mark.slow
def test_of_several_faces_the_one_is_taken_that_was_asked_for(reader: FaceReader, astronaut: np.ndarray) -> None:
    face = astronaut[40:200, 150:300]
    half = np.asarray(Image.fromarray(face).resize((75, 80)))
    scene = np.full((400, 600, 3), 90, np.uint8)
    scene[20:180, 10:160] = face
    scene[160:240, 262:337] = half
    both = dataclasses.replace(reader.finder, faces=4)
    found = FaceReader.load(both, "yunet")([scene])[0]
    assert len(found) == 2 and found.xyxy[0, 0] < 160 < found.xyxy[1, 0]
    central = dataclasses.replace(reader.finder, choice="central")
    assert FaceReader.load(central, "yunet")([scene])[0].xyxy[0, 0] > 200


@pytest.mark.slow
def test_points_and_boxes_of_turned_photographs_are_of_the_photograph(reader: FaceReader, astronaut: np.ndarray) -> None:
    """Whatever turn a face was found by, its box holds the eyes of the photograph as it came."""
    for turns in (1, 2, 3):
        image = np.rot90(astronaut, turns)
        found = reader([image])[0]
        assert len(found) == 1
        x1, y1, x2, y2 = found.xyxy[0]
        points = EYES
        for _ in range(turns):
            # np.rot90 brings (x, y) to (y, width − x).
            points = np.stack([points[:, 1], 512 - points[:, 0]], axis=-1)
        assert ((points > [x1, y1]) & (points < [x2, y2])).all()


@pytest.mark.slow
def test_a_file_without_a_face_is_a_bad_image(tmp_path: Path) -> None:
    Image.fromarray(np.full((120, 160, 3), 200, np.uint8)).save(tmp_path / "wall.png")
    with pytest.raises(BadImage, match=r"wall\.png cannot be used: no face was found in its 160 x 120 pixels"):
        FaceCrop()(tmp_path / "wall.png")


def test_a_turned_file_is_read_as_exif_says(tmp_path: Path, astronaut: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(astronaut)).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(astronaut).save(tmp_path / "upright.png")
    crop = FaceCrop()
    np.testing.assert_array_equal(crop(tmp_path / "turned.png"), crop(tmp_path / "upright.png"))
