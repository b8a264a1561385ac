"""Sweeps: which runs there are, that together each is what it is alone, and that they resume and fail on their own."""

import dataclasses
import json
import operator
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pixels
import pytest
from listener import Listener, terminate

from likeness.experiments.config import to_json
from likeness.experiments.display.progress import Quiet
from likeness.experiments.distributed.sharding import Mesh
from likeness.experiments.optim.optimizers import Adam, Sgd
from likeness.experiments.optim.schedules import Constant, WarmupCosine
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage.metrics_log import read_metrics
from likeness.experiments.sweeps.members import Member, members, outcome, write_results
from likeness.experiments.sweeps.numbers import Differ, Number, differing, joined, structure
from likeness.experiments.sweeps.overrides import Choice, LogUniform, Override, Uniform, apply, names, product, sample, zip_
from likeness.experiments.sweeps.report import deciding, parallel_coordinates, ranked, table, write_markdown
from likeness.experiments.sweeps.runner import make_runs
from likeness.experiments.sweeps.timing import Timed
from likeness.experiments.sweeps.vmapped import Incompatible, vmap_runs
from likeness.experiments.training.evaluation import restore
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.program import build
from likeness.experiments.training.trainer import train
from likeness.research.data import CountSplit, Faces, IdentityBatches
from likeness.research.encoders import Conv4
from likeness.research.errors import UserError
from likeness.research.losses import MarginSoftmax, RecognitionLoss, Triplet

ROOT = Path(__file__).parents[3]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weighted(pixels.Pixels):
    """Pixels whose cost has a weight."""

    weight: float = 1.0

    def cost(self, params: Any, state: Any, constants: Any, batch: Any, key: Any) -> Any:
        cost = super().cost(params, state, constants, batch, key)
        value = cost.value * self.weight if self.weight > 0 else cost.value
        return cost._replace(value=jnp.where(value > 1e12, jnp.nan, value))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nosy(Weighted):
    """Reads its weight in Python."""

    def cost(self, params: Any, state: Any, constants: Any, batch: Any, key: Any) -> Any:
        return (
            super().cost(params, state, constants, batch, key)._replace(metrics={"weight": jnp.zeros(()) + float(self.weight)})
        )


def a_run(**changes: Any) -> Run:
    default: dict[str, Any] = {
        "experiment": Weighted(size=4),
        "steps": 6,
        "optimizer": Adam(schedule=WarmupCosine(peak_lr=0.05, warmup_share=1 / 3), weight_decay=0.01),
        "log_every": 2,
        "checkpoints": Checkpoints(every=3),
    }
    return Run(**(default | changes))


def plan(overrides: Any, root: Path, **changes: Any) -> list[Member]:
    return members(a_run(**changes), overrides, root)


def test_product_and_zip_enumerate() -> None:
    both = product(zip_({"steps": (1, 2), "log_every": (3, 4)}), {"seed": range(2)})
    assert both == (
        {"steps": 1, "log_every": 3, "seed": 0},
        {"steps": 1, "log_every": 3, "seed": 1},
        {"steps": 2, "log_every": 4, "seed": 0},
        {"steps": 2, "log_every": 4, "seed": 1},
    )
    with pytest.raises(UserError, match="steps has 2, seed has 1"):
        zip_({"steps": (1, 2), "seed": (0,)})
    with pytest.raises(UserError, match="sets 'seed' twice"):
        product({"seed": (0, 1)}, {"seed": (2,)})


