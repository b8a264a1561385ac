"""The trainer, on an image instead of an encoder: it must not know the difference."""

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
from toy import Toy, toy_run
from widened import staged

from likeness.experiments.fingerprints import CannotResume
from likeness.experiments.optim.lbfgs import Lbfgs
from likeness.experiments.optim.optimizers import Adam, Sgd
from likeness.experiments.optim.schedules import Constant, WarmupCosine
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.training.evaluation import evaluate, restore
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.recorder import NonFinite
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError

pytestmark = pytest.mark.end_to_end


def a_run(**changes: Any) -> Run:
    default: dict[str, Any] = {
        "experiment": pixels.Pixels(),
        "steps": 12,
        "optimizer": Adam(schedule=Constant(peak_lr=0.05)),
        "log_every": 3,
        "checkpoints": Checkpoints(every=5),
    }
    return Run(**(default | changes))


def same(first: Any, second: Any) -> bool:
    return jax.tree.all(jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), first, second))


def losses(workdir: Path) -> list[tuple[int, float]]:
    return [(record["step"], record["loss"]) for record in read_metrics(workdir / "metrics.jsonl")]


@pytest.mark.slow
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


def test_a_signal_after_the_last_step_is_no_less_an_answer(tmp_path: Path) -> None:
    """Else what trains one run after another would go on with the next."""
    with pytest.raises(Interrupted, match="SIGTERM at step 12 of 12"):
        train(a_run(), tmp_path / "run", reporter=Listener(12, terminate))
    assert not (tmp_path / "run" / "summary.json").exists()
    resumed = train(a_run(), tmp_path / "run")
    assert same(train(a_run(), tmp_path / "whole").state, resumed.state)
    assert (tmp_path / "run" / "summary.json").exists()


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
    slower = Adam(schedule=Constant(peak_lr=0.01))
    train(a_run(), tmp_path, until=5)
    train(a_run(optimizer=slower), tmp_path)
    lines = [json.loads(line) for line in Workdir(tmp_path).changes.read_text().splitlines()]
    assert lines == [{"step": 5, "changed": ["optimizer.schedule.peak_lr: 0.05 → 0.01"]}]
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(UserError, match=r"has taken all of its 12 steps.*optimizer.schedule.peak_lr: 0.01 → 7.0"):
        train(a_run(optimizer=Adam(schedule=Constant(peak_lr=7.0))), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_another_measurement_of_no_steps_is_told_to_take_a_directory_of_its_own(tmp_path: Path) -> None:
    """More steps would be wrong advice: what is measured has been trained by others."""

    class AsItIs(pixels.Pixels):
        @property
        def starts_trained(self) -> bool:
            return True

    train(a_run(experiment=AsItIs(), steps=0), tmp_path)
    with pytest.raises(UserError, match=r"another measurement \(.*seed: 0 → 1.*--workdir DIR.*--fresh") as refused:
        train(a_run(experiment=AsItIs(), steps=0, seed=1), tmp_path)
    assert "--steps" not in str(refused.value)


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
    assert np.isfinite(variables.params["image"]).all()


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
        # The learning rate is so high that the image gets worse at once: the first evaluation stays the best.
        optimizer=Sgd(schedule=Constant(peak_lr=0.2), momentum=0.0),
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
    assert "params/image: float32[1, 8, 8, 3] in the checkpoint, float32[1, 10, 10, 3] in the config" in message
    assert "another working directory" in message and "Changed since the last launch: experiment.size: 8 → 10." in message
    with pytest.raises(UserError, match=r"average/image: nothing in the checkpoint"):
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
    huge = Sgd(schedule=Constant(peak_lr=1e4), momentum=0.0)
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
        (lambda: WarmupCosine(peak_lr=-1.0), "the learning rate is -1.0"),
    ],
)
def test_illegal_values_are_refused_where_they_are_written(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_what_a_run_says_on_its_way(tmp_path: Path) -> None:
    policy = Checkpoints(best_metric="toy/score")
    curve = Toy(curve=(9.0, 9.0, 1.0, 9.0, 3.0, 9.0, 9.0))
    run = toy_run(steps=4, experiment=curve, evaluate_every=2, log_every=2, checkpoints=policy)
    working = f"working in {tmp_path}; the first step is compiled"
    best = ["step 2 was the best by toy/score: it is the one that is evaluated and used", "evaluating on the test part"]
    first, second, third = Listener(), Listener(), Listener()
    train(run, tmp_path, until=2, reporter=first)
    assert first.said == [working, "step 2: toy/score 1, the best so far"]
    train(run, tmp_path, reporter=second)
    assert second.said == [working, "going on from step 2", *best]
    train(dataclasses.replace(run, steps=6), tmp_path, reporter=third)
    changed = "changed since this directory's last launch: steps: 4 → 6"
    assert third.said == [working, "going on from step 4", changed, *best]
    assert first.warned + second.warned + third.warned == [
        "step 2: the mean number is 0.5",
        "step 4: the mean number is 2.5",
        "step 6: the mean number is 4.5",
    ]


def test_what_the_experiment_says_of_its_data_is_said_first(tmp_path: Path) -> None:
    listener = Listener()
    train(a_run(steps=1), tmp_path, reporter=listener)
    assert listener.said[0] == "a target of (1, 8, 8, 3)"


STAGES = ((0, 2), (2, 5), (5, 7))
"""Of seven steps, shared by three."""


def test_a_run_in_stages_takes_each_from_where_the_one_before_has_ended(tmp_path: Path) -> None:
    """By hand: the gradient is the batch's number, which each stage counts from 0 as it opens its own data; keys go on."""
    weights, biases = np.float64(jax.random.uniform(jax.random.key(0), (2, 1))), np.ones(1)
    expected = []
    for number, (begin, end) in enumerate(STAGES, 1):
        if number > 1:
            weights, biases = np.repeat(weights, 2, axis=1), np.repeat(biases, 2)
        for step in range(begin, end):
            loss = (step - begin) * (weights.sum() + 2 * biases.sum())
            drawn = float(jax.random.uniform(jax.random.fold_in(jax.random.key(0), step)))
            expected.append((step + 1, number, step - begin, pytest.approx(loss, rel=1e-5), pytest.approx(drawn, rel=1e-6)))
            weights, biases = weights - 0.01 * (step - begin), biases - 0.02 * (step - begin)
    listener = Listener()
    whole = train(staged(7), tmp_path / "whole", reporter=listener)
    np.testing.assert_allclose(whole.state.params["weights"], weights, rtol=1e-5)
    np.testing.assert_allclose(whole.state.params["biases"], biases, rtol=1e-5)
    assert int(whole.state.model_state["steps"]) == 7
    lines = read_metrics(tmp_path / "whole" / "metrics.jsonl")
    assert [tuple(line[name] for name in ("step", "stage", "number", "loss", "drawn")) for line in lines] == expected
    assert listener.said == [
        f"working in {tmp_path / 'whole'}; the first step is compiled",
        "stage 2 of 3: its losses do not compare with those before",
        "stage 3 of 3: its losses do not compare with those before",
        "evaluating on the test part",
    ]
    assert json.loads((tmp_path / "whole" / "provenance.json").read_text())["inputs"]["training"] == {"data": "data 4"}
    # Stopped where two stages meet and within one, it is the same to the bit.
    for until in (2, 4):
        paused = train(staged(7), tmp_path / "parts", until=until)
        assert int(paused.state.step) == until
        assert paused.variables.params["weights"].shape == (2, until // 2)
    resumed = train(staged(7), tmp_path / "parts")
    assert same(whole.state, resumed.state)
    assert read_metrics(tmp_path / "parts" / "metrics.jsonl") == lines


@pytest.mark.slow
def test_more_steps_of_a_run_in_stages_are_for_those_that_are_not_done(tmp_path: Path) -> None:
    def taken(workdir: Path) -> list[float]:
        return [line["stage"] for line in read_metrics(workdir / "metrics.jsonl") if "stage" in line]

    # 2, 4 and 6 steps; of 12 they would be 4, 8 and 12.
    train(staged(6, log_every=1), tmp_path / "under_way", until=3)
    train(staged(12, log_every=1), tmp_path / "under_way")
    assert taken(tmp_path / "under_way") == [1] * 2 + [2] * 6 + [3] * 4
    train(staged(6, log_every=1), tmp_path / "done")
    train(staged(12, log_every=1), tmp_path / "done")
    # And once more, from what the second launch has kept.
    trained = train(staged(13, log_every=1), tmp_path / "done")
    assert taken(tmp_path / "done") == [1] * 2 + [2] * 2 + [3] * 9
    assert int(trained.state.step) == 13


def test_one_that_is_asked_to_stop_later_than_it_ends_ends(tmp_path: Path) -> None:
    trained = train(toy_run(steps=3), tmp_path, until=9)
    assert (int(trained.state.step), trained.evaluation.metrics["toy/tests"]) == (3, 1.0)
    with pytest.raises(CannotResume, match="is of step 3, beyond the 2 steps asked for"):
        train(toy_run(steps=3), tmp_path, until=2)
    with pytest.raises(CannotResume, match="is of step 3, beyond the 2 steps asked for"):
        train(toy_run(steps=2), tmp_path, until=9)


def test_who_looks_on_hears_of_every_step_and_the_watchdog_of_the_last_checkpoint_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []

    class Onlooker:
        def __init__(self, *given: object) -> None:
            self.name = f"{given[-1]}"
            heard.append(f"{self.name} begins")

        def __enter__(self) -> "Onlooker":
            return self

        def __exit__(self, *error: object) -> None:
            heard.append(f"{self.name} ends")

        def step(self, *step: int) -> None:
            heard.append((self.name, *step))

    class Store(CheckpointStore):
        def close(self) -> None:
            heard.append("closed")
            super().close()

    train(toy_run(steps=3), tmp_path, until=1)
    monkeypatch.setattr("likeness.experiments.training.trainer.Watchdog", Onlooker)
    monkeypatch.setattr("likeness.experiments.training.trainer.Profile", Onlooker)
    monkeypatch.setattr("likeness.experiments.training.trainer.CheckpointStore", Store)
    train(toy_run(steps=3), tmp_path, hang_after=60.0, profile=2)
    steps = [("60.0", 1), ("2",), ("60.0", 2), ("2",)]
    # It is closed once more at the end of all, for a launch that fails before it is watched.
    assert heard == ["60.0 begins", "2 begins", *steps, "2 ends", "closed", "60.0 ends", "closed"]


def test_each_stretch_of_steps_is_timed(tmp_path: Path) -> None:
    train(toy_run(steps=5, log_every=2), tmp_path)
    lines = [json.loads(line) for line in Workdir(tmp_path).system.read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 5]
