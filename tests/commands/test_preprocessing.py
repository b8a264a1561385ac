"""Files asked about by a model of arrays, typed: what its network has apart is not called the same, or nothing is answered."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.experiments.preprocessing import ModelInputs
from likeness.experiments.recognition.recognizer import Recognizer

pytestmark = pytest.mark.end_to_end

CONFIG = '''"""Tells tall patterns apart.

likeness train tall.py
"""

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.protocols import Verification
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.optim.schedules import Constant
from likeness.research.data import Arrays, CountSplit, IdentityBatches, Preprocessing
from likeness.research.encoders import Conv4
from likeness.research.losses import BatchAll, Triplet


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Arrays(path={path!r}),
            preprocessing={stated},
            split=CountSplit(validation=4, test=2),
            batches=IdentityBatches(people=3, images=3),
            encoder=Conv4(width=4, dimension=4, head="flatten"),
            loss=Triplet(margin=0.3, rule=BatchAll(), reduction="mean_active"),
            validation=(),
            test=(Verification(fars=(0.1,)),),
            target_far=0.1,
        ),
        steps={steps},
        optimizer=Adam(schedule=Constant(peak_lr=1e-3)),
        checkpoints=Checkpoints(every=2),
    )
'''


def write(config: Path, arrays: Path, stated: str, steps: int) -> Path:
    config.write_text(CONFIG.format(path=str(arrays), stated=stated, steps=steps))
    return config


@pytest.mark.slow
def test_arrays_refuse_files_until_it_is_stated_how_they_become_images(likeness, tmp_path):
    arrays = np.random.default_rng(0).integers(0, 256, (9, 4, 32, 24, 1), np.uint8)
    np.savez(tmp_path / "tall.npz", images=arrays.reshape(-1, 32, 24, 1), labels=np.arange(9).repeat(4))
    files = [tmp_path / f"{number}.png" for number in range(2)]
    for number, file in enumerate(files):
        Image.fromarray(arrays[number, 0, :, :, 0]).save(file)
    where, config = ("--workdir", tmp_path / "run"), tmp_path / "tall.py"
    said = likeness("train", write(config, tmp_path / "tall.npz", "None", 2), *where)
    assert said.code == 0, said.err
    assert "next:    state the experiment's `preprocessing` in the config" in said.out
    for command in (("verify", *files), ("enroll", "add", "Ada", *files)):
        said = likeness(*command, "--model", tmp_path / "run")
        assert said.code == 2 and "nothing says how an image file becomes one of them" in said.err
        assert '`preprocessing=Preprocessing(size=(32, 24), channels=1, fit="exact")`' in said.err
    said = likeness("visualize", tmp_path / "run", "--data", tmp_path)
    assert said.code == 2 and "nothing says how an image file becomes one of them" in said.err

    stated = "Preprocessing(size=(32, 24), channels=1, fit='exact')"
    said = likeness("train", write(config, tmp_path / "tall.npz", stated, 3), *where)
    assert said.code == 0, said.err
    recognizer = Recognizer.load(tmp_path / "run")
    assert ModelInputs.load(tmp_path / "run").preprocessing == recognizer.experiment.preprocessing
    codes = recognizer.embed(arrays[:2, 0])
    expected = float(recognizer.embedder.distance(codes[:1], codes[1:])[0, 0])
    assert recognizer.verify(*files).distance == expected
    said = likeness("verify", *files, "--model", tmp_path / "run")
    assert said.code == 0, said.err
    hardest = [tmp_path / "run" / "figures" / "mistakes" / f"different_1_{letter}.png" for letter in "ab"]
    assert likeness("verify", *hardest, "--model", tmp_path / "run").code == 0

    said = likeness("train", write(config, tmp_path / "tall.npz", "Preprocessing(size=(32, 32), channels=1)", 4), *where)
    assert (
        said.code == 2
        and "Recognition.preprocessing makes images of 32 × 32 × 1, and those of Arrays are 32 × 24 × 1" in said.err
    )