def test_samples_are_within_bounds_and_stay_as_more_are_drawn() -> None:
    over: dict[str, Any] = {"a": Uniform(-1.0, 2.0), "b": LogUniform(1e-4, 1e-1), "c": Choice(("x", "y"))}
    drawn = sample(400, 3, over)
    assert drawn[:5] == sample(5, 3, over)
    assert [one["b"] for one in drawn] == [one["b"] for one in sample(400, 3, {"b": over["b"]})]
    assert drawn != sample(400, 4, over)
    assert all(-1 <= one["a"] <= 2 and 1e-4 <= one["b"] <= 1e-1 for one in drawn)
    # A third of the draws of each decade, and half of each choice, to five standard deviations.
    assert abs(sum(one["b"] < 1e-3 for one in drawn) / 400 - 1 / 3) < 0.12
    assert abs(sum(one["c"] == "x" for one in drawn) / 400 - 1 / 2) < 0.125
    for wrong in (lambda: Uniform(1, 1), lambda: LogUniform(0, 1), lambda: Choice(())):
        with pytest.raises(ValueError, match="give"):
            wrong()


def test_apply_changes_fields_wherever_they_are() -> None:
    run = a_run()
    other = apply(run, {"optimizer.schedule.peak_lr": 1, "seed": 3, "experiment.weight": 2.0, "optimizer.weight-decay": 0.1})
    schedule = WarmupCosine(peak_lr=1.0, warmup_share=1 / 3)
    assert other == a_run(seed=3, experiment=Weighted(size=4, weight=2.0), optimizer=Adam(schedule=schedule, weight_decay=0.1))
    assert isinstance(other.optimizer.schedule.peak_lr, float)  # type: ignore[attr-defined]
    assert apply(run, {"optimizer": Sgd()}).optimizer == Sgd()
    assert apply(a_run(optimizer=Adam(box=(0.0, 1.0))), {"optimizer.box.1": 2.0}).optimizer.box == (0.0, 2.0)  # type: ignore[attr-defined]
    faces = dataclasses.replace(run, experiment=recognition())
    wider = apply(faces, {"experiment.encoder.width": 8}).experiment
    assert wider == dataclasses.replace(recognition(), encoder=Conv4(width=8, dimension=4))


@pytest.mark.parametrize(
    "override, message",
    [
        ({"optimizer.schedule.peak_rl": 1.0}, "WarmupCosine has no field 'peak_rl': did you mean 'peak_lr'"),
        ({"seed.x": 1}, "is 0, which has no parts"),
        ({"seed": 0.5}, "a float, where a int such as 0 belongs"),
        ({"optimizer": "adam"}, "name one of its fields, such as optimizer.schedule"),
        ({"optimizer.schedule.peak_lr": -1.0}, "refused: the learning rate is -1.0"),
        ({"optimizer.schedule": Constant(), "optimizer.schedule.peak_lr": 1.0}, "leave one of the two out"),
        ({"optimizer.schedule.peak_lr": 1.0, "optimizer.schedule": Constant()}, "leave one of the two out"),
    ],
)
def test_a_wrong_override_says_what_to_do(override: Override, message: str) -> None:
    with pytest.raises(UserError, match=message):
        apply(a_run(), override)


def test_names_are_short_and_differ() -> None:
    overrides = (
        {"a.rate": 0.001, "b.rate": 1e-5},
        {"a.rate": 0.1 + 0.2, "seed": 1},
        {"optimizer": Adam()},
        {"optimizer": Sgd()},
        {},
    )
    found = names((*overrides, {"optimizer": Sgd(momentum=0.0)}))
    assert found == (
        "a.rate=0.001,b.rate=1e-05",
        "a.rate=0.30000000000000004,seed=1",
        "optimizer=Adam",
        "optimizer=Sgd",
        "as_it_is",
        "optimizer=Sgd-2",
    )


def test_runs_of_a_sweep_are_some_and_differ(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no runs"):
        plan((), tmp_path)
    with pytest.raises(UserError, match="are the same"):
        plan(({"seed": 0}, {}), tmp_path)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "pow"])
