"""Recognizers with published weights: photographs in, names out."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_world import Likeness

from likeness.experiments.recognition import Recognizer
from likeness.experiments.recognition.photographs import asked_face
from likeness.experiments.recognition.published import PUBLISHED, published
from likeness.research.data import BadImage
from likeness.research.errors import UserError
from likeness.research.gallery import Threshold

pytestmark = pytest.mark.data


def person(name: str, number: int) -> Path:
    return Path(os.environ["LIKENESS_DATA"]) / "lfw" / name / f"{name}_{number:04d}.jpg"


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.published("mobilefacenet")


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph with three people, of whom the middle one is the largest."""
    scene = np.full((260, 640, 3), 120, np.uint8)
    for name, left, size in (("Abdullah_Gul", 20, 160), ("Adrien_Brody", 210, 220), ("AJ_Cook", 460, 150)):
        face = Image.open(person(name, 1)).convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
        scene[20 : 20 + size, left : left + size] = np.asarray(face)
    path = tmp_path_factory.mktemp("group") / "group.png"
    Image.fromarray(scene).save(path)
    return path


@pytest.mark.parametrize(
    "one", [pytest.param(one, id=one.name, marks=pytest.mark.weights(one.weights, one.crop.weights)) for one in PUBLISHED]
)
def test_the_threshold_that_comes_with_a_recognizer_is_that_of_its_definition(one) -> None:
    """Whatever changes how a photograph becomes an embedding asks for a new threshold:
    ``python -m likeness.experiments.benchmarks.published_thresholds``."""
    recognizer = Recognizer.published(one.name)
    threshold = Threshold.load(one.threshold, recognizer.fingerprint)
    assert threshold.people > 5000 and threshold.target_far == 1e-3
    least = {"mobilefacenet": 0.98, "dlib": 0.95, "dlib_mtcnn": 0.95}[one.name]
    assert threshold.tar.value is not None and threshold.tar.value > least
    assert "Labeled Faces in the Wild" in recognizer.calibration


@pytest.mark.slow
def test_two_photographs_of_one_person_and_of_two(recognizer: Recognizer) -> None:
    assert recognizer.verify(person("Adrien_Brody", 2), person("Adrien_Brody", 5)).same
    assert not recognizer.verify(person("Adrien_Brody", 2), person("Abdullah_Gul", 3)).same


@pytest.mark.slow
def test_everybody_in_a_group_is_named(recognizer: Recognizer, group: Path, tmp_path: Path) -> None:
    people = {name: [person(name, number) for number in (2, 3)] for name in ("Abdullah_Gul", "Adrien_Brody")}
    recognizer.enroll(tmp_path / "gallery.sqlite", people)
    with recognizer.gallery(tmp_path / "gallery.sqlite") as gallery:
        identifier = recognizer.identifier(gallery)
        ((seen, codes),) = recognizer.look([group], "all")
        assert [answer.name for answer in identifier(codes)] == ["Abdullah_Gul", "Adrien_Brody", None]
    assert [seen.title(row) for row in seen.chosen] == [f"{group}, face {number}" for number in (1, 2, 3)]
    ((seen, codes),) = recognizer.look([group])
    assert seen.chosen == (1,) and len(codes) == 1
    assert "shows 3 faces, and number 2 from the left is looked at" in seen.remarks[0]
    ((third, _),) = recognizer.look([group], 3)
    assert third.chosen == (2,)
    with pytest.raises(UserError, match="shows 3 faces, and --face 4 is none of them"):
        next(recognizer.look([group], 4))


@pytest.mark.slow
def test_people_of_one_photograph_are_enrolled_one_by_one(recognizer: Recognizer, group: Path, tmp_path: Path) -> None:
    for name, number in (("Gul", 1), ("Brody", 2)):
        (done,) = recognizer.enroll(tmp_path / "g.sqlite", {name: [group]}, face=number)
        assert len(done.added) == 1 and not done.shared
    (again,) = recognizer.enroll(tmp_path / "g.sqlite", {"Gul": [group]}, face=1)
    assert not again.added and len(again.skipped) == 1


@pytest.mark.slow
def test_a_photograph_without_a_face_is_named(recognizer: Recognizer, tmp_path: Path) -> None:
    Image.fromarray(np.full((90, 120, 3), 200, np.uint8)).save(tmp_path / "wall.png")
    with pytest.raises(BadImage, match=r"wall\.png cannot be used: no face was found"):
        next(recognizer.look([tmp_path / "wall.png"]))
    left_out = []
    seen = list(recognizer.look([tmp_path / "wall.png", person("AJ_Cook", 1)], skip=lambda path, _: left_out.append(path)))
    assert len(seen) == 1 and left_out == [str(tmp_path / "wall.png")]


