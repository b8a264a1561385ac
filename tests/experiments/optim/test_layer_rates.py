"""Rates of single layers: what moves, by how much, what stays to the bit, and what a step saves by it."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from likeness.experiments.frozen import FromRun
from likeness.experiments.optim.layer_rates import LayerRate, factors
from likeness.experiments.optim.optimizers import AdaGrad, Adam, Sgd
from likeness.experiments.optim.schedules import Constant
from likeness.experiments.recognition import Recognition
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.training.program import build
from likeness.experiments.training.trainer import train
from likeness.research.data import CountSplit, Faces, IdentityBatches
from likeness.research.encoders import Conv4, FlipEmbedding
from likeness.research.errors import UserError
from likeness.research.losses import Triplet

START = {
    "trunk": {"kernel": jnp.array([[0.3, -2.0], [1.7, 4.1]]), "bias": jnp.array([0.7, -1.1])},
    "head": {"kernel": jnp.array([[1.3, 0.1], [-0.9, 2.2]]), "scale": jnp.array([2.0, 0.5])},
}
GRADIENTS = [jax.tree.map(lambda leaf, by=by: by * (0.2 + jnp.sin(3.0 * leaf)), START) for by in (1.0, -0.4, 2.5)]
HEAD = "dense"
"""The layer of Conv4 that gives the embedding."""
OPTIMIZERS = [
    lambda **rest: Adam(schedule=Constant(peak_lr=0.1), **rest),
    lambda **rest: Sgd(schedule=Constant(peak_lr=0.1), **rest),
    lambda **rest: AdaGrad(schedule=Constant(peak_lr=0.1), **rest),
]


def after(optimizer: Any, gradients: Any = GRADIENTS) -> Any:
    rule, params = optimizer.transformation(len(gradients)), START
    state = rule.init(params)
    for gradient in gradients:
        updates, state = rule.update(gradient, state, params, value=jnp.zeros(()))
        params = optax.apply_updates(params, updates)
    return params


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_layer_moves_by_its_share(make: Any) -> None:
    """As with a learning rate of its own; the other layer as without rates."""
    found = after(make(rates=(LayerRate(part="trunk", times=0.25),)))
    slow = after(dataclasses.replace(make(), schedule=Constant(peak_lr=0.025)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found["trunk"], slow["trunk"])
    jax.tree.map(np.testing.assert_array_equal, found["head"], after(make())["head"])


@pytest.mark.parametrize("make", OPTIMIZERS)
@pytest.mark.parametrize("rest", [{}, {"weight_decay": 0.3}, {"box": (-0.5, 0.5)}, {"accumulate": 3}, {"halvings": 2}])
def test_what_is_frozen_stays_to_the_bit(make: Any, rest: dict[str, Any]) -> None:
    """Whatever else moves parameters, and although it is given a gradient here."""
    found = after(make(rates=(LayerRate(part="trunk"),), **rest))
    jax.tree.map(np.testing.assert_array_equal, found["trunk"], START["trunk"])
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a != b).any()), found["head"], START["head"])))


def test_what_is_frozen_has_no_moments() -> None:
    size = sum(leaf.size for leaf in jax.tree.leaves(START["head"]))
    state = Adam(rates=(LayerRate(part="trunk"),)).transformation(3).init(START)
    assert sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.ndim) == 2 * size


def test_the_next_stage_has_the_moments_of_what_learns() -> None:
    optimizer = Adam(rates=(LayerRate(part="trunk"),))
    rule = optimizer.transformation(3)
    _, state = rule.update(GRADIENTS[0], rule.init(START), START)
    carried = optimizer.carry(3, state, START, lambda leaf: 2 * leaf)
    for new, old in zip(jax.tree.leaves(carried), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(new, 2 * old if old.ndim else old)


def test_the_longest_path_counts_and_names_are_whole() -> None:
    rates = (LayerRate(part="trunk/bias", times=2.0), LayerRate(part="trunk"), LayerRate(part="head/scale", times=0.5))
    assert factors(START, rates) == {"trunk": {"kernel": 0.0, "bias": 2.0}, "head": {"kernel": 1.0, "scale": 0.5}}
    assert factors({"conv1": 1.0, "conv10": 1.0}, [LayerRate(part="conv1")]) == {"conv1": 0.0, "conv10": 1.0}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("stem", "a rate for 'stem', and no parameter lies there. There are head, trunk."),
        ("trunk/weight", "In 'trunk' there are bias, kernel."),
        ("trunk/bias/0", "'trunk/bias' is a parameter and has no parts."),
        ("tru", "There are head, trunk."),
    ],
)
def test_a_part_that_is_not_there_is_named_with_those_that_are(part: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        Adam(rates=(LayerRate(part=part),)).transformation(3).init(START)


def test_rates_that_mean_nothing_are_refused() -> None:
    for times in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=r"LayerRate.times is .* of the part 'head'"):
            LayerRate(part="head", times=times)
    for part in ("", "head/", "/head"):
        with pytest.raises(ValueError, match=r"LayerRate.part is"):
            LayerRate(part=part)
    with pytest.raises(ValueError, match=r"Adam.rates has 2 rates for the part 'head'"):
        Adam(rates=(LayerRate(part="head"), LayerRate(part="head", times=1.0)))


def experiment(**changes: Any) -> Recognition:
    given: dict[str, Any] = {
        "data": Faces(people=24, images=4, size=32, channels=1),
        "split": CountSplit(validation=6, test=6),
        "batches": IdentityBatches(people=4, images=2),
        "encoder": FlipEmbedding(encoder=Conv4(width=8, dimension=8)),
        "loss": Triplet(),
        "target_far": 0.1,
    }
    return Recognition(**(given | changes))


def fine_tuned(start: Path, part: str = "encoder/encoder", **changes: Any) -> Run:
    """Of a run's encoder only the embedding learns."""
    names = experiment().encoder.init(jax.random.key(0), jnp.zeros((1, 32, 32, 1)))["params"]["encoder"]
    trunk = tuple(LayerRate(part=f"{part}/{name}") for name in names if name != HEAD)
    return Run(
        experiment=experiment(weights=FromRun(workdir=str(start)), statistics="kept"),
        optimizer=Adam(schedule=Constant(peak_lr=1e-2), weight_decay=1e-2, rates=trunk),
        checkpoints=Checkpoints(every=2),
        log_every=2,
        **({"steps": 4} | changes),
    )