def test_numbers_reckon_as_python_does(name: str) -> None:
    """With other plain numbers to the bit, from both sides; with arrays as the traced run's value."""
    of, values = getattr(operator, name), (0.3, 0.7)
    number = Number(values, frozenset({("a",)}), None)
    assert of(number, 3).values == tuple(of(value, 3) for value in values)
    assert of(3, number).values == tuple(of(3, value) for value in values)
    assert of(number, number).values == tuple(of(value, value) for value in values)
    array = jnp.array([1.5, 2.0])
    traced = jax.vmap(lambda row: of(array, Number(values, frozenset(), row)))(jnp.arange(2))
    np.testing.assert_allclose(traced, [of(array, value) for value in values], rtol=1e-6)
    inside = jax.vmap(lambda row: jax.jit(jnp.minimum)(Number(values, frozenset(), row), 0.5))(jnp.arange(2))
    np.testing.assert_allclose(inside, [0.3, 0.5], rtol=1e-6)


def test_numbers_answer_where_all_runs_agree() -> None:
    number = Number((0.3, 0.7), frozenset({("optimizer", "rate")}), None)
    assert number and number > 0 and number != 0.5 and not number < 0
    for ask in (lambda: number > 0.5, lambda: float(number), lambda: np.asarray(number), lambda: jnp.sin(number)):
        with pytest.raises(Differ, match=r"optimizer\.rate"):
            ask()


def test_structure_leaves_numbers_out_and_joins_them() -> None:
    runs = [apply(a_run(), one) for one in product({"experiment.weight": (1.0, 2.0), "seed": (0, 1)})]
    assert len({structure(run) for run in runs}) == 1
    assert differing(runs) == {("experiment", "weight")}
    assert len({structure(run, differing(runs)) for run in runs}) == 2
    for other in ({"steps": 7}, {"optimizer.clip_norm": 1.0}, {"optimizer": Sgd()}):
        assert structure(apply(a_run(), other)) != structure(a_run())
    whole = joined(runs, differing(runs), None)
    assert whole.experiment.weight.values == (1.0, 1.0, 2.0, 2.0)  # type: ignore[attr-defined]
    assert whole.optimizer is runs[0].optimizer


def test_the_faster_way_is_the_shorter_one() -> None:
    slow = Timed(runs=4, steps=1000, vmapped_step=0.09, sequential_step=0.02, sequential_first=1.0)
    assert (slow.vmapped, slow.sequential, slow.vmapped_is_faster) == (90.0, 84.0, False)
    assert dataclasses.replace(slow, vmapped_step=0.03).vmapped_is_faster
    assert "90.0 s together, which is compiled by now, and 84.0 s one after the other" in str(slow)
    assert "(a step of all: 90 ms and 80 ms)" in str(slow)


def close(first: Any, second: Any, atol: float = 1e-6) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=atol), first, second)


@pytest.mark.slow
@pytest.mark.end_to_end
def test_together_each_is_what_it_is_alone(tmp_path: Path) -> None:
    """The seed, the rate, the weight of a loss, the decays of weights and of the mean; files as of a run alone."""
    overrides = (
        {},
        {
            "seed": 1,
            "optimizer.schedule.peak_lr": 0.02,
            "experiment.weight": 3.0,
            "optimizer.weight_decay": 0.1,
            "ema_decay": 0.8,
        },
    )
    fields: dict[str, Any] = {
        "ema_decay": 0.9,
        "evaluate_every": 2,
        "checkpoints": Checkpoints(every=3, best_metric="pixels/rmse"),
    }
    made = plan(overrides, tmp_path / "sweep", **fields)
    make_runs(made, tmp_path, vmap="yes", jobs=1, say=Quiet())
    assert [(member.status, member.how) for member in made] == 2 * [("finished", "vmapped with 1")]
    for member in made:
        alone = train(member.run, tmp_path / "alone" / member.name)
        close(restore(member.workdir, member.run), (alone.evaluation.metrics and member.run.steps, alone.variables))
        for one, other in zip(*(read_metrics(of / "metrics.jsonl") for of in (member.workdir, alone.workdir)), strict=True):
            assert one.keys() == other.keys() and (one["step"], one["split"]) == (other["step"], other["split"])
            assert all(np.isclose(one[name], other[name], rtol=1e-4) for name in one if name not in ("step", "split"))
        assert json.loads((member.workdir / "config.json").read_text()) == to_json(member.run)
        there = {path.name for path in alone.workdir.iterdir()}
        assert {"checkpoints", "config.json", "metrics.jsonl", "palette.json", "provenance.json", "summary.json"} <= {
            path.name for path in member.workdir.iterdir()
        } & there
        # Of the time that both took each has half.
        logged = [line["step"] for line in read_metrics(member.workdir / "metrics.jsonl") if line["split"] == "train"]
        times = [json.loads(line) for line in (member.workdir / "system.jsonl").read_text().splitlines()]
        assert [(time["step"], time["vmapped"]) for time in times] == [(step, 2) for step in logged]
        # Trained alone in the directory of one that was trained together, nothing is left to do.
        assert train(member.run, member.workdir).state.step == member.run.steps


