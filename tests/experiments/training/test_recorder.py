"""What is done between two steps, in which order, and what of it a later launch finds."""

import dataclasses
import itertools
import json
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
import toy
from listener import Listener
from pixels import Pixels
from toy import Counting, Toy, toy_run

from likeness.experiments.experiment import Evaluation
from likeness.experiments.optim.optimizers import Sgd
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.own_code import own_code
from likeness.experiments.own_code.trust import known_place
from likeness.experiments.run import Checkpoints
from likeness.experiments.storage.checkpoints import CheckpointStore
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.training import recorder
from likeness.experiments.training.evaluation import evaluate, restore
from likeness.experiments.training.program import build
from likeness.experiments.training.recorder import NonFinite, best_value, due
from likeness.experiments.training.trainer import train
from likeness.research.errors import UserError
from likeness.research.metrics.intervals import Estimate

WEIGHTS = (2, 3)


def lines(workdir):
    return [(record["step"], record["split"]) for record in read_metrics(workdir / "metrics.jsonl")]


def kept(workdir):
    return {int(path.name) for path in (workdir / "checkpoints").glob("*") if path.name.isdigit()}


def record_of(workdir, run, step):
    """What a checkpoint holds beside the arrays."""
    experiment = run.experiment
    program = build(run, experiment.constants("data"), next(experiment.stream("data", 0)))
    store = CheckpointStore(workdir / "checkpoints", run.checkpoints, reading=True)
    _, record = store.load(step, program.state)
    store.close()
    return record


def test_what_is_due_at_each_step():
    run = toy_run(steps=10, log_every=3, evaluate_every=4, checkpoints=Checkpoints(every=6))
    plan = [due(run, step, last=step == 10, stopping=False) for step in range(11)]
    assert [now.step for now in plan if now.writes] == [3, 6, 9, 10]
    assert [now.step for now in plan if now.evaluate] == [4, 8, 10]
    assert [now.step for now in plan if now.saves] == [6, 10]
    assert [now.step for now in plan if now.anything] == [3, 4, 6, 8, 9, 10]


def test_who_is_stopped_only_saves_and_who_never_evaluate_does_not_at_the_end():
    stopped = due(toy_run(evaluate_every=4), 2, last=False, stopping=True)
    assert stopped.saves and not stopped.evaluate
    stopped = due(toy_run(log_every=3), 2, last=False, stopping=True)
    assert not stopped.writes
    last = due(toy_run(evaluate_every=None), 6, last=True, stopping=False)
    assert last.writes and last.saves and not last.evaluate


def test_the_first_steps_are_told_and_images_are_shown_as_often_as_somebody_watches():
    run = toy_run(steps=10, log_every=20)
    plan = [due(run, step, last=step == 10, stopping=False, taken=step) for step in range(11)]
    assert [now.step for now in plan if now.tells] == [1, 2, 5, 10]
    assert [now.step for now in plan if now.writes] == [10] and not any(now.shows for now in plan)
    # Of a launch that goes on from step 4 they are others.
    plan = [due(run, step, last=step == 10, stopping=False, taken=step - 4, watch=3) for step in range(4, 11)]
    assert [now.step for now in plan if now.tells] == [5, 6, 9, 10]
    assert [now.step for now in plan if now.shows] == [6, 9, 10]


