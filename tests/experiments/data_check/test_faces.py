"""The doctor reads a folder of people as training does."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.experiments.commands.main import run
from likeness.experiments.data_check.checking import check_data, source_of
from likeness.experiments.data_check.copies import near_copies, thumbnails
from likeness.experiments.data_check.page import data_page
from likeness.research.data import Folder
from likeness.research.errors import UserError


def face(seed: int, size: int = 96) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for who, name in enumerate(("ada", "bob", "cyd")):
        (tmp_path / "people" / name).mkdir(parents=True)
        for i in range(3):
            face(10 * who + i).save(tmp_path / "people" / name / f"{i}.png")
    return tmp_path / "people"


def found(path: Path) -> dict[str, int]:
    report = check_data(source_of(str(path)), str(path))
    assert data_page(report)
    return {finding.kind: finding.times for level in ("error", "warning") for finding in report.of(level)}


def test_nothing_is_found_in_a_sound_folder(people: Path, capsys: pytest.CaptureFixture[str]):
    assert isinstance(source_of(str(people)), Folder) and not found(people)
    assert run(["data", "check", str(people)]) == 0
    assert "9 images of 3 people, 3 with two or more." in capsys.readouterr().out


def test_faults_are_found(people: Path):
    shutil.copy(people / "ada" / "0.png", people / "bob" / "9.png")
    assert found(people) == {"duplicate_across": 1}
    (people / "bob" / "9.png").unlink()
    shutil.copy(people / "ada" / "0.png", people / "ada" / "9.png")
    assert found(people) == {"duplicate_image": 1}
    (people / "ada" / "9.png").unlink()
    face(0, 180).save(people / "bob" / "9.jpg", quality=80)
    assert found(people) == {"near_copy_across": 1}
    (people / "bob" / "9.jpg").write_bytes(b"no image")
    assert found(people) == {"unreadable_image": 1}
    (people / "bob" / "9.jpg").unlink()
    (people / "Ada").mkdir()
    face(77).save(people / "Ada" / "0.png")
    assert found(people) == {"names": 1, "single_image": 1}
    shutil.rmtree(people / "Ada")
    face(78, 40).save(people / "cyd" / "8.png")
    Image.new("RGB", (96, 96), "gray").save(people / "cyd" / "9.png")
    assert found(people) == {"small_image": 1, "blank_image": 1}


def test_a_folder_with_neither_is_refused(tmp_path: Path):
    face(0).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="no annotations that are known"):
        source_of(str(tmp_path))


def test_near_copies_are_pairs_of_rows():
    images = [np.asarray(face(seed)) for seed in range(30)]
    images += [np.asarray(face(3, 150)), np.asarray(face(7).convert("L"))[:, :, None], np.zeros((9, 9, 3), np.uint8)] * 1
    thumbs = thumbnails(images)
    assert [pair[:2] for pair in sorted(near_copies(thumbs, ["x"] * 33, across=False))] == [(30, 3), (31, 7)]
    groups = ["a"] * 31 + ["b"] * 2
    assert [pair[:2] for pair in near_copies(thumbs, groups, across=True)] == [(31, 7)]
    assert [pair[:2] for pair in near_copies(thumbs, groups, across=False)] == [(30, 3)]
    assert not near_copies(thumbs[:0], [], across=False)


@pytest.mark.data
def test_orl_is_sound(real_data: Path):
    assert not found(real_data / "orl_faces")
