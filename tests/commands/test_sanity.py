"""``likeness sanity``: what is left of maps of saliency when layers get random weights."""

import json
import shutil

import pytest
from PIL import Image

pytestmark = pytest.mark.end_to_end


@pytest.mark.slow
def test_the_table_and_the_figures_are_written(likeness, world, tmp_path):
    out = tmp_path / "sanity"
    methods = ("gradient", "guided", "occlusion")
    said = likeness("sanity", world.workdir, "--data", world.strangers, "--images", "4", "--methods", *methods, "-o", out)
    assert said.code == 0, said.err
    told = json.loads((out / "sanity.json").read_text())
    assert told["layers"] == ["dense", "conv4", "conv3", "conv2", "conv1"] and told["images"] == 4
    for order in ("cascading", "independent"):
        assert set(told[order]) == set(methods)
        for measure in told[order]["guided"].values():
            assert all(-1 <= each["value"] <= 1 for each in measure.values())
    # With the topmost layer random both orders are the same network.
    assert told["cascading"]["guided"]["ssim"]["dense"] == told["independent"]["guided"]["ssim"]["dense"]
    assert told["cascading"]["gradient"]["rank_signed"]["conv1"]["value"] < 0.5
    with Image.open(out / "maps.png") as maps, Image.open(out / "curves.png") as curves:
        assert maps.width > 100 and curves.width > curves.height
    assert set(told["stays"]) == set(methods)
    for method, stays in told["stays"].items():
        row = next(line for line in said.out.splitlines() if line.split()[:1] == [method])
        assert f"{told['cascading'][method]['rank_absolute']['conv1']['value']:.2f} ±" in row and row.rstrip().endswith(stays)


def test_one_image_is_too_few(likeness, world):
    said = likeness("sanity", world.workdir, "--images", "1")
    assert said.code == 2 and "--images is 1: give 2 or more" in said.err


@pytest.mark.slow
def test_what_is_left_out_is_said(likeness, world, tmp_path):
    folder = tmp_path / "people"
    shutil.copytree(world.strangers, folder)
    (folder / "bob" / "1.png").write_bytes(b"no image")
    said = likeness("sanity", world.workdir, "--data", folder, "--methods", "gradient", "-o", tmp_path / "sanity")
    assert said.code == 0, said.err
    assert "1 file was skipped (bob/1.png: it is not" in said.out
    assert "--images is 16 and there are 8: all were looked at" in said.out
    # On a slow machine lines in between say how far it is.
    said_first = [line for line in said.err.splitlines() if " of " not in line]
    assert said_first == ["reading images", "looking at the trained network", "giving layers random weights"]
