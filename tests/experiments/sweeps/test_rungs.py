"""Successive halving: who goes on, who is stopped, and that nobody who goes on notices."""

import itertools
import json
import math
import threading
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from listener import Listener, terminate
from pixels import Pixels, eight_steps

from likeness.experiments.display.progress import Quiet
from likeness.experiments.run import Checkpoints
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.sweeps import product
from likeness.experiments.sweeps.members import Member, Stopped, members, note_rung, outcome, write_results
from likeness.experiments.sweeps.report import deciding, fitted, ranked, table, write_markdown
from likeness.experiments.sweeps.rungs import SuccessiveHalving
from likeness.experiments.sweeps.runner import make_runs
from likeness.experiments.training.evaluation import restore
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError

RATES = product({"optimizer.schedule.peak_lr": (0.001, 0.1, 0.01, 0.03)})
HALVE = SuccessiveHalving(eta=2, first=3)
"""Rungs at 3 and 6 of 8 steps: four runs, two, one."""


def plan(root: Path, overrides: Any = RATES, **changes: Any) -> list[Member]:
    return members(eight_steps(**changes), overrides, root)


def make(made: list[Member], root: Path, vmap: Any = "no", halving: SuccessiveHalving | None = HALVE, say: Any = None) -> None:
    make_runs(made, root, vmap=vmap, jobs=1, say=say or Quiet(), halving=halving)


def logged(member: Member) -> list[dict[str, Any]]:
    return read_metrics(member.workdir / "metrics.jsonl")


@pytest.mark.parametrize("runs", [1, 2, 5, 9, 12, 27])
@pytest.mark.parametrize("eta", [2, 3, 4])
def test_rungs_end_with_one_run(runs: int, eta: int) -> None:
    """Equal factors between them; by default the last that is left trains η times as long as those stopped last."""
    halving, steps = SuccessiveHalving(eta=eta), 10_000
    rungs = halving.rungs(runs, steps)
    left = runs
    for _ in rungs:
        left = halving.kept(left)
    assert left == 1 and all(one * eta == other for one, other in itertools.pairwise(rungs))
    if rungs:
        assert rungs[-1] <= steps / eta and steps - rungs[-1] * eta < eta ** len(rungs)
    if runs == eta ** len(rungs):
        ends = [*rungs, steps]
        taken = sum(runs * eta**-i * (end - begin) for i, (begin, end) in enumerate(zip([0, *rungs], ends, strict=True)))
        assert taken == pytest.approx(steps * (1 + len(rungs) * (1 - 1 / eta)), rel=0.05)


def test_wrong_rungs_say_what_to_do(tmp_path: Path) -> None:
    assert SuccessiveHalving(eta=3, first=40).rungs(9, 100) == (40,)
    with pytest.raises(UserError, match="smaller --first-rung"):
        SuccessiveHalving(first=100).rungs(9, 100)
    with pytest.raises(ValueError, match="eta is 1"):
        SuccessiveHalving(eta=1)
    with pytest.raises(ValueError, match="first is 0"):
        SuccessiveHalving(first=0)
    with pytest.raises(UserError, match="from 4 to 8 steps"):
        make(plan(tmp_path, product({"steps": (4, 8)})), tmp_path)


def test_places_are_read_aloud() -> None:
    said = [str(Stopped(100, place, 30)).split()[3] for place in (1, 2, 3, 4, 11, 12, 13, 21, 22)]
    assert said == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd"]
    assert str(Stopped(100, 7, 9)) == "at step 100, 7th of 9"


def evaluated(root: Path, values: Any) -> list[Member]:
    """Runs that stand at step 3 with these values."""
    made = plan(root, product({"seed": range(len(values))}))
    for member, value in zip(made, values, strict=True):
        note_rung(member.workdir, 3, {"other": 0.0} | ({} if value is None else {"eer": value}), 1.5)
    return made


def test_the_best_go_on_and_equals_as_they_came(tmp_path: Path) -> None:
    values = (0.4, 0.1, 0.3, 0.1, 0.1, 0.9)
    made = evaluated(tmp_path, values)
    kept = SuccessiveHalving(eta=3, metric="eer").survivors(made, 3, Quiet())
    assert [member.name for member in kept] == ["seed=1", "seed=3"]
    assert made[4].stopped == Stopped(3, 3, 6) and made[5].became == "stopped at step 3, 6th of 6"
    highest = SuccessiveHalving(eta=3, metric="eer", mode="max").survivors(evaluated(tmp_path, values), 3, Quiet())
    assert [member.name for member in highest] == ["seed=0", "seed=5"]