def recognition() -> Recognition:
    return Recognition(
        data=Faces(people=14, images=4, size=16, channels=1),
        split=CountSplit(validation=4, test=4),
        batches=IdentityBatches(people=4, images=2),
        encoder=Conv4(width=4, dimension=4),
        loss=Triplet(),
    )


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(Triplet(), id="Triplet", marks=pytest.mark.slow),
        pytest.param(MarginSoftmax(classes=12, shards=3, rate=0.5), id="MarginSoftmax"),
    ],
)
def test_together_recognizers_are_what_they_are_alone(loss: RecognitionLoss) -> None:
    """Three rates and two seeds: parameters and statistics after three steps."""
    base = a_run(experiment=dataclasses.replace(recognition(), loss=loss), optimizer=Adam())
    runs = [apply(base, one) for one in product({"optimizer.schedule.peak_lr": (1e-3, 3e-3, 1e-2), "seed": (0, 1)})]
    vmapped = vmap_runs(runs)
    assert len({id(stage.data) for stage in vmapped.stages}) == 1
    states = vmapped.start()
    for _ in range(3):
        states, report = vmapped.step(states, vmapped.put(vmapped.draw()))
    assert report.finite.all()
    for number in (1, 4):
        run = runs[number]
        stream = run.experiment.stream(vmapped.stages[number].data, run.seed)
        batches = [next(stream) for _ in range(3)]
        program = build(run, vmapped.constants, batches[0])
        state = program.init(program.key(run.seed), program.constants, program.put(batches[0]))
        for batch in batches:
            state, _ = program.step(state, program.constants, program.put(batch), program.key(run.seed))
        row = vmapped.row(states, number)
        close((row.params, row.model_state), (state.params, state.model_state))


