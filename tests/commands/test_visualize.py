"""``likeness visualize``, of a trained recognizer and of what cannot be looked at."""

import json

import pytest
from PIL import Image

pytestmark = pytest.mark.end_to_end


def test_a_working_directorys_units_are_drawn(likeness, world, tmp_path):
    said = likeness(
        "visualize", world.workdir, "--units", "3", "--k", "4", "--layers", "relu1", "relu3", "-o", tmp_path / "units"
    )
    assert said.code == 0, said.err
    assert "relu3: 8 units" in said.out
    told = json.loads((tmp_path / "units" / "units.json").read_text())
    assert set(told) == {"relu1", "relu3"} and len(told["relu3"]["units"]) == 8
    with Image.open(tmp_path / "units" / "layers.png") as whole, Image.open(tmp_path / "units" / "relu3.png") as one:
        assert whole.height > one.height


def test_pictures_of_ones_own_are_looked_at(likeness, world, tmp_path):
    said = likeness("visualize", world.workdir, "--data", world.strangers, "--units", "1", "-o", tmp_path / "units")
    assert said.code == 0, said.err
    told = json.loads((tmp_path / "units" / "units.json").read_text())
    names = {patch["picture"].split("/")[0] for unit in told["relu4"]["units"] for patch in unit["patches"]}
    assert names <= {"ada", "bob", "cyd"} and names


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--units", "0"), "--units is 0"),
        (("--layers", "relu9"), "no layer 'relu9' with maps: choose of"),
        (("--size", "64"), "leave out --size"),
        (("--data", "nowhere"), "There is no folder nowhere"),
    ],
)
def test_what_cannot_be_looked_at_is_explained(likeness, world, flags, message):
    said = likeness("visualize", world.workdir, *flags)
    assert said.code == 2
    assert message in said.err
