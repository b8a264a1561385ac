from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_style import PRESET

from likeness.experiments.commands.main import run

pytestmark = pytest.mark.end_to_end


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("preset.py").write_text(PRESET)
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3))
    Image.fromarray(noise.astype(np.uint8)).save("style.png")


@pytest.mark.slow
def test_a_texture_is_painted_and_another_seed_paints_another(capsys):
    command = ["textures", "style.png", "--preset", "preset.py", "--size", "48", "--film", "film.gif"]
    assert run([*command, "-o", "one.png"]) == 0
    assert "film     film.gif" in capsys.readouterr().out
    assert run([*command, "-o", "two.png", "--seed", "1"]) == 0
    one, two = (np.asarray(Image.open(name)) for name in ("one.png", "two.png"))
    assert one.shape == two.shape == (32, 48, 3)
    assert np.abs(one.astype(int) - two).mean() > 5
    with Image.open("film.gif") as film:
        assert film.n_frames == 3


@pytest.mark.slow
def test_every_layer_is_painted_again_and_an_earlier_one_knows_more(capsys):
    command = ["reconstruct", "style.png", "--preset", "preset.py", "--size", "32", "--steps", "30", "--workdir", "w"]
    assert run([*command, "--layers", "relu1_1", "relu2_1"]) == 0
    assert Path("reconstructions.png").stat().st_size > 1000
    assert sorted(path.name for path in Path("w").iterdir()) == ["relu1_1", "relu2_1"]
    capsys.readouterr()
    assert run([*command, "--layers", "relu1_1", "relu9_1", "--workdir", "v"]) == 2
    assert "no layer 'relu9_1'" in capsys.readouterr().err
    # Nothing was painted before the second name was read.
    assert not Path("v").exists()


@pytest.mark.slow
def test_what_is_asked_for_decides_where_it_is_painted_again(capsys):
    command = ["reconstruct", "style.png", "--preset", "preset.py", "--size", "32", "--steps", "2", "--layers", "relu1_1"]
    assert run(command) == 0
    (made,) = Path("runs/reconstruct").iterdir()
    Path("given").mkdir()
    made.rename("given/relu1_1")
    for extra in (["--seed", "7"], ["--size", "40", "--steps", "3"]):
        assert run([*command, *extra, "--workdir", "given"]) == 2
        said = capsys.readouterr().err
        assert "something else was asked for" in said and "--workdir" in said and "--fresh" not in said
    Image.fromarray(np.random.default_rng(9).integers(0, 255, (40, 60, 3)).astype(np.uint8)).save("style.png")
    assert run([*command, "--workdir", "given"]) == 2
    assert "content changed" in capsys.readouterr().err
    assert run(command) == 0
    (other,) = Path("runs/reconstruct").iterdir()
    assert other.name != made.name


def test_numbers_that_nothing_can_be_painted_with_are_refused(capsys):
    for flag, message in (("--size", "--size is 0: give 16 to 16384"), ("--steps", "--steps is 0: give 1 or more")):
        for name in ("textures", "reconstruct"):
            assert run([name, "style.png", "--preset", "preset.py", flag, "0"]) == 2
            assert message in capsys.readouterr().err


def test_a_figure_of_an_unknown_kind_is_refused_before_painting(capsys):
    assert run(["reconstruct", "--preset", "preset.py", "-o", "row.xyz"]) == 2
    assert "a figure ends in" in capsys.readouterr().err
    assert not Path("runs").exists()


def seams(image: np.ndarray) -> float:
    """How much more the first column differs from the last than neighbors do in the mean."""
    image = image.astype(float)
    inside = np.abs(np.diff(image, axis=1)).mean()
    return float(np.abs(image[:, 0] - image[:, -1]).mean() / inside)


@pytest.mark.slow
def test_a_tileable_texture_of_any_proportions_has_no_seam(capsys):
    smooth = np.asarray(Image.fromarray(np.random.default_rng(3).integers(0, 255, (6, 9, 3)).astype(np.uint8)).resize((60, 40)))
    Image.fromarray(smooth).save("smooth.png")
    command = [
        "textures",
        "smooth.png",
        "--preset",
        "preset.py",
        "--steps",
        "60",
        "--tv",
        "9",
        "--width",
        "48",
        "--height",
        "32",
    ]
    assert run([*command, "-o", "open.png"]) == 0
    assert run([*command, "-o", "tile.png", "--tileable"]) == 0
    tile, bordered = (np.asarray(Image.open(name)) for name in ("tile.png", "open.png"))
    assert tile.shape == bordered.shape == (32, 48, 3)
    assert seams(tile) < 1.3 < seams(bordered)
    assert run([*command, "--size", "64"]) == 2
    assert "--size and --width or --height say twice how large" in capsys.readouterr().err
    assert run(["textures", "smooth.png", "--preset", "preset.py", "--steps", "1", "--height", "40", "-o", "square.png"]) == 0
    assert np.asarray(Image.open("square.png")).shape == (40, 40, 3)
