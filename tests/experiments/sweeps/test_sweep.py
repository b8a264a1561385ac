"""``likeness.sweep``: what a notebook does."""

import json
from pathlib import Path

import pytest
from toy import Toy, toy_run

import likeness
from likeness.experiments.sweeps.rungs import SuccessiveHalving
from likeness.experiments.training.interruption import Interrupted
from likeness.research.errors import UserError

pytestmark = pytest.mark.end_to_end
RATE = "optimizer.schedule.peak_lr"


@pytest.mark.slow
def test_the_best_comes_first_and_a_sweep_goes_on(tmp_path: Path) -> None:
    run = toy_run(steps=3)
    swept = likeness.sweep(run, {RATE: (0.01, 0.03), "seed": (0,)}, tmp_path, metric="toy/score")
    # Gradient descent on a linear cost: the larger the step, the lower the weights.
    assert [each.override[RATE] for each in swept.runs] == [0.03, 0.01]
    assert swept.best.metrics["toy/score"] < swept.runs[1].metrics["toy/score"]
    assert {each.status for each in swept.runs} == {"finished"}
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"sweep.json", "sweep.md", "sweep.png"}
    overrides = [{RATE: rate, "seed": 0} for rate in (0.01, 0.03)]
    highest = likeness.sweep(run, overrides, tmp_path, metric="toy/score", mode="max")
    assert highest.runs == swept.runs[::-1]


@pytest.mark.slow
def test_what_was_stopped_and_what_failed_is_told(tmp_path: Path) -> None:
    run = toy_run(experiment=Toy(), steps=4)
    halving = SuccessiveHalving(eta=2, first=2, metric="toy/score")
    swept = likeness.sweep(run, {RATE: (0.01, 0.03)}, tmp_path / "halved", halving=halving, vmap="no")
    assert [each.status for each in swept.runs] == ["finished", "stopped"]
    short = toy_run(experiment=Toy(curve=(1.0,)), steps=4)
    failed = likeness.sweep(short, {"seed": (0,)}, tmp_path / "failed")
    assert failed.runs[0].status == "failed" and "IndexError" in failed.runs[0].why
    with pytest.raises(UserError, match=r"No run of the sweep in .* is finished: IndexError"):
        _ = failed.best


def test_a_sweep_that_is_stopped_writes_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*given: object, **how: object) -> None:
        raise Interrupted("Stopped by SIGTERM")

    monkeypatch.setattr("likeness.experiments.sweeps.sweep.make_runs", stop)
    with pytest.raises(Interrupted):
        likeness.sweep(toy_run(), {"seed": (0, 1)}, tmp_path)
    assert [each["status"] for each in json.loads((tmp_path / "sweep.json").read_text())["runs"]] == ["not started"] * 2


def test_what_excludes_each_other_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exclude each other"):
        likeness.sweep(toy_run(), {"seed": (0, 1)}, tmp_path, vmap="yes", jobs=2)
    with pytest.raises(UserError, match="W&B takes one run at a time"):
        likeness.sweep(toy_run(), {"seed": (0, 1)}, tmp_path, vmap="yes", trackers=("wandb",))
    with pytest.raises(UserError, match="has no runs"):
        likeness.sweep(toy_run(), [], tmp_path)
    with pytest.raises(UserError, match="no field"):
        likeness.sweep(toy_run(), {"sed": (0, 1)}, tmp_path)
    assert not list(tmp_path.iterdir())