@pytest.mark.slow
@pytest.mark.end_to_end
def test_each_device_takes_the_steps_of_its_own_runs() -> None:
    """Two of four convolutional runs on each of two devices: as alone, and in a step nothing is sent."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    environment = os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)}
    script = ROOT / "tests" / "support" / "runs_on_devices.py"
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("difference") < 1e-6
    assert found == {"devices": 2, "collectives": 0, "grouped": 0}


@pytest.mark.end_to_end
def test_split_parameters_keep_runs_apart_with_a_reason() -> None:
    run = dataclasses.replace(a_run(), mesh=Mesh(fsdp=2))
    with pytest.raises(Incompatible, match="mesh.fsdp is 2, which splits the parameters of one run"):
        vmap_runs([run, run])


@pytest.mark.end_to_end
def test_one_batch_serves_runs_of_one_seed() -> None:
    vmapped = vmap_runs([apply(a_run(), {"experiment.weight": weight}) for weight in (1.0, 2.0)])
    assert len(vmapped.streams) == 1


@pytest.mark.slow
@pytest.mark.end_to_end
def test_what_python_reads_is_told_apart(tmp_path: Path) -> None:
    overrides = product({"experiment.weight": (1.0, 2.0), "optimizer.schedule.peak_lr": (0.1, 0.2)})
    with pytest.raises(Incompatible, match=r"experiment\.weight") as apart:
        vmap_runs([apply(a_run(experiment=Nosy(size=4)), one) for one in overrides])
    assert apart.value.paths == {("experiment", "weight")}
    listener = Listener()
    made = plan(overrides, tmp_path, experiment=Nosy(size=4), steps=4)
    make_runs(made, tmp_path, vmap="yes", jobs=1, say=listener)
    assert {member.how for member in made} == {"vmapped with 1"}
    assert any(
        "in 2 groups, since Python needs the value of experiment.weight" in text for text in [*listener.said, *listener.warned]
    )


@pytest.mark.slow
@pytest.mark.end_to_end
def test_an_interrupted_sweep_goes_on_and_a_finished_one_is_left(tmp_path: Path) -> None:
    overrides = product({"seed": (0, 1)})
    whole = plan(overrides, tmp_path / "whole")
    make_runs(whole, tmp_path / "whole", vmap="yes", jobs=1, say=Quiet())
    made = plan(overrides, tmp_path / "parts")
    with pytest.raises(Interrupted, match="SIGTERM at step 5 of 6"):
        stopper = Listener(4, terminate)
        make_runs(made, tmp_path / "parts", vmap="yes", jobs=1, say=stopper)
    assert [member.latest for member in made] == [5, 5]
    make_runs(made, tmp_path / "parts", vmap="yes", jobs=1, say=Quiet())
    for one, other in zip(whole, made, strict=True):
        first, second = (restore(member.workdir, member.run) for member in (one, other))
        jax.tree.map(np.testing.assert_array_equal, first, second)
        assert read_metrics(one.workdir / "metrics.jsonl") == read_metrics(other.workdir / "metrics.jsonl")
    listener, again = Listener(), plan(overrides, tmp_path / "parts")
    make_runs(again, tmp_path / "parts", vmap="yes", jobs=1, say=listener)
    assert [*listener.said, *listener.warned] == ["2 of 2 runs are finished already"]
    changed = plan(overrides, tmp_path / "parts", optimizer=Adam())
    make_runs(changed, tmp_path / "parts", vmap="yes", jobs=1, say=Quiet())
    assert all("holds a run of another config" in member.why for member in changed)


@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.parametrize("mode", ["yes", "no"])
def test_who_fails_fails_alone_and_the_report_says_so(mode: Any, tmp_path: Path) -> None:
    made = plan(product({"experiment.weight": (1.0, 1e30, 2.0)}), tmp_path)
    make_runs(made, tmp_path, vmap=mode, jobs=1, say=Listener())
    assert [member.status for member in made] == ["finished", "failed", "finished"]
    assert "is not finite" in made[1].why and (tmp_path / "failures" / f"{made[1].name}.txt").exists()
    found = [outcome(member) for member in made]
    metric = deciding(made[0].run, found, None)
    order = ranked(made, found, metric, "min")
    assert metric == "pixels/rmse" and order[-1] == 1 and found[order[0]].metrics[metric] <= found[order[1]].metrics[metric]
    rows = table(made, order, found, metric)
    assert rows[0] == ["weight", "pixels/rmse", "seconds", "status"] and rows[-1][0] == "1e+30"
    write_markdown(tmp_path / "sweep.md", rows, made, metric)
    assert f"**{made[1].name}** failed: Step 0 is not finite" in (tmp_path / "sweep.md").read_text()
    written = json.loads(write_results(made, tmp_path).read_text())["runs"]
    assert [run["status"] for run in written] == ["finished", "failed", "finished"]
    assert written[0]["metrics"]["pixels/rmse"] == found[0].metrics[metric]
    figure = parallel_coordinates(made, found, metric)
    assert len(figure.axes[0].lines) == 2 + 2
    with pytest.raises(UserError, match="No run of the sweep reports 'eer'"):
        deciding(made[0].run, found, "eer")