@pytest.mark.slow
@pytest.mark.end_to_end
def test_a_recognizer_is_fine_tuned_and_resumed_with_its_trunk_as_it_was(tmp_path: Path) -> None:
    """Also the running mean of the trunk, and the statistics it came with; two steps and two more equal four."""
    start = train(Run(experiment=experiment(), steps=2, log_every=2), tmp_path / "start")
    run = fine_tuned(start.workdir, ema_decay=0.9)
    whole = train(run, tmp_path / "whole")
    before, after = (of.variables.params["encoder"]["encoder"] for of in (start, whole))
    assert HEAD in before and len(before) > 4
    for name in before.keys() - {HEAD}:
        jax.tree.map(np.testing.assert_array_equal, before[name], after[name])
        jax.tree.map(np.testing.assert_array_equal, before[name], whole.state.params["encoder"]["encoder"][name])
    assert any(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a != b).any()), before[HEAD], after[HEAD])))
    jax.tree.map(np.testing.assert_array_equal, start.variables.state, whole.variables.state)
    train(dataclasses.replace(run, steps=2), tmp_path / "parts")
    resumed = train(run, tmp_path / "parts")
    jax.tree.map(np.testing.assert_array_equal, whole.state, resumed.state)
    with pytest.raises(UserError, match="no parameter lies there. In 'encoder' there are encoder"):
        train(fine_tuned(start.workdir, part="encoder/trunk"), tmp_path / "wrong")


@pytest.mark.slow
def test_a_frozen_trunk_costs_no_gradient(tmp_path: Path) -> None:
    """Nothing of the way back through the trunk is left in the compiled step."""

    def operations(optimizer: Adam) -> float:
        run = Run(experiment=experiment(), steps=4, optimizer=optimizer)
        data = run.experiment.open()
        batch = next(run.experiment.stream(data, 0))
        program = build(run, (), batch)
        return program.step.lower(program.state, (), batch, jax.random.key(0)).compile().cost_analysis()["flops"]  # pyright: ignore

    assert operations(fine_tuned(tmp_path).optimizer) < 0.6 * operations(Adam())  # pyright: ignore
