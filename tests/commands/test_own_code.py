"""From an empty directory with a config and a module of one's own: every command, each from another directory."""

import json
import sys
from pathlib import Path

import pytest
from forgetful import new_process
from small_world import Likeness, World

pytestmark = pytest.mark.end_to_end

CONFIG = """
import dataclasses
from my_parts import Small, Wide
from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.protocols import Verification
from likeness.experiments.run import Run
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.sweeps import product
from likeness.research.data import CountSplit, Folder, IdentityBatches


@dataclasses.dataclass(frozen=True)
class Slow(Constant):
    pass


def get_config() -> Run:
    return Run(
        experiment=Recognition(
            data=Folder(path={path!r}, size=16, channels=3),
            split=CountSplit(validation=6, test=4),
            batches=IdentityBatches(people=3, images=2),
            encoder=Small(features=8),
            loss=Wide(margin=0.3),
            validation=(),
            test=(Verification(fars=(0.1,)),),
            target_far=0.05,
        ),
        steps=2,
        optimizer=Adam(schedule=Slow(peak_lr=3e-3)),
        log_every=1,
    )


def sweep():
    return product({{"seed": (0, 1)}})
"""
PARTS = """
import dataclasses
import flax.linen as nn
from likeness.research.losses import Triplet


class Small(nn.Module):
    features: int = 8

    @nn.compact
    def __call__(self, images, train=False):
        from my_layers import flat

        return {"embedding": nn.Dense(self.features)(flat(images))}


@dataclasses.dataclass(frozen=True)
class Wide(Triplet):
    pass
"""


@pytest.fixture
def typed(tmp_path: Path, likeness: Likeness, monkeypatch: pytest.MonkeyPatch):
    """Types a command in a directory of its own, as a new process: nothing of one's own is loaded any more."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    places = iter(range(100))

    def type_in(*arguments: object):
        place = tmp_path / "places" / str(next(places))
        place.mkdir(parents=True)
        monkeypatch.chdir(place)
        with new_process():
            assert "my_parts" not in sys.modules
            return likeness(*arguments)

    return type_in


@pytest.fixture
def config(tmp_path: Path, world: World) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "my_parts.py").write_text(PARTS)
    (folder / "my_layers.py").write_text("def flat(images):\n    return images.reshape(len(images), -1)\n")
    (folder / "my_config.py").write_text(CONFIG.format(path=str(world.people)))
    return folder / "my_config.py"


@pytest.mark.slow
def test_a_run_of_ones_own_code_can_be_used_from_anywhere(config: Path, typed: Likeness, world: World, tmp_path: Path) -> None:
    run, sheet = tmp_path / "run", tmp_path / "report.html"
    said = typed("train", config, "--workdir", run)
    assert said.code == 0, said.err
    images = sorted(world.strangers.rglob("*.png"))
    for command in (
        ("verify", *images[:2], "--model", run),
        ("evaluate", run),
        ("report", run, "--out", sheet),
        ("enroll", "add", "ada", images[0], "--model", run),
        ("identify", images[1], "--model", run),
        ("weights", "export", run, tmp_path / "mine.npz"),
        ("train", config, "--workdir", run, "--steps", 3),
    ):
        said = typed(*command)
        assert said.code == 0, (command, said.err)
    assert "my_parts.py" in sheet.read_text()
    (change,) = (run / "changes.jsonl").read_text().splitlines()
    assert json.loads(change) == {"step": 2, "changed": ["steps: 2 → 3"]}


@pytest.mark.slow
def test_a_strangers_run_is_read_without_its_code(
    config: Path, typed: Likeness, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    assert typed("train", config, "--workdir", run).code == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    pair = sorted(world.strangers.rglob("*.png"))[:2]
    refused = typed("verify", *pair, "--model", run)
    assert refused.code == 2 and "my_parts.py" in refused.err and "--trust-code" in refused.err
    assert typed("report", run).code == 0
    assert typed("verify", *pair, "--model", run, "--trust-code").code == 0
    config_json = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config_json | {"type": "antigravity.Run"}))
    assert typed("evaluate", run, "--trust-code").code == 2
    assert typed("report", run).code == 0 and "antigravity" not in sys.modules


@pytest.mark.slow
def test_a_sweep_of_ones_own_code(config: Path, typed: Likeness, world: World, tmp_path: Path) -> None:
    said = typed("sweep", config, "--workdir", tmp_path / "sweep", "--vmap", "yes")
    assert said.code == 0, said.err
    pair = sorted(world.strangers.rglob("*.png"))[:2]
    assert typed("verify", *pair, "--model", tmp_path / "sweep" / "seed=1").code == 0
    parts = config.parent / "my_parts.py"
    parts.write_text(parts.read_text() + "\n# Better.\n")
    again = typed("sweep", config, "--workdir", tmp_path / "sweep", "--vmap", "yes")
    assert again.code == 0 and "seed=0 was made with other code of yours (code/my_parts.py" in again.err


@pytest.mark.slow
def test_a_sweep_of_ones_own_code_in_processes(config: Path, typed: Likeness, tmp_path: Path) -> None:
    said = typed("sweep", config, "--workdir", tmp_path / "sweep", "--jobs", 2)
    assert said.code == 0, said.err
    assert typed("evaluate", tmp_path / "sweep" / "seed=0").code == 0
