"""Data that change under a run: what `train` and `evaluate` say, and the flags that they name."""

import json
from pathlib import Path

import numpy as np
import pytest

from likeness.experiments.commands.main import run

pytestmark = pytest.mark.end_to_end

CONFIG = """
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.protocols import Verification
from likeness.experiments.run import Checkpoints, Run
from likeness.research.data import Arrays, HashSplit, Shuffled
from likeness.research.encoders import Conv4
from likeness.research.losses import Triplet

def get_config():
    experiment = Recognition(
        data=Arrays(path="faces.npz"),
        split=HashSplit(validation=0.3, test=0.3),
        batches=Shuffled(8),
        encoder=Conv4(width=4, dimension=4),
        loss=Triplet(),
        test=(Verification(),),
    )
    return Run(experiment=experiment, steps=2, log_every=1, checkpoints=Checkpoints(every=1))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CONFIG)


def write(*, brighter: str = ""):
    """Faces of ten people; those of one are other images."""
    names = [f"p{number}" for number in range(10) for _ in range(2)]
    pixels = np.random.default_rng(0).integers(0, 200, (20, 16, 16), dtype=np.uint8)
    pixels[[name == brighter for name in names]] += 1
    np.savez("faces.npz", images=pixels, labels=names)


@pytest.mark.slow
def test_training_data_that_change_are_refused_and_test_data_are_noted(capsys):
    from likeness.experiments.config import load

    write()
    data = load("mine.py").experiment.open()
    assert run(["train", "mine.py"]) == 0
    write(brighter=data.test.people[0])
    assert run(["train", "mine.py"]) == 0
    assert "warning: test images changed" in capsys.readouterr().err.replace("\n", " ")
    write(brighter=data.train.people[0])
    for command in (["train", "mine.py"], ["train", "mine.py", "--steps", "3"], ["evaluate", "runs/mine"]):
        assert run(command) == 2
        said = capsys.readouterr().err
        assert "training images" in said and "--accept-changed-inputs" in said
        assert ("--fresh" in said) == (command[0] == "train")
    assert run(["evaluate", "runs/mine", "--accept-changed-inputs"]) == 0
    assert "training images" in json.loads(Path("runs/mine/summary.json").read_text())["notes"][-1]
    assert run(["train", "mine.py", "--steps", "3", "--accept-changed-inputs"]) == 0
    kept = [json.loads(line) for line in Path("runs/mine/changes.jsonl").read_text().splitlines()]
    assert any("inputs.training.training images" in change for line in kept for change in line["changed"])
    assert run(["train", "mine.py", "--fresh"]) == 0
    assert Path("runs/mine-2/summary.json").exists()
