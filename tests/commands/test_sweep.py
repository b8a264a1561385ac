"""``likeness sweep``: what it makes, what it leaves, and what it refuses."""

import json
from pathlib import Path

import pytest
from PIL import Image
from small_world import Likeness, World

pytestmark = pytest.mark.end_to_end

CONFIG = """
from small_world_config import get_config as once
from likeness.experiments.sweeps import product

def get_config():
    return once()

def sweep():
    return product({"optimizer.schedule.peak_lr": (1e-3, 3e-3)})
"""


@pytest.mark.slow
def test_a_sweep_leaves_recognizers_and_a_comparison(world: World, likeness: Likeness, tmp_path: Path) -> None:
    """The config's own sweep(), trained together; launched again, nothing is left to do."""
    (tmp_path / "small_world_config.py").write_text(world.config.read_text())
    config, root = tmp_path / "swept.py", tmp_path / "sweep"
    config.write_text(CONFIG)
    command = ("sweep", config, "--workdir", root, "--vmap", "yes", "--steps", 4, "--experiment.loss.margin", 0.4)
    said = likeness(*command)
    assert said.code == 0, said.err
    assert "peak_lr" in said.out and "vmapped with 1" in said.out
    runs = json.loads((root / "sweep.json").read_text())["runs"]
    assert [run["override"] for run in runs] == [{"optimizer.schedule.peak_lr": 0.001}, {"optimizer.schedule.peak_lr": 0.003}]
    assert all(run["status"] == "finished" and run["metrics"]["verification/eer"]["n"] > 0 for run in runs)
    assert "| peak_lr |" in (root / "sweep.md").read_text()
    with Image.open(root / "sweep.png") as figure:
        assert figure.width > 500
    images = sorted(world.people.rglob("*.png"))[:2]
    answer = likeness("verify", *images, "--model", runs[0]["workdir"])
    assert answer.code == 0, answer.err
    again = likeness(*command)
    assert again.code == 0 and "2 of 2 runs are finished already" in again.err
    table = (root / "sweep.md").read_text()
    other = likeness(*command, "--optimizer.clip-norm", 0.5)
    assert other.code == 2 and "holds a run of another config" in other.err
    assert (root / "sweep.md").read_text() == table
    assert "holds a sweep: give the directory of one of its runs" in likeness("evaluate", root).err


@pytest.mark.slow
def test_runs_are_stopped_early_and_go_to_a_board(world: World, likeness: Likeness, tmp_path: Path) -> None:
    """By a metric of which the highest is best, trained together; the config's validation part is given a measure."""
    pytest.importorskip("tensorboardX")
    config = tmp_path / "validated.py"
    config.write_text(world.config.read_text().replace("validation=()", "validation=(Verification(),)"))
    flags = ("--metric", "verification/auc", "--mode", "max", "--log-to", "tensorboard", "--vmap", "yes")
    over = ("--over", "optimizer.schedule.peak_lr=1e-3,3e-3,1e-2", "--steps", 6)
    said = likeness("sweep", config, "--workdir", tmp_path / "sweep", *over, "--halve", 3, *flags)
    assert said.code == 0, said.err
    assert "step 2: 1 of 3 runs go on" in said.err
    runs = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["runs"]
    seen = {run["name"]: run["rungs"]["2"]["metrics"]["verification/auc"]["value"] for run in runs}
    kept = [run["name"] for run in runs if run["status"] == "finished"]
    assert kept == [max(seen, key=lambda name: seen[name])]
    assert sum(run["status"] == "stopped" for run in runs) == 2 and "stopped at step 2, 3rd of 3" in said.out
    assert all(list(Path(run["workdir"], "tensorboard").iterdir()) for run in runs)


@pytest.mark.slow
def test_runs_in_processes_fail_alone(world: World, likeness: Likeness, tmp_path: Path) -> None:
    """Two at a time; the batch of one asks for more people than there are."""
    over = ("--over", "experiment.batches.people=5,500", "--jobs", 2, "--steps", 2)
    said = likeness("sweep", world.config, "--workdir", tmp_path, *over)
    assert said.code == 1
    runs = {run["name"]: run for run in json.loads((tmp_path / "sweep.json").read_text())["runs"]}
    assert runs["people=5"]["status"] == "finished" and runs["people=5"]["how"] == "in a process"
    assert runs["people=500"]["status"] == "failed" and "500" in runs["people=500"]["why"]
    assert "failed: people=500" in said.out


@pytest.mark.parametrize(
    "flags, message",
    [
        ((), "has no sweep(): define one"),
        (("--over", "optimizer.schedule.peak_l=1"), "no field 'peak_l'. Perhaps you mean optimizer.schedule.peak_lr"),
        (("--over", "seed"), "is not FIELD=VALUE,VALUE"),
        (("--over", "seed=0", "--over", "seed=1"), "names seed twice"),
        (("--over", "seed=0,1", "--jobs", "0"), "--jobs is 0"),
        (("--over", "seed=0,1", "--jobs", "2", "--vmap", "yes"), "exclude each other"),
        (("--over", "seed=0,1", "--halve", "1"), "--halve 1 is refused: SuccessiveHalving.eta is 1"),
        (("--over", "seed=0,1", "--first-rung", "5"), "means nothing without --halve"),
        (("--over", "seed=0,1", "--halve", "2", "--first-rung", "40"), "give a smaller --first-rung"),
        (("--over", "seed=0,1", "--halve", "2", "--metric", "verification/auc"), "add --mode min or --mode max"),
        (("--over", "seed=0,1", "--detach"), "means nothing without --slurm"),
        (("--over", "seed=0,1", "--slurm", "partition"), "is not NAME=VALUE"),
        (("--over", "seed=0,1", "--slurm", "partition=a,b"), "give timeout_min=MINUTES"),
        (("--over", "seed=0,1", "--slurm", "timeout_min=5", "--jobs", "2"), "leave --jobs and --vmap out"),
        (("--over", "seed=0,1", "--log-to", "wandb", "--vmap", "yes"), "W&B takes one run at a time"),
    ],
)
def test_a_wrong_sweep_says_what_to_do(flags: tuple[str, ...], message: str, world: World, likeness: Likeness) -> None:
    said = likeness("sweep", world.config, *flags)
    assert said.code == 2
    assert message in said.err
