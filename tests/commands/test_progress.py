"""Long work says what it does, how far it is and how long it will take, from its beginning; at the end what was evaluated."""

from pathlib import Path

import pytest
from small_style import PRESET
from small_world import Likeness, World

from likeness.experiments.display.phases import tracked, watched
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.research.data import Faces, Folder, open_source
from likeness.research.faces import FaceCrop

pytestmark = pytest.mark.end_to_end


def test_enrolling_a_folder_says_how_far_it_is(likeness: Likeness, world: World, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery.sqlite"
    said = likeness("enroll", "folder", world.strangers, "--model", world.workdir, "--gallery", gallery)
    assert said.code == 0
    assert said.err.splitlines() == ["reading images", "embedding images"]


def test_a_folder_is_read_image_by_image_and_embedded_person_by_person(world: World, tmp_path: Path) -> None:
    recognizer = Recognizer.load(world.workdir)
    told: list[tuple[str, int, int]] = []
    with watched(lambda *said: told.append(said)):
        people, _, _ = recognizer.find_people(world.strangers)
        recognizer.enroll(tmp_path / "gallery.sqlite", people)
    assert told == [("reading images", done, 9) for done in range(10)] + [
        ("embedding images", done, 9) for done in (0, 3, 6, 9)
    ]


def test_a_source_says_how_far_it_is_while_it_is_opened(world: World) -> None:
    told: list[tuple[str, int, int]] = []
    with watched(lambda *said: told.append(said)):
        images = open_source(Folder(str(world.strangers)), tracked)
    assert len(images) == 9 and told == [("reading images", done, 9) for done in range(10)]
    assert open_source(Faces(people=2, images=2, size=32), tracked).people == Faces(people=2, images=2, size=32).open().people
    assert FaceCrop().doing == "finding faces"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "what"),
    [("occlusion", "covering parts"), ("gradient", "explaining A and B"), ("integrated_gradients", "explaining A and B")],
)
def test_asking_why_says_how_far_it_is(likeness: Likeness, world: World, tmp_path: Path, method: str, what: str) -> None:
    pair = [world.strangers / "ada" / f"{number}.png" for number in (0, 1)]
    command = ("verify", *pair, "--model", world.workdir, "--why", tmp_path / "why.png", "--why-method", method)
    said = likeness(*command)
    assert said.code == 0
    assert said.err.splitlines()[0] == what


@pytest.mark.slow
def test_of_a_painting_no_test_part_is_told(
    likeness: Likeness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("preset.py").write_text(PRESET)
    said = likeness("train", "preset.py", "--workdir", "run")
    assert said.code == 0
    assert "evaluating the painting" in said.err
    assert "test part" not in said.out + said.err
    swept = likeness("sweep", "preset.py", "--over", "seed=0,1", "--workdir", "sweep")
    assert swept.code == 0
    assert "numbers are of what each run made" in swept.out
    assert "test part" not in swept.out + swept.err + Path("sweep/sweep.md").read_text()
