"""How much worse images may get before a recognizer errs."""

import json
from pathlib import Path

import pytest
from small_world import Likeness, World

from likeness.experiments.recognition import Recognizer
from likeness.experiments.recognition.robustness import KINDS, robustness
from likeness.research.data.degradations import Blur, PixelNoise


@pytest.mark.end_to_end
def test_worse_images_have_more_errors(world: World) -> None:
    recognizer = Recognizer.load(world.workdir)
    images = recognizer.inputs.open_folder(str(world.people))
    kinds = {"noise": (PixelNoise(sigma=0.0), PixelNoise(sigma=120.0)), "blur": (Blur(sigma=0.0),)}
    clean, same, worse, sharp = robustness(recognizer, images, kinds)
    assert (clean.kind, same.kind, sharp.kind) == ("", "noise", "blur")
    for unchanged in (same, sharp):
        assert (unchanged.eer, unchanged.tar, unchanged.far) == (clean.eer, clean.tar, clean.far)
    assert clean.eer.value is not None and worse.eer.value is not None
    assert worse.eer.value > clean.eer.value


@pytest.mark.end_to_end
def test_the_command_draws_and_counts(world: World, likeness: Likeness, tmp_path: Path) -> None:
    where = ("--model", world.workdir, "-o", tmp_path / "out")
    said = likeness("robustness", world.people, *where, "--kinds", "light", "compression")
    assert said.code == 0, said.err
    assert "as they are" in said.out and "light × 0.05" in said.out and "blur" not in said.out
    numbers = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert len(numbers["steps"]) == 1 + len(KINDS["light"]) + len(KINDS["compression"])
    assert (tmp_path / "out" / "robustness.png").stat().st_size > 10_000
    said = likeness("robustness", world.people, *where, "--kinds", "light", "--json")
    assert json.loads(said.out)["steps"][0]["title"] == "as they are"
    said = likeness("robustness", world.people, *where, "--kinds", "fog")
    assert said.code == 2 and "'fog', which is none of resolution, blur" in said.err
