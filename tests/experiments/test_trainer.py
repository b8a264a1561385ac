"""The trainer, on a picture instead of an encoder: it must not know the difference."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pixels
import pytest
from listener import Listener, terminate

from experiments.bookkeeping import NonFinite
from experiments.checkpoints import CheckpointStore
from experiments.evaluation import evaluate, restore
from experiments.interruption import Interrupted
from experiments.lbfgs import Lbfgs
from experiments.optimizers import Adam, Sgd
from experiments.run import Checkpoints, Run
from experiments.schedules import Constant, WarmupCosine
from experiments.trainer import train
from experiments.workdir import Workdir
from experiments.writers import read_metrics
from research.errors import UserError

pytestmark = pytest.mark.end_to_end


def a_run(**changes: Any) -> Run:
    default: dict[str, Any] = {
        "experiment": pixels.Pixels(),
        "steps": 12,
        "optimizer": Adam(schedule=Constant(rate=0.05)),
        "log_every": 3,
        "checkpoints": Checkpoints(every=5),
    }
    return Run(**(default | changes))


def same(first: Any, second: Any) -> bool:
    return jax.tree.all(jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), first, second))


def losses(workdir: Path) -> list[tuple[int, float]]:
    return [(record["step"], record["loss"]) for record in read_metrics(workdir / "metrics.jsonl")]


def test_adam_and_lbfgs_fit_pixels_and_lbfgs_is_faster(tmp_path: Path) -> None:
    """The one idea: the same trainer differentiates by pixels, with or without a line search."""
    adam = train(a_run(steps=30), tmp_path / "adam")
    lbfgs = train(a_run(steps=30, optimizer=Lbfgs()), tmp_path / "lbfgs")
    first, by_adam, by_lbfgs = losses(adam.workdir)[0][1], losses(adam.workdir)[-1][1], losses(lbfgs.workdir)[-1][1]
    assert by_adam < 0.2 * first
    assert by_lbfgs < 0.1 * by_adam
    assert json.loads((lbfgs.workdir / "summary.json").read_text())["metrics"]["pixels/rmse"] > 0
    assert json.loads((lbfgs.workdir / "palette.json").read_text()) == {"part": "test"}


def test_a_stopped_run_goes_on_to_the_bit(tmp_path: Path) -> None:
    """SIGTERM in the middle of a log interval: a checkpoint, then the same lines and the same parameters."""
    whole = train(a_run(), tmp_path / "whole")
    stopper = Listener(6, terminate)
    with pytest.raises(Interrupted, match="SIGTERM at step 7 of 12"):
        train(a_run(), tmp_path / "parts", reporter=stopper)
    listener = Listener()
    resumed = train(a_run(), tmp_path / "parts", reporter=listener)
    assert "going on from step 7" in listener.said
    assert same(whole.state, resumed.state)
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")


@pytest.mark.parametrize(
    "rhythm",
    [
        {},
        # A best checkpoint falls between two lines of the log.
        {"log_every": 5, "evaluate_every": 2, "checkpoints": Checkpoints(every=7, best_metric="pixels/rmse")},
    ],
)
def test_a_crash_between_checkpoints_repeats_what_was_lost(tmp_path: Path, rhythm: dict[str, Any]) -> None:
    class Crash(Exception):
        pass

    def crash() -> None:
        raise Crash

    run = a_run(**rhythm)
    whole = train(run, tmp_path / "whole")
    with pytest.raises(Crash):
        train(run, tmp_path / "parts", reporter=Listener(at=9, act=crash))
    resumed = train(run, tmp_path / "parts")
    assert same(whole.state, resumed.state)
    assert read_metrics(tmp_path / "whole" / "metrics.jsonl") == read_metrics(tmp_path / "parts" / "metrics.jsonl")


def test_launching_a_finished_run_again_trains_nothing_and_a_longer_one_goes_on(tmp_path: Path) -> None:
    first = train(a_run(), tmp_path)
    again = train(a_run(), tmp_path)
    assert same(first.state, again.state)
    listener = Listener()
    longer = train(a_run(steps=15), tmp_path, reporter=listener)
    assert int(longer.state.step) == 15
    assert "changed since this directory's last launch: steps: 12 → 15" in listener.said
    with pytest.raises(UserError, match="is of step 15, beyond the 12 steps"):
        train(a_run(), tmp_path)


def test_what_changes_is_kept_with_its_step_and_a_finished_run_takes_no_changes(tmp_path: Path) -> None:
    slower = Adam(schedule=Constant(rate=0.01))
    train(a_run(), tmp_path, until=5)
    train(a_run(optimizer=slower), tmp_path)
    lines = [json.loads(line) for line in Workdir(tmp_path).changes.read_text().splitlines()]
    assert lines == [{"step": 5, "changed": ["optimizer.schedule.rate: 0.05 → 0.01"]}]
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(UserError, match=r"has taken all of its 12 steps.*optimizer.schedule.rate: 0.01 → 7.0"):
        train(a_run(optimizer=Adam(schedule=Constant(rate=7.0))), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_fresh_starts_beside_and_deletes_nothing(tmp_path: Path) -> None:
    train(a_run(steps=2), tmp_path / "run")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    second = train(a_run(steps=2), tmp_path / "run", fresh=True)
    assert second.workdir == tmp_path / "run-2"
    assert set(before) <= {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}


@pytest.mark.parametrize("nan_at, where", [(5, "loss")])
def test_a_loss_that_is_no_number_stops_the_run_and_spares_the_checkpoint(tmp_path: Path, nan_at: int, where: str) -> None:
    run = a_run(experiment=pixels.Pixels(nan_at=nan_at), log_every=1, checkpoints=Checkpoints(every=2))
    with pytest.raises(NonFinite, match=rf"Step 4 is not finite, first seen in {where}.*of step 4, is intact"):
        train(run, tmp_path)
    step, variables = restore(tmp_path, run)
    assert step == 4
    assert np.isfinite(variables.params["picture"]).all()


def test_the_running_mean_is_what_is_evaluated_and_saved(tmp_path: Path) -> None:
    trained = train(a_run(ema_decay=0.5), tmp_path)
    assert not same(trained.state.params, trained.state.average)
    _, variables = restore(tmp_path, a_run(ema_decay=0.5))
    assert same(variables.params, trained.state.average)
    assert same(trained.variables.params, trained.state.average)


def test_last_every_and_best_checkpoints_are_kept(tmp_path: Path) -> None:
    run = a_run(
        steps=20,
        evaluate_every=2,
        # The learning rate is so high that the picture gets worse at once: the first evaluation stays the best.
        optimizer=Sgd(schedule=Constant(rate=0.2), momentum=0.0),
        checkpoints=Checkpoints(every=2, keep_last=2, keep_every=8, best_metric="pixels/rmse"),
    )
    trained = train(run, tmp_path)
    evaluated = [(r["pixels/rmse"], r["step"]) for r in read_metrics(tmp_path / "metrics.jsonl") if r["split"] == "validation"]
    best = min(evaluated)[1]
    kept = {int(path.name) for path in (tmp_path / "checkpoints").iterdir() if path.name.isdigit()}
    assert kept == {8, 16, 18, 20, best}
    assert restore(tmp_path, run)[0] == best
    assert evaluate(tmp_path).metrics["pixels/rmse"] == pytest.approx(min(evaluated)[0], rel=1e-6)
    assert trained.evaluation.metrics["pixels/rmse"] == pytest.approx(min(evaluated)[0], rel=1e-6)


def test_a_checkpoint_of_another_config_is_explained_by_path_and_shape(tmp_path: Path) -> None:
    train(a_run(), tmp_path, until=5)
    with pytest.raises(UserError) as caught:
        train(a_run(experiment=pixels.Pixels(size=10)), tmp_path)
    message = str(caught.value)
    assert "params/picture: float32[1, 8, 8, 3] in the checkpoint, float32[1, 10, 10, 3] in the config" in message
    assert "another working directory" in message and "Changed since the last launch: experiment.size: 8 → 10." in message
    with pytest.raises(UserError, match=r"average/picture: nothing in the checkpoint"):
        train(a_run(ema_decay=0.9), tmp_path)


def test_two_trainers_cannot_share_a_directory(tmp_path: Path) -> None:
    with Workdir(tmp_path).held(), pytest.raises(UserError, match="Another process is training"):
        train(a_run(), tmp_path)


def test_a_batch_of_another_shape_is_noticed(tmp_path: Path) -> None:
    class Growing(pixels.Endless):
        def __next__(self) -> dict[str, np.ndarray]:
            batch = super().__next__()
            rows = 16 if self.position == 5 else 8
            return {"number": np.resize(batch["number"], rows)}

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Irregular(pixels.Pixels):
        def stream(self, data: Any, seed: int) -> Growing:
            return Growing(8)

    globals()["Irregular"] = Irregular
    listener = Listener()
    train(a_run(experiment=Irregular()), tmp_path, reporter=listener)
    assert [text for text in listener.warned if "compiled again" in text] == [
        "step 4 compiled again (1 so far): batch number was int32[8] and is int32[16]"
    ]


@pytest.mark.parametrize("optimizer", [Lbfgs(), Adam(halvings=2), Adam(accumulate=2)], ids=lambda rule: type(rule).__name__)
def test_the_step_is_compiled_once(tmp_path: Path, optimizer: Any) -> None:
    listener = Listener()
    train(a_run(steps=4, optimizer=optimizer, ema_decay=0.9), tmp_path, reporter=listener)
    train(a_run(steps=6, optimizer=optimizer, ema_decay=0.9), tmp_path, reporter=listener)
    assert listener.warned == []


def test_hidden_transfers_in_the_loop_are_refused(tmp_path: Path) -> None:
    class Hidden(pixels.Endless):
        def __next__(self) -> dict[str, Any]:
            batch = super().__next__()
            if self.position > 3:
                jnp.sin(np.ones(3, np.float32))
            return batch

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Leaky(pixels.Pixels):
        def stream(self, data: Any, seed: int) -> Hidden:
            return Hidden(8)

    with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
        train(a_run(experiment=Leaky()), tmp_path)


def test_a_remark_of_the_experiment_reaches_the_log(tmp_path: Path) -> None:
    listener = Listener()
    huge = Sgd(schedule=Constant(rate=1e4), momentum=0.0)
    train(a_run(steps=3, optimizer=huge), tmp_path, reporter=listener)
    assert listener.warned == ["step 3: the loss is huge"]


def test_provenance_says_where_a_run_came_from(tmp_path: Path) -> None:
    train(a_run(steps=1, seed=3), tmp_path)
    written = json.loads((tmp_path / "provenance.json").read_text())
    assert written["seed"] == 3
    experiment = pixels.Pixels()
    read = experiment.fingerprints(experiment.open())
    assert (written["data"], written["inputs"]) == (read.digest, read.to_json())
    assert written["versions"]["jax"] == jax.__version__
    assert {"git", "devices", "argv"} <= written.keys()


def test_the_checkpoint_record_survives_as_json(tmp_path: Path) -> None:
    train(a_run(), tmp_path)
    store = CheckpointStore(tmp_path / "checkpoints", Checkpoints())
    assert store.latest() == 12
    store.close()


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: a_run(steps=0), "Run.steps is 0"),
        (lambda: a_run(ema_decay=1.0), "Run.ema_decay is 1.0"),
        (lambda: a_run(checkpoints=Checkpoints(best_metric="a/b")), "nothing would ever be compared"),
        (lambda: Checkpoints(every=0), "Checkpoints.every is 0"),
        (lambda: Adam(clip_norm=0.0), "Adam.clip_norm is 0.0"),
        (lambda: Adam(accumulate=0), "Adam.accumulate is 0"),
        (lambda: WarmupCosine(rate=-1.0), "the learning rate is -1.0"),
    ],
)
def test_illegal_values_are_refused_where_they_are_written(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