def test_who_failed_or_has_no_number_does_not_go_on(tmp_path: Path) -> None:
    """Both count among those that came: of six, three are kept at most."""
    made = evaluated(tmp_path, (0.4, None, 0.3, 0.1, None, 0.9))
    made[3].status = "failed"
    kept = SuccessiveHalving(eta=2, metric="eer").survivors(made, 3, Quiet())
    assert [member.name for member in kept] == ["seed=0", "seed=2", "seed=5"]
    assert made[3].stopped is None and made[1].stopped == Stopped(3, 4, 6)
    few = evaluated(tmp_path / "few", (None, None, None, 0.5))
    assert [member.name for member in SuccessiveHalving(eta=2, metric="eer").survivors(few, 3, Quiet())] == ["seed=3"]
    dead = evaluated(tmp_path / "dead", (0.1, 0.2))
    for member in dead:
        member.status = "failed"
    assert SuccessiveHalving(eta=2).survivors(dead, 3, Quiet()) == []


def test_who_is_beyond_a_rung_goes_on_uncompared(tmp_path: Path) -> None:
    made = evaluated(tmp_path, (0.4, 0.1, 0.3))
    (made[0].workdir / "rungs.json").unlink()
    (made[0].workdir / "checkpoints" / "5").mkdir(parents=True)
    kept = SuccessiveHalving(eta=2, metric="eer").survivors(made, 3, Quiet())
    assert [member.name for member in kept] == ["seed=0", "seed=1"] and made[2].stopped == Stopped(3, 2, 2)


def test_a_metric_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No run reports 'auc'.*choose one of eer, other"):
        SuccessiveHalving(metric="auc").survivors(evaluated(tmp_path, (0.1, 0.2)), 3, Quiet())
    made = plan(tmp_path / "none", product({"seed": (0, 1)}))
    for member in made:
        note_rung(member.workdir, 3, {}, 1.0)
    with pytest.raises(UserError, match="reports no number"):
        SuccessiveHalving().survivors(made, 3, Quiet())


@pytest.mark.slow
@pytest.mark.end_to_end
def test_a_run_stopped_on_the_way_goes_on_to_the_bit(tmp_path: Path) -> None:
    """Stopped where nothing is due, between the lines of the log; evaluated there, and nothing of that is logged."""
    run = eight_steps(log_every=4, evaluate_every=4, checkpoints=Checkpoints(every=5, best_metric="pixels/rmse"))
    whole = train(run, tmp_path / "whole")
    stopped = train(run, tmp_path / "parts", until=3)
    assert stopped.state.step == 3 and "pixels/rmse" in stopped.evaluation.metrics
    assert stopped.evaluation.artifacts["palette"] == {"part": "validation"}
    assert not (tmp_path / "parts" / "summary.json").exists() and not read_metrics(tmp_path / "parts" / "metrics.jsonl")
    again = train(run, tmp_path / "parts", until=3)
    assert again.evaluation.metrics == stopped.evaluation.metrics
    parts = train(run, tmp_path / "parts")
    jax.tree.map(np.testing.assert_array_equal, (whole.state, whole.variables), (parts.state, parts.variables))
    first, second = (read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "parts"))
    assert first == second
    with pytest.raises(UserError, match="is of step 8, beyond the 3 steps"):
        train(run, tmp_path / "parts", until=3)


@pytest.mark.slow
@pytest.mark.end_to_end
def test_survivors_are_what_they_are_without_halving(tmp_path: Path) -> None:
    """To the bit, and who was stopped is so too once it goes on; what was stopped says so and was never tested."""
    whole, made = plan(tmp_path / "whole"), plan(tmp_path / "halved")
    make(whole[1::2], tmp_path / "whole", halving=None)
    make(made, tmp_path / "halved")
    assert [member.status for member in made] == ["stopped", "finished", "stopped", "stopped"]
    assert [member.latest for member in made] == [3, 8, 3, 6]
    assert made[0].stopped == Stopped(3, 4, 4) and made[3].stopped == Stopped(6, 2, 2)
    assert not any((member.workdir / "summary.json").exists() for member in made if member.stopped)

    found = [outcome(member) for member in made]
    metric = deciding(made[0].run, found, None)
    rows = table(made, ranked(made, found, metric, "min"), found, metric)
    assert [row[0] for row in rows] == ["peak_lr", "0.1", "0.03", "0.01", "0.001"]
    assert rows[2][1] == "" and float(rows[2][2]) >= 0 and rows[2][3] == "stopped at step 6, 2nd of 2"
    write_markdown(tmp_path / "sweep.md", rows, made, metric)
    assert "compared on the validation part" in (tmp_path / "sweep.md").read_text()
    written = json.loads(write_results(made, tmp_path).read_text())["runs"]
    assert written[0]["stopped"] == {"step": 3, "place": 4, "entered": 4} and written[0]["metrics"] == {}
    assert written[3]["rungs"].keys() == {"3", "6"}

    # Launched again, nothing is left to do; without halving, those that were stopped go on.
    listener, same = Listener(), plan(tmp_path / "halved")
    make(same, tmp_path / "halved", say=listener)
    assert [member.became for member in same][:1] == ["stopped at step 3, 4th of 4"]
    assert not any(text.startswith("training") for text in listener.said)
    make(same[1::2], tmp_path / "halved", halving=None)
    for one, other in zip(whole[1::2], same[1::2], strict=True):
        jax.tree.map(np.testing.assert_array_equal, restore(one.workdir, one.run), restore(other.workdir, other.run))
        assert logged(one) == logged(other) and other.status == "finished"
    # Who has finished is not stopped any more.
    make(same, tmp_path / "halved")
    assert [member.status for member in same] == ["stopped", "finished", "stopped", "finished"]