CURVE = (9.0, 9.0, 0.5, 9.0, 0.3, 9.0, 0.1, 9.0, 0.4, 9.0, 0.1, 9.0, 0.6)
"""After so many steps; the lowest of those that are evaluated comes after 6, and once more after 10."""


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("keep_best", "mode", "stays", "used"),
    [
        (1, "min", {6, 10, 12}, 6),
        (2, "min", {4, 6, 10, 12}, 6),
        (2, "max", {4, 6, 10, 12}, 6),
        (0, "min", {10, 12}, 12),
    ],
)
def test_the_best_is_saved_where_no_checkpoint_is_due_and_used_in_the_end(tmp_path, keep_best, mode, stays, used):
    curve = CURVE if mode == "min" else tuple(-value for value in CURVE)
    policy = Checkpoints(every=5, keep_last=2, keep_best=keep_best, best_metric="toy/score", mode=mode)
    run = toy_run(experiment=Toy(curve=curve), steps=12, evaluate_every=2, log_every=100, checkpoints=policy)
    # Launched in two parts, the second knows of the best of the first.
    train(run, tmp_path, until=7)
    listener = Listener()
    trained = train(run, tmp_path, reporter=listener)
    assert kept(tmp_path) == stays
    assert restore(tmp_path, run)[0] == used
    assert trained.evaluation.metrics["toy/score"] == curve[used]
    assert json.loads((tmp_path / "summary.json").read_text())["steps"] == used
    assert (f"step {used} was the best by toy/score: it is the one that is evaluated and used" in listener.said) == (used < 12)
    assert not [text for text in listener.said if "the best so far" in text]
    record = record_of(tmp_path, run, 12)
    assert (record["best"], record["best_step"]) == (curve[6], 6)
    np.testing.assert_array_equal(trained.variables.state["steps"], used)


@pytest.mark.end_to_end
def test_the_log_has_the_mean_of_the_steps_since_its_last_line_before_what_is_evaluated(tmp_path):
    run = toy_run(experiment=Toy(curve=(0.0,) * 8), steps=7, log_every=3, evaluate_every=2, seed=2)
    listener = Listener()
    whole = train(run, tmp_path / "whole", reporter=listener)
    assert lines(tmp_path / "whole") == [
        (2, "validation"),
        (3, "train"),
        (4, "validation"),
        (6, "train"),
        (6, "validation"),
        (7, "train"),
        (7, "validation"),
    ]
    written = [record for record in read_metrics(tmp_path / "whole" / "metrics.jsonl") if record["split"] == "train"]
    # Step t is given batch t of the run's seed, and draws by the run's key and t.
    assert [record["number"] for record in written] == [2001.0, 2004.0, 2006.0]
    drawn = [float(jax.random.uniform(jax.random.fold_in(jax.random.key(2), step))) for step in range(7)]
    means = [np.mean(drawn[:3]), np.mean(drawn[3:6]), drawn[6]]
    np.testing.assert_allclose([record["drawn"] for record in written], means, rtol=1e-6)
    assert [record["fixed"] for record in written] == [7.0] * 3
    assert listener.warned == [f"step {step}: the mean number is {mean}" for step, mean in ((3, 2001), (6, 2004), (7, 2006))]

    # Stopped between two lines, twice.
    train(run, tmp_path / "parts", until=1)
    train(run, tmp_path / "parts", until=5)
    record = record_of(tmp_path / "parts", run, 5)
    assert (record["position"], record["evaluated"]) == ({"position": 5}, 4)
    assert [pending["number"] for pending in record["pending"]] == [2003.0, 2004.0]
    resumed = train(run, tmp_path / "parts")
    assert read_metrics(tmp_path / "parts" / "metrics.jsonl") == read_metrics(tmp_path / "whole" / "metrics.jsonl")
    jax.tree.map(np.testing.assert_array_equal, resumed.state, whole.state)


@pytest.mark.end_to_end
def test_a_checkpoint_knows_what_was_evaluated_at_its_step(tmp_path):
    policy = Checkpoints(every=2, best_metric="toy/score")
    run = toy_run(experiment=Toy(curve=CURVE), steps=4, log_every=2, evaluate_every=2, checkpoints=policy)
    train(run, tmp_path, until=2)
    record = record_of(tmp_path, run, 2)
    assert (record["evaluated"], record["best"], record["best_step"], record["pending"]) == (2, 0.5, 2, [])
    train(run, tmp_path)
    assert lines(tmp_path) == [(2, "train"), (2, "validation"), (4, "train"), (4, "validation")]


