"""``likeness verify A B --why FILE``: which parts of two pictures decide."""

import numpy as np
import pytest
from PIL import Image

from experiments.recognition.recognizer import Recognizer
from experiments.recognition.why import why

pytestmark = pytest.mark.end_to_end


def test_the_figure_is_drawn_beside_the_answer(likeness, world, tmp_path):
    pictures = [world.strangers / "ada" / f"{number}.png" for number in (0, 1)]
    said = likeness("verify", *pictures, "--workdir", world.workdir, "--why", tmp_path / "why.png")
    assert said.code == 0, said.err
    assert f"why      {tmp_path / 'why.png'}" in said.out
    with Image.open(tmp_path / "why.png") as drawn:
        assert drawn.width > drawn.height
    said = likeness("verify", *pictures, "--workdir", world.workdir, "--why", tmp_path / "why.txt")
    assert said.code == 2 and "a figure ends in .png" in said.err


def test_it_is_what_covering_does_to_the_distance(world):
    """Of one place, by hand: a square over the corner of the first picture."""
    recognizer = Recognizer.load(world.workdir)
    first, second = world.strangers / "ada" / "0.png", world.strangers / "bob" / "0.png"
    found = why(recognizer, first, second, parts=32)
    assert found.answer.distance == pytest.approx(recognizer.verify(first, second).distance)
    # Windows of 2 pixels a pixel apart: only one covers the corner.
    covered = found.pictures[0].copy()
    covered[:2, :2] = 0.5
    pixels = [np.round(255 * one).astype(np.uint8) for one in (covered, found.pictures[1])]
    codes = recognizer.embed(np.stack(pixels))
    gained = recognizer.subject.distance(codes[:1], codes[1:])[0, 0] - found.answer.distance
    np.testing.assert_allclose(found.likeness[0][0, 0], gained, atol=1e-5)
