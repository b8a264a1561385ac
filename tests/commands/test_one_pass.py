"""Painting in one pass from the command line: styles by name, several contents, sheets, and what cannot be."""

from pathlib import Path

import jax
import numpy as np
import pytest
from painted import random_variables
from PIL import Image

from likeness.experiments.commands.main import run
from likeness.experiments.style.one_pass import LearnedStyles
from likeness.experiments.style.painting import Stylizer
from likeness.research.images import read_image
from likeness.research.style_networks import Conditional

NETWORK = Conditional(widths=(2, 3), blocks=1, outer=3, styles=3)
STYLES = ("ink", "oil", "chalk")


@pytest.fixture(autouse=True)
def loaded(tmp_path, monkeypatch):
    """A network of three styles, and how often it is read."""
    variables = random_variables(NETWORK, np.zeros((1, 16, 16, 3), np.float32), np.ones((1, 3), np.float32))
    count = []

    def load(model):
        count.append(model)
        return Stylizer(str(model), LearnedStyles(NETWORK, variables, STYLES))

    monkeypatch.setattr(Stylizer, "load", load)
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for number, name in enumerate(("photo.png", "photos/a.png", "photos/b.png")):
        pixels = np.random.default_rng(number).integers(0, 255, (20, 30 + 10 * number, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(name)
    yield count
    jax.clear_caches()


def test_a_style_is_chosen_and_mixed_by_name():
    for styles, out in ((["ink"], "ink"), (["oil"], "oil"), (["ink", "oil", "--weights", "3", "1"], "both")):
        assert run(["stylize", "photo.png", *styles, "--model", "some", "-o", f"{out}.png"]) == 0
    image = read_image("photo.png").pixels
    expected = Stylizer.load("some")(image, weights=(0.75, 0.25, 0.0))
    np.testing.assert_allclose(read_image("both.png").pixels, expected, atol=0.6 / 255)
    assert Path("ink.png").read_bytes() != Path("oil.png").read_bytes()


def test_many_contents_read_the_network_once(loaded, capsys):
    Path("photos/broken.png").write_bytes(b"no image")
    assert run(["stylize", "chalk", "--contents", "photos", "--model", "some", "-o", "out", "--size", "16"]) == 2
    assert loaded == ["some"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.png", "b.png"]
    with Image.open("out/b.png") as image:
        assert image.size == (16, 6)
    said = capsys.readouterr()
    assert "out/broken.png is left out: " in said.err
    assert "images   out" in said.out


@pytest.mark.slow
def test_a_sheet_has_the_content_and_each_style():
    assert run(["stylize", "photo.png", "--model", "some", "--grid", "all.png", "--size", "30"]) == 0
    with Image.open("all.png") as sheet:
        # Seven places of thirty pixels, four of them taken.
        assert sheet.size[0] == 7 * 30 + 6 * 6 + 2 * 16
    assert run(["stylize", "ink", "oil", "--contents", "photos", "--model", "some", "--grid", "some.png"]) == 0
    with Image.open("some.png") as sheet:
        assert sheet.size[0] == 3 * 256 + 2 * 6 + 2 * 16
    assert not Path("stylized.png").exists() and not Path("stylized").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--model paints an image of your own: name it"),
        (["photo.png"], "has learned 3 styles, and none of them is named: name one after the image"),
        (["photo.png", "water"], "(ink, oil, chalk) and in no other: water is none of them"),
        (["photo.png", "ink", "oil", "--weights", "1"], "--weights has 1 values for 2 styles"),
        (["photo.png", "ink", "--strength", "0.5"], "has learned its style at one strength"),
        (["photo.png", "ink", "-o", "painted.psd"], "painted.psd has the suffix .psd"),
        (["photo.png", "ink", "-o", "photo.png"], "--out is photo.png, an image that is read"),
        (["ink", "--contents", "photos", "-o", "photos"], "--out is photos, among the images of photos"),
        (["photo.png", "--grid", "sheet.jpg"], "--grid is sheet.jpg: a contact sheet is a .png"),
        (["photo.png", "--grid", "sheet.png", "-o", "x.png"], "writes a sheet and nothing else: leave --out out"),
        (["photo.png", "ink", "--grid", "sheet.png", "--strength", "2"], "paints each style alone and whole"),
        (["photo.png", "water", "--grid", "sheet.png"], "water is none of them"),
        (["photo.png", "ink", "--live"], "--live is for a preset that paints by the pixels, and --model paints in one pass"),
        (["photo.png", "ink", "--explore", "page.html"], "--explore is for a preset that paints by the pixels"),
        (["photo.png", "ink", "--colors", "hues"], "--colors is for a preset that paints by the pixels"),
        (["photo.png", "ink", "--preset", "nonsense"], "--preset is for a preset that paints by the pixels"),
        (["photo.png", "ink", "oil", "--weights", "0", "0"], "--weights is 0 0: give finite numbers, 0 or more, not all 0"),
        (["photo.png", "ink", "oil", "--weights", "1", "nan"], "--weights is 1 nan: give finite numbers"),
        (["gone.png", "ink"], "gone.png"),
        (["photo.png", "ink", "--size", "0"], "The size is 0: give the longer side in pixels"),
    ],
)
def test_what_cannot_be_is_explained(arguments, message, capsys):
    assert run(["stylize", *arguments, "--model", "some"]) == 2
    assert message in capsys.readouterr().err
    assert not list(Path().glob("sheet*")) and not Path("stylized.png").exists()