@pytest.mark.end_to_end
@pytest.mark.parametrize("decay", [None, 0.9])
def test_the_beginning_is_the_seed_s_and_what_is_evaluated_is_the_mean_where_there_is_one(tmp_path, decay):
    """By hand: plain gradient descent on a cost whose gradient is the batch's number."""
    trained = train(toy_run(steps=3, seed=5, evaluate_every=3, ema_decay=decay), tmp_path)
    weights = np.float64(jax.random.uniform(jax.random.key(5), WEIGHTS))
    mean = weights
    for step in range(3):
        weights = weights - 0.01 * (5000 + step)
        share = 0.0 if decay is None else (1 + step) / (10 + step)
        mean = share * mean + (1 - share) * weights
    np.testing.assert_allclose(trained.variables.params["weights"], mean, rtol=1e-5)
    (evaluated,) = [record for record in read_metrics(tmp_path / "metrics.jsonl") if record["split"] == "validation"]
    np.testing.assert_allclose([evaluated["toy/score"], trained.evaluation.metrics["toy/score"]], mean.mean(), rtol=1e-5)
    # On the way it is evaluated on the validation part, in the end on the test part.
    assert (evaluated["toy/tests"], trained.evaluation.metrics["toy/tests"]) == (0.0, 1.0)


@pytest.mark.end_to_end
def test_a_pause_is_evaluated_on_the_validation_part_and_leaves_nothing_but_a_checkpoint(tmp_path):
    run = toy_run(steps=4, log_every=4)
    paused = train(run, tmp_path, until=3)
    assert paused.evaluation.metrics["toy/tests"] == 0.0
    assert kept(tmp_path) == {3}
    assert lines(tmp_path) == []
    assert not (tmp_path / "summary.json").exists()


