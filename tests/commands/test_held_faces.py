import json
from pathlib import Path

import numpy as np
import pytest
from group_photographs import detector, group, points_of, write
from PIL import Image
from small_style import PRESET

from likeness.experiments.commands.main import run

pytestmark = pytest.mark.end_to_end

PORTRAIT = PRESET.replace(
    "            size=32,\n",
    "            size=64,\n            portrait=Portrait(encoder=RANDOM_FACES, template=SMALL, moved=1, blur=0.5),\n",
).replace(
    "\n\ndef get_config",
    """
from random_faces import RANDOM_FACES
from likeness.experiments.recognition.face_crops import Template
from likeness.experiments.style.portrait import Portrait

SMALL = Template(height=20, width=16, points=((5.0, 7.0), (10.0, 7.0), (7.5, 10.0), (5.5, 13.0), (9.5, 13.0)))


def get_config""",
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("preset.py").write_text(PORTRAIT)
    write("style.png", np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8))
    write("group.png", group(2))


def stylize(*arguments: str) -> int:
    return run(["stylize", *arguments, "--preset", "preset.py"])


def metrics() -> dict[str, float]:
    (summary,) = Path("runs/stylize").glob("*/summary.json")
    return json.loads(summary.read_text())["metrics"]


def numbers(points: np.ndarray) -> list[str]:
    return [f"{value:.3f}" for value in points.ravel()]


@pytest.mark.slow
def test_every_face_of_a_group_is_held_and_told(monkeypatch, capsys):
    detector(monkeypatch, points_of(2))
    assert stylize("group.png", "style.png", "-o", "painted.png", "--size", "128") == 0
    said = capsys.readouterr()
    assert "2 faces are found in group.png" in said.err
    assert "face 1 of 2 is at a distance of" in said.out and "face 2 of 2 is at a distance of" in said.out
    found = metrics()
    assert found["identity/distance"] == max(found["identity/distance@1"], found["identity/distance@2"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "extra"), [("L", ["--tile", "32"]), ("I;16", ["--init", "style.png"]), ("RGBA", ["--size", "160"])]
)
def test_images_of_every_kind_are_painted_in_every_way(monkeypatch, kind, extra):
    detector(monkeypatch, points_of(2))
    gray = np.asarray(Image.fromarray(group(2)).convert("L"))
    image = Image.fromarray(gray.astype(np.uint16) * 257) if kind == "I;16" else Image.fromarray(gray).convert(kind)
    image.save("group.png")
    assert stylize("group.png", "style.png", "-o", "painted.png", "--size", "128", *extra) == 0
    assert "identity/distance@2" in metrics()


@pytest.mark.slow
def test_where_the_faces_are_can_be_said(capsys):
    """No detector is asked then: there is none."""
    points = numbers(points_of(2))
    assert stylize("group.png", "style.png", "--size", "128", "--face", *points[:10], "-o", "one.png") == 0
    assert "the face is at a distance of" in capsys.readouterr().out and "identity/distance@1" not in metrics()
    assert stylize("group.png", "style.png", "--size", "128", "--face", *points, "--workdir", "two") == 0
    assert "face 2 of 2 is at a distance of" in capsys.readouterr().out
    assert stylize("group.png", "style.png", "--face", *points[:12], "-o", "none.png") == 2
    assert "--face has 12 numbers for group.png: give CONTENT, and ten for each face" in capsys.readouterr().err


def test_a_point_outside_of_the_image_is_told_in_the_words_of_the_command(capsys):
    assert stylize("group.png", "style.png", "--face", *["9999"] * 10) == 2
    said = capsys.readouterr().err
    assert "one of its points lies far outside group.png" in said and "Landmarks" not in said


@pytest.mark.slow
def test_what_a_face_is_held_to_is_painted_again_only_where_something_else_is_asked(monkeypatch, capsys):
    detector(monkeypatch, points_of(2))
    command = ["group.png", "style.png", "--size", "128"]
    assert stylize(*command, "-o", "1.png") == 0
    capsys.readouterr()
    assert stylize(*command, "-o", "2.png") == 0
    assert len(list(Path("runs/stylize").iterdir())) == 1 and Path("1.png").read_bytes() == Path("2.png").read_bytes()


@pytest.mark.slow
def test_of_many_photographs_those_without_a_face_are_left_out(monkeypatch, capsys):
    detector(monkeypatch, points_of(2), only="group")
    Path("photographs").mkdir()
    write("photographs/group1.png", group(2))
    write("photographs/group2.png", group(2)[::-1])
    write("photographs/tree.png", np.full((64, 128, 3), 90, np.uint8))
    assert stylize("style.png", "--contents", "photographs", "--size", "128", "-o", "painted") == 2
    said = capsys.readouterr()
    assert "tree.png is left out" in said.err and "shows none" in said.err and "identity/distance" in said.out
    assert sorted(path.name for path in Path("painted").glob("*.png")) == ["group1.png", "group2.png"]


def test_a_photograph_without_a_face_is_told_and_nothing_is_painted(monkeypatch, capsys):
    detector(monkeypatch, points_of(1)[:0])
    assert stylize("group.png", "style.png", "-o", "painted.png") == 2
    assert "group.png shows none: no face was found in its 128 x 64 pixels" in capsys.readouterr().err
    assert not Path("painted.png").exists()


def test_a_film_is_refused_with_what_to_do(capsys):
    Path("frames").mkdir()
    for number in range(2):
        write(f"frames/{number}.png", group(2))
    assert stylize("frames", "style.png", "-o", "film") == 2
    assert "film it by another preset, or paint each image alone by --contents frames" in capsys.readouterr().err