@pytest.mark.slow
def test_small_and_averted_faces_are_said_to_be_so(recognizer: Recognizer, tmp_path: Path) -> None:
    small = Image.open(person("Adrien_Brody", 1)).resize((48, 48), Image.Resampling.LANCZOS)
    small.save(tmp_path / "small.png")
    ((seen, _),) = recognizer.look([tmp_path / "small.png"])
    assert any("is small, with" in remark for remark in seen.remarks)
    away = dataclasses.replace(seen.found, misfit=np.array([0.5], np.float32))
    assert any("looks away" in remark for remark in dataclasses.replace(seen, found=away).remarks)


def test_which_face_is_asked_for() -> None:
    assert [asked_face(text) for text in ("largest", "all", "3")] == ["largest", "all", 3]
    for text in ("0", "-1", "first", "1.5", ""):
        with pytest.raises(UserError, match="--face is"):
            asked_face(text)


def test_no_other_name_is_published() -> None:
    with pytest.raises(UserError, match=r"no published recognizer 'facenet': give mobilefacenet or dlib"):
        published("facenet")


@pytest.mark.slow
def test_commands_answer_for_photographs(group: Path, likeness: Likeness, tmp_path: Path) -> None:
    model, gallery = ("--model", "mobilefacenet"), ("--gallery", tmp_path / "g.sqlite")
    said = likeness("verify", person("Adrien_Brody", 2), person("Adrien_Brody", 5), *model, "--show", tmp_path / "v.png")
    assert said.code == 0 and said.out.startswith("same: distance"), said.err
    assert size_of(tmp_path / "v.png")[1] == 160
    said = likeness("verify", person("Adrien_Brody", 2), group, *model, "--face", 2, "--json")
    assert said.code == 2 and "shows 1 face, and --face 2 is none of them" in said.err
    said = likeness("verify", person("Adrien_Brody", 2), group, *model, "--json")
    assert json.loads(said.out)["same"] is True
    assert "shows 3 faces" in said.err
    for name in ("Abdullah_Gul", "Adrien_Brody"):
        assert likeness("enroll", "add", name, person(name, 2), person(name, 3), *model, *gallery).code == 0
    said = likeness("identify", group, *model, *gallery, "--show", tmp_path / "who.png")
    assert said.code == 0, said.err
    names = [line.split(": ")[1] for line in said.out.splitlines() if line.startswith(str(group))]
    assert names == ["Abdullah_Gul", "Adrien_Brody", "unknown"]
    assert size_of(tmp_path / "who.png") == (640, 260)
    said = likeness("identify", group, *model, *gallery, "--json")
    assert [each["name"] for each in json.loads(said.out)] == ["Abdullah_Gul", "Adrien_Brody", None]
    said = likeness("enroll", "add", "Both", group, *model, *gallery, "--face", "all")
    assert said.code == 2 and "--face all is for identify" in said.err


@pytest.mark.slow
def test_embeddings_are_written_for_an_analysis(group: Path, likeness: Likeness, tmp_path: Path) -> None:
    (tmp_path / "people").mkdir()
    for number in (2, 3):
        (tmp_path / "people" / f"{number}.jpg").write_bytes(person("Adrien_Brody", number).read_bytes())
    Image.fromarray(np.full((90, 120, 3), 200, np.uint8)).save(tmp_path / "people" / "wall.png")
    out = tmp_path / "e.npz"
    said = likeness("embed", tmp_path / "people", group, "-o", out, "--face", "all", "--model", "mobilefacenet")
    assert said.code == 0, said.err
    assert "embedded 5 faces of 3 images" in said.out and "no face was found" in said.err
    with np.load(out) as stored:
        codes, files, faces = stored["embeddings"], stored["files"].tolist(), stored["faces"].tolist()
        assert stored["boxes"].shape == (5, 4) and stored["landmarks"].shape == (5, 5, 2)
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1, atol=1e-5)
    assert [Path(file).name for file in files] == ["2.jpg", "3.jpg", "group.png", "group.png", "group.png"]
    assert faces == [1, 1, 1, 2, 3]
    # The middle one of the group is the same person.
    assert (codes[0] @ codes[2:].T).argmax() == 1
    said = likeness("embed", group, "-o", tmp_path / "e.csv")
    assert said.code == 2 and ".npz or .parquet" in said.err
    said = likeness("embed", group, "-o", tmp_path / "e.parquet", "--model", "mobilefacenet")
    assert said.code == 0, said.err
    import pyarrow.parquet

    assert pyarrow.parquet.read_table(tmp_path / "e.parquet").num_rows == 1