RED, BLUE = (np.tile(np.float32(color), (4, 6, 1)) for color in ((1, 0, 0), (0, 0, 1)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Painter(Toy):
    """Its evaluations have an image, red on the way and blue in the end."""

    def evaluate(self, data, params, state, part):
        image = BLUE if part == "test" else RED
        return Evaluation(metrics={"steps": float(state["steps"])}, images={"painting": image})


@pytest.mark.end_to_end
def test_images_on_the_way_are_written_with_their_step_and_shown(tmp_path):
    shown = []

    class Watcher(Listener):
        def show(self, name, image):
            shown.append((name, image.tolist()))

    train(toy_run(experiment=Painter(), steps=3, evaluate_every=2), tmp_path, reporter=Watcher())
    written = {path.name: plt.imread(path)[..., :3] for path in (tmp_path / "images").iterdir()}
    assert written.keys() == {"painting_000002.png", "painting_000003.png", "painting.png"}
    for name, image in written.items():
        np.testing.assert_array_equal(image, BLUE if name == "painting.png" else RED)
    assert shown == [("painting", RED.tolist())] * 2


@pytest.mark.end_to_end
def test_seconds_are_those_of_all_launches(tmp_path, monkeypatch):
    ticks = itertools.count(0, 10)
    monkeypatch.setattr(
        "likeness.experiments.training.recorder.time", types.SimpleNamespace(monotonic=lambda: float(next(ticks)))
    )
    first = train(toy_run(), tmp_path, until=3)
    assert first.seconds > 0
    for _ in range(100):
        next(ticks)
    second = train(toy_run(), tmp_path)
    # What passed between the two launches does not count.
    assert first.seconds < second.seconds < first.seconds + 500
    again = evaluate(tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text())["seconds"] == second.seconds
    assert again.metrics == second.evaluation.metrics


@pytest.mark.end_to_end
def test_nothing_that_is_not_finite_is_evaluated_or_saved(tmp_path):
    run = toy_run(experiment=Pixels(size=4, nan_at=3), log_every=5, evaluate_every=5, checkpoints=Checkpoints(every=5))
    with pytest.raises(NonFinite, match=r"Step 2 is not finite, first seen in loss.*No checkpoint was written yet"):
        train(run, tmp_path)
    assert lines(tmp_path) == []
    assert kept(tmp_path) == set()


class Steep(Toy):
    """Its cost is infinite at the batch of number 2."""

    def cost(self, params, state, constants, batch, key):
        cost = super().cost(params, state, constants, batch, key)
        return cost._replace(value=cost.value + jnp.where(batch["number"][0] == 2, jnp.inf, 0.0))


@pytest.mark.end_to_end
def test_a_step_that_was_taken_back_is_said_and_is_in_no_line(tmp_path):
    listener = Listener()
    halved = Sgd(schedule=Constant(peak_lr=0.01), momentum=0.0, halvings=1)
    train(toy_run(experiment=Steep(), optimizer=halved, steps=5, log_every=5), tmp_path, reporter=listener)
    assert listener.warned == ["step 2 is not finite: the step before it is taken back and tried again at half its length"]
    (line,) = read_metrics(tmp_path / "metrics.jsonl")
    assert line["number"] == np.mean([0, 1, 3, 4])


class Spoiled(Counting):
    def __next__(self):
        batch = super().__next__()
        return batch | {"number": np.where(batch["number"] == 3, np.nan, batch["number"])}


class Unreadable(Toy):
    """The batch of step 3 is not a number."""

    def stream(self, data, seed):
        return Spoiled(self.rows, seed)


@pytest.mark.end_to_end
def test_where_a_step_stops_being_finite_its_first_cause_is_named(tmp_path):
    run = toy_run(experiment=Unreadable(), steps=6, checkpoints=Checkpoints(every=2))
    with pytest.raises(NonFinite, match=r"Step 3 is not finite, first seen in batch number .*of step 2, is intact"):
        train(run, tmp_path)
    assert lines(tmp_path) == [(1, "train"), (2, "train"), (3, "train")]


@pytest.mark.slow
@pytest.mark.end_to_end
def test_changes_of_every_launch_are_kept_once(tmp_path, monkeypatch):
    """Also where a launch was killed after it had written what has changed and before it had written the config."""
    train(toy_run(steps=2), tmp_path, until=1)
    written = recorder.write_json

    def killed(path, value):
        if path.name == "config.json":
            raise KeyboardInterrupt
        written(path, value)

    monkeypatch.setattr(recorder, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        train(toy_run(steps=3), tmp_path, until=2)
    monkeypatch.setattr(recorder, "write_json", written)
    train(toy_run(steps=3), tmp_path, until=2)
    train(toy_run(steps=3), tmp_path, until=2)
    train(toy_run(steps=4, log_every=2), tmp_path)
    kept = [json.loads(line) for line in (tmp_path / "changes.jsonl").read_text().splitlines()]
    assert [(each["step"], sorted(each["changed"])) for each in kept] == [
        (1, ["steps: 2 → 3"]),
        (2, ["log_every: 1 → 2", "steps: 3 → 4"]),
    ]


@pytest.mark.end_to_end
def test_code_of_one_s_own_is_kept_with_the_run_and_trusted_from_then_on(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    listener = Listener()
    train(toy_run(steps=1), tmp_path / "run", reporter=listener)
    (kept_toy,) = (tmp_path / "run" / "code").rglob("toy.py")
    assert kept_toy.read_bytes() == Path(toy.__file__).read_bytes()
    assert known_place().read_text().split() == [own_code(toy_run()).digest]
    assert listener.warned == []
    # Where nothing can be noted the run goes on, and says how it is read.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    train(toy_run(steps=1), tmp_path / "other", reporter=listener)
    (warning,) = listener.warned
    assert warning.endswith("Until then this run is read with --trust-code.")


def test_many_changes_are_shortened():
    six = [f"field {number}: 1 → 2" for number in range(6)]
    assert recorder.shortened(six[:1]) == "field 0: 1 → 2"
    assert recorder.shortened(six[:5]) == "; ".join(six[:5])
    assert recorder.shortened(six) == "; ".join(six[:5]) + "; and 1 more"
    assert recorder.shortened(six, most=2) == "field 0: 1 → 2; field 1: 1 → 2; and 4 more"


def test_the_deciding_metric_must_be_there_and_be_known():
    assert best_value({"a/b": 0.25}, "a/b") == 0.25
    assert best_value({"a/b": Estimate(0.25, 0.2, 0.3, 9)}, "a/b") == 0.25
    with pytest.raises(UserError, match=r"'a/c', which the evaluation does not report: choose one of a/b"):
        best_value({"a/b": 0.25}, "a/c")
    with pytest.raises(UserError, match="cannot resolve"):
        best_value({"a/b": Estimate.unresolvable(2, "two are too few")}, "a/b")