@pytest.mark.slow
@pytest.mark.end_to_end
def test_together_rows_that_lose_are_dropped_and_an_interruption_changes_nothing(tmp_path: Path) -> None:
    """The survivors go on as a smaller program, each what it is alone.

    So they do after interruptions before the first rung, and between it and the second.
    """
    listener, whole, made = Listener(), plan(tmp_path / "whole"), plan(tmp_path / "parts")
    make(whole, tmp_path / "whole", vmap="yes", say=listener)
    assert [member.status for member in whole] == ["stopped", "finished", "stopped", "stopped"]
    assert [member.how for member in whole] == ["vmapped with 3", "sequential", "vmapped with 3", "vmapped with 1"]
    assert any(text.startswith("step 3: 2 of 4 runs go on; the best") for text in listener.said)
    alone = train(whole[1].run, tmp_path / "alone")
    step, variables = restore(whole[1].workdir, whole[1].run)
    assert step == 8
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), variables, alone.variables)

    for at in (1, 4):
        with pytest.raises(Interrupted, match=f"SIGTERM at step {at + 1} of 8"):
            make(made, tmp_path / "parts", vmap="yes", say=Listener(at, terminate))
    assert [member.became for member in made][:2] == ["stopped at step 3, 4th of 4", "not finished, at step 5"]
    make(made, tmp_path / "parts", vmap="yes")
    for one, other in zip(whole, made, strict=True):
        assert (one.status, one.stopped) == (other.status, other.stopped)
        assert {step: rung.metrics for step, rung in one.rungs.items()} == {s: rung.metrics for s, rung in other.rungs.items()}
        assert logged(one) == logged(other)
        state = [CheckpointStore(m.workdir / "checkpoints", m.run.checkpoints, reading=True) for m in (one, other)]
        jax.tree.map(np.testing.assert_array_equal, *(store.load_variables(one.latest) for store in state))
        for store in state:
            store.close()


@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.parametrize("vmap", ["yes", "no"])
def test_a_failure_in_a_rung_is_no_survivor(vmap: Any, tmp_path: Path) -> None:
    """A rate at which the loss is no number; of three with η = 3 one goes on, and it is not that one."""
    made = plan(tmp_path, product({"optimizer.schedule.peak_lr": (1e38, 0.1, 0.001)}))
    make(made, tmp_path, vmap=vmap, halving=SuccessiveHalving(eta=3, first=4), say=Listener())
    assert [member.status for member in made] == ["failed", "finished", "stopped"]
    assert made[2].stopped == Stopped(4, 2, 3) and "is not finite" in made[0].why


@pytest.mark.slow
@pytest.mark.end_to_end
def test_processes_are_halved_and_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM to the sweep alone: its processes write checkpoints, and the same sweep goes on from them."""
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    # Ten seconds before the rung, in which the slower of two processes takes its first steps on any machine.
    slow = Pixels(size=4, pause=0.05)
    made = plan(tmp_path, RATES[1:3], experiment=slow, steps=300, log_every=5, checkpoints=Checkpoints(every=300))
    halving = SuccessiveHalving(eta=2, first=200)

    def stop() -> None:
        while not all(logged(member) for member in made):
            time.sleep(0.1)
        terminate()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(Interrupted, match="Stopped by SIGTERM: the same command goes on"):
        make_runs(made, tmp_path, vmap="auto", jobs=2, say=Quiet(), halving=halving)
    stopper.join()
    assert all(0 < member.latest < 200 for member in made)
    assert all(member.became.startswith("not finished, at step") for member in made)
    make_runs(made, tmp_path, vmap="auto", jobs=2, say=Quiet(), halving=halving)
    assert sorted(member.became[:25] for member in made) == ["finished, in a process", "stopped at step 200, 2nd "]


def test_a_wide_table_keeps_what_matters() -> None:
    rows = [
        ["rate", "eer", "seconds", "status", "auc", "a/long/name"],
        ["0.1", "0.05", "1.0", "finished, alone", "0.9", "1"],
    ]
    assert [len(fitted(rows, width)[0]) for width in (10, 44, 45, 60, 200)] == [4, 4, 5, 6, 6]
    assert math.isclose(float(fitted(rows, 10)[1][1]), 0.05)
