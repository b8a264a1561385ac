"""``likeness visualize``, of a trained recognizer and of what cannot be looked at."""

import json
import shutil

import pytest
from PIL import Image

pytestmark = pytest.mark.end_to_end


@pytest.mark.slow
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


@pytest.mark.slow
def test_images_of_ones_own_are_looked_at(likeness, world, tmp_path):
    said = likeness("visualize", world.workdir, "--data", world.strangers, "--units", "1", "-o", tmp_path / "units")
    assert said.code == 0, said.err
    told = json.loads((tmp_path / "units" / "units.json").read_text())
    names = {patch["image"].split("/")[0] for unit in told["relu4"]["units"] for patch in unit["patches"]}
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


CLASSIFIER = '''"""Tells signals apart."""

from likeness.experiments.classification import Classification
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.optim.schedules import Constant
from likeness.research.data import Ecg
from likeness.research.encoders import Conv4


def get_config() -> Run:
    return Run(
        experiment=Classification(
            data=Ecg(train=16, validation=8, test=8, length=256),
            encoder=Conv4(spatial_dims=1, width=4, dimension=4, normalize=False),
            batch=8,
        ),
        steps=2,
        optimizer=Adam(schedule=Constant(peak_lr=1e-3)),
        checkpoints=Checkpoints(every=2),
    )
'''


@pytest.mark.slow
def test_a_classifier_of_signals_is_looked_into(likeness, tmp_path):
    config, workdir = tmp_path / "signals.py", tmp_path / "run"
    config.write_text(CLASSIFIER)
    assert likeness("train", config, "--workdir", workdir).code == 0
    said = likeness("visualize", workdir, "--units", "2", "--k", "2", "--layers", "relu2")
    assert said.code == 0, said.err
    assert "relu2: 4 units, each of 8 samples" in said.out
    told = json.loads((workdir / "figures" / "units" / "units.json").read_text())
    assert told["relu2"]["units"][0]["favorite"] in ("normal", "premature ventricular", "atrial fibrillation", "tachycardia")
    refused = likeness("visualize", workdir, "--data", tmp_path)
    assert refused.code == 2 and "has learned from examples of 1 axes" in refused.err


@pytest.mark.slow
def test_what_is_left_out_or_cut_is_said(likeness, world, tmp_path):
    folder = tmp_path / "people"
    shutil.copytree(world.strangers, folder)
    damaged = folder / "bob" / "1.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    flags = ("--units", "500", "--k", "20", "--images", "100", "--layers", "relu1", "-o", tmp_path / "units")
    said = likeness("visualize", world.workdir, "--data", folder, *flags)
    assert said.code == 0, said.err
    assert "1 file was skipped (bob/1.png: it is damaged" in said.out
    assert "--units is 500 and relu1 has 8, " in said.out
    assert "--k is 20 and there are 8 examples, of each of which one patch is kept: a unit has at most 8" in said.out
    assert "--images is 100 and there are 8: all were looked at" in said.out
    quiet = likeness("visualize", world.workdir, "--data", world.strangers, "--units", "1", "-o", tmp_path / "units")
    assert "--" not in quiet.out and "skipped" not in quiet.out
    # Its layers have 8 units, fewer than the 12 that are drawn where nobody says how many.
    unsaid = likeness("visualize", world.workdir, "--data", world.strangers, "--layers", "relu1", "-o", tmp_path / "units")
    assert unsaid.code == 0
    assert "--units" not in unsaid.out


@pytest.mark.slow
def test_where_nothing_is_trained_the_encoder_that_comes_with_likeness_is_looked_into(likeness, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = likeness("visualize", "--images", "8", "--units", "2", "--k", "2", "--layers", "relu2_1", "--size", "48")
    assert said.code == 0, said.err
    assert "the encoder that comes with Likeness (textures) is looked into" in said.err
    told = json.loads((tmp_path / "runs" / "visualize" / "textures" / "units.json").read_text())
    assert len(told["relu2_1"]["units"]) == 64
