"""How much worse images may get before a recognizer errs."""

import json
from pathlib import Path

import pytest
from small_world import Likeness, World

from likeness.experiments.display.phases import watched
from likeness.experiments.recognition import Recognizer
from likeness.experiments.recognition.robustness import AS_THEY_ARE, KINDS, MADE_WORSE, robustness
from likeness.research.data.degradations import Blur, PixelNoise


@pytest.mark.slow
@pytest.mark.end_to_end
def test_worse_images_have_more_errors(world: World) -> None:
    recognizer = Recognizer.load(world.workdir)
    images = recognizer.inputs.open_folder(str(world.people))
    kinds = {"noise": (PixelNoise(sigma=0.0), PixelNoise(sigma=120.0)), "blur": (Blur(sigma=0.0),)}
    measured = robustness(recognizer, images, kinds)
    clean, same, worse, sharp = measured.steps
    assert (clean.kind, same.kind, sharp.kind) == ("", "noise", "blur")
    for unchanged in (same, sharp):
        assert (unchanged.eer, unchanged.tar, unchanged.far) == (clean.eer, clean.tar, clean.far)
    assert clean.eer.value is not None and worse.eer.value is not None
    assert worse.eer.value > clean.eer.value
    assert len(measured.example) == 4 and (measured.example[0] == measured.example[1]).all()
    assert 2 <= len(measured.falling) <= 9


@pytest.mark.slow
@pytest.mark.end_to_end
def test_errors_are_told_as_images_of_low_quality_are_rejected(world: World) -> None:
    recognizer = Recognizer.load(world.workdir)
    images = recognizer.inputs.open_folder(str(world.people))
    told: list[tuple[str, int, int]] = []
    with watched(lambda *said: told.append(said)):
        measured = robustness(recognizer, images, {"noise": (PixelNoise(sigma=120.0),)})
    assert told == [("making images worse and embedding them", done, 288) for done in (0, 144, 288)]
    assert not measured.without_norm
    by = {(one.images, one.quality): one.curve for one in measured.qualities}
    assert {name for _, name in by} == {"norm", "sharpness", "the errors themselves"}
    clean, mixed = by[AS_THEY_ARE, "norm"], by[MADE_WORSE, "norm"]
    # Before anything is rejected these are the rates of the sweep.
    assert clean.fnmr[0].value == pytest.approx(1 - (measured.steps[0].tar.value or 0))
    assert clean.fmr[0].value == pytest.approx(measured.steps[0].far.value)
    assert mixed.threshold == recognizer.threshold.tau
    assert mixed.fnmr[-1].n < mixed.fnmr[0].n
    assert by[MADE_WORSE, "the errors themselves"].area <= mixed.area


@pytest.mark.slow
@pytest.mark.end_to_end
def test_the_command_draws_and_counts(world: World, likeness: Likeness, tmp_path: Path) -> None:
    where = ("--model", world.workdir, "-o", tmp_path / "out")
    said = likeness("robustness", world.people, *where, "--kinds", "light", "compression")
    assert said.code == 0, said.err
    assert "as they are" in said.out and "light × 0.05" in said.out and "blur" not in said.out
    numbers = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert len(numbers["steps"]) == 1 + len(KINDS["light"]) + len(KINDS["compression"])
    assert [each["quality"] for each in numbers["error_versus_reject"]][:2] == ["norm", "sharpness"]
    for figure in ("robustness.png", "rejection.png"):
        assert (tmp_path / "out" / figure).stat().st_size > 10_000
    assert "without the 50 % of the shortest embeddings" in said.out
    assert "making images worse and embedding them" in said.err
    said = likeness("robustness", world.people, *where, "--kinds", "light", "--json")
    assert json.loads(said.out)["steps"][0]["title"] == "as they are"
    said = likeness("robustness", world.people, *where, "--kinds", "fog")
    assert said.code == 2 and "'fog', which is none of resolution, blur" in said.err
