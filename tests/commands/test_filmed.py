import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_style import PRESET

from likeness.experiments.commands.filmed import frames_of
from likeness.experiments.commands.main import run
from likeness.research.synthetic.moving_scene import MovingScene

pytestmark = pytest.mark.end_to_end

COMMAND = ["stylize", "frames", "z.png", "--preset", "preset.py", "-o", "out"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("preset.py").write_text(PRESET)
    Path("frames").mkdir()
    frames = MovingScene(frames=3, size=32, things=1, speed=1)().frames
    # By their names as text the last would come first.
    for number, frame in zip((2, 9, 10), frames, strict=True):
        Image.fromarray(np.round(255 * frame).astype(np.uint8)).save(f"frames/f{number}.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save("z.png")


@pytest.mark.slow
def test_a_film_is_painted_in_order_and_goes_on_where_it_stopped(capsys):
    assert run([*COMMAND, "--film", "all.gif"]) == 0
    said = capsys.readouterr()
    assert "as the frames of a film, each beginning with the one before" in said.err + said.out
    told = ("reading the frames", "compiling what paints the first frame", "compiling what paints the frames after the first")
    assert all(line in said.err for line in (*told, "writing all.gif, of 3 images"))
    assert sorted(path.name for path in Path("out").iterdir()) == ["f10.png", "f2.png", "f9.png", "film.json"]
    with Image.open("all.gif") as film:
        assert getattr(film, "n_frames", 1) == 3
    last = Path("out/f10.png").read_bytes()
    # As if it had been interrupted before the last frame.
    Path("out/f10.png").unlink()
    kept = json.loads(Path("out/film.json").read_text())
    Path("out/film.json").write_text(json.dumps({**kept, "frames": kept["frames"][:2]}))
    assert run(COMMAND) == 0
    assert "2 of 3 frames are painted already" in capsys.readouterr().out
    assert Path("out/f10.png").read_bytes() == last


def test_a_frame_that_has_changed_is_painted_anew_with_all_after_it(capsys):
    assert run(COMMAND) == 0
    first, second = (Path(f"out/f{number}.png").read_bytes() for number in (2, 9))
    Path("frames/f9.png").write_bytes(Path("z.png").read_bytes())
    assert run(COMMAND) == 0
    assert "1 of 3 frames are painted already" in capsys.readouterr().out
    assert Path("out/f2.png").read_bytes() == first
    assert Path("out/f9.png").read_bytes() != second


def test_how_it_is_read_is_no_other_film(capsys):
    assert run(COMMAND) == 0
    assert run([*COMMAND, "--tile", "16"]) == 0
    assert "3 of 3 frames are painted already" in capsys.readouterr().out


def test_another_film_is_not_painted_over(capsys):
    assert run(COMMAND) == 0
    assert run([*COMMAND, "--strength", "2"]) == 2
    assert "holds a film that something else was asked for" in capsys.readouterr().err
    Path("mine").mkdir()
    Path("mine/f9.png").write_bytes(b"mine")
    assert run([*COMMAND[:-1], "mine"]) == 2
    assert "so that none is lost" in capsys.readouterr().err
    assert Path("mine/f9.png").read_bytes() == b"mine"


def test_a_film_of_other_frames_is_not_painted_over(capsys):
    assert run(COMMAND) == 0
    first = Path("out/f2.png").read_bytes()
    for path in Path("frames").iterdir():
        Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path)
    assert run(COMMAND) == 2
    assert "The folder out holds a film of other frames" in capsys.readouterr().err
    assert Path("out/f2.png").read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "frames"], "--out is frames, among the images of frames"),
        (["--film", "frames/all.webp"], "--film is frames/all.webp, among the images of frames"),
    ],
)
def test_nothing_is_made_among_the_frames(arguments, message, capsys):
    before = sorted(Path("frames").iterdir())
    assert run([*COMMAND[:-2], *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(Path("frames").iterdir()) == before


def test_a_record_that_cannot_be_read_is_named(capsys):
    Path("out").mkdir()
    Path("out/film.json").write_text("{")
    assert run(COMMAND) == 2
    assert "film.json cannot be read" in capsys.readouterr().err


def test_frames_come_by_the_numbers_in_their_names():
    assert [path.name for path in frames_of(Path("frames"), Path("out"))] == ["f2.png", "f9.png", "f10.png"]


def test_frames_of_one_name_are_refused(capsys):
    Path("frames/f2.jpg").write_bytes(b"")
    Image.new("RGB", (32, 32)).save("frames/f2.jpg")
    assert run(COMMAND) == 2
    assert "Two frames would both be painted into f2.png" in capsys.readouterr().err


def test_a_sign_that_only_looks_like_a_number_is_none():
    Path("a").mkdir()
    for name in ("a/f10\u00b2.png", "a/f9.png", "a/f9\u00b2.png"):
        Path(name).write_bytes(Path("z.png").read_bytes())
    assert [path.name for path in frames_of(Path("a"), Path("out"))] == ["f9.png", "f9\u00b2.png", "f10\u00b2.png"]


def test_who_interrupts_a_film_is_told_that_it_goes_on(monkeypatch, capsys):
    from likeness.experiments.commands import filmed

    kept = filmed.write_image

    def interrupted(path, image):
        if path.name == "f9.png":
            raise KeyboardInterrupt
        kept(path, image)

    monkeypatch.setattr(filmed, "write_image", interrupted)
    assert run(COMMAND) != 0
    assert "1 of 3 frames are painted, in out: the same command goes on after them" in capsys.readouterr().out
    monkeypatch.setattr(filmed, "write_image", kept)
    assert run(COMMAND) == 0
    assert "1 of 3 frames are painted already" in capsys.readouterr().out
