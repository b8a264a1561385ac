"""With networks that compute in bfloat16, what is learned and kept stays float32, and so does every sum of a cost."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from likeness.experiments.optim.optimizers import Adam
from likeness.experiments.style.terms import Term, layers, total
from likeness.experiments.training.step import initial_state, train_step
from likeness.research.encoders import (
    HOG,
    Conv4,
    DlibResNet,
    EdgeNet,
    FlipEmbedding,
    IResNet,
    Koch,
    MobileFaceNet,
    NN4Small2,
    SqueezeNet,
    TestTimeAugmentation,
    Vgg,
)
from likeness.research.losses import BatchHard, Content, Gram, TotalVariation, Triplet
from likeness.research.style_networks import Conditional, Johnson

pytestmark = pytest.mark.end_to_end

ENCODERS = [
    (Conv4(dtype="bfloat16"), 32),
    (Koch(dimension=16, dtype="bfloat16"), 65),
    (IResNet(blocks=(1, 1, 1, 1), dtype="bfloat16"), 32),
    pytest.param(NN4Small2(dtype="bfloat16"), 96, marks=pytest.mark.slow),
    (MobileFaceNet(dtype="bfloat16"), 112),
    pytest.param(DlibResNet(dtype="bfloat16"), 103, marks=pytest.mark.slow),
    (HOG(dtype="bfloat16"), 32),
    (EdgeNet(dtype="bfloat16"), 32),
    (FlipEmbedding(encoder=Conv4(dtype="bfloat16")), 32),
    (TestTimeAugmentation(encoder=Conv4(dtype="bfloat16"), views=1), 32),
]
TERMS = (Term(loss=Gram(layers=("relu1_1",))), Term(loss=Content(layers=("relu2_1",))), Term(loss=TotalVariation()))
FIRE = (Term(loss=Gram(layers=("relu_conv1",))), Term(loss=Content(layers=("relu_conv1",))), Term(loss=TotalVariation()))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossOutput:
    """As much of an experiment as a step needs."""

    network: nn.Module
    state: bool
    value: Any

    def init(self, key: Any, constants: Any, batch: Any) -> Any:
        from likeness.experiments.experiment import Variables

        variables = dict(self.network.init(key, batch["images"], *constants))
        return Variables(variables.pop("params"), variables)

    def cost(self, params: Any, state: Any, constants: Any, batch: Any, key: Any) -> Any:
        from likeness.experiments.experiment import LossOutput as Result

        del key
        train = {"train": True} if self.state else {}
        out, changed = self.network.apply(
            {"params": params, **state}, batch["images"], *constants, **train, mutable=list(state)
        )
        return Result(self.value(out, batch), dict(changed), {})


def equations(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        yield equation
        for below in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")):
            inner = getattr(below, "jaxpr", below)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def sums_in_bfloat16(function: Any, *arguments: Any) -> list[str]:
    """Sums whose result is bfloat16. Products of bfloat16 numbers that are summed up in float32, as Gram's, are exact."""
    found = equations(jax.make_jaxpr(function)(*arguments).jaxpr)
    kinds = ("reduce_sum", "cumsum", "reduce_prod", "dot_general")
    return [str(e) for e in found if e.primitive.name in kinds and any(v.aval.dtype == jnp.bfloat16 for v in e.outvars)]


def check_step(experiment: LossOutput, constants: Any, batch: Any) -> Any:
    """Traces a step and returns the parameters' shapes; nothing is computed."""
    optimizer = Adam().transformation(2)
    key = jax.random.key(0)
    averaged = True
    state = jax.eval_shape(lambda: initial_state(experiment, optimizer, averaged, key, constants, batch))  # pyright: ignore
    after, report = jax.eval_shape(
        lambda state: train_step(experiment, optimizer, Adam().recovers, 0.9, state, constants, batch, key),  # pyright: ignore
        state,
    )
    assert after == state
    for leaf in jax.tree.leaves((after, report)):
        assert leaf.dtype != jnp.bfloat16
    return state


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "side"), ENCODERS, ids=lambda of: type(of).__name__)
def test_recognition(encoder: nn.Module, side: int) -> None:
    loss = Triplet(rule=BatchHard(), reduction="mean")
    labels = np.arange(4) // 2
    experiment = LossOutput(network=encoder, state=True, value=lambda out, batch: loss(out["embedding"], labels))
    batch = {"images": np.zeros((4, side, side, 3), np.float32)}
    state = check_step(experiment, (), batch)
    variables = {"params": state.params, **state.model_state}
    embedding = jax.eval_shape(lambda variables: encoder.apply(variables, batch["images"], train=False), variables)
    assert embedding["embedding"].dtype == jnp.float32  # pyright: ignore
    assert not sums_in_bfloat16(loss, np.zeros((4, 8), np.float32), labels)


@pytest.mark.parametrize(
    ("encoder", "terms"),
    [(Vgg(convolutions=(1, 1), widths=(4, 4), dtype="bfloat16"), TERMS), (SqueezeNet(dtype="bfloat16"), FIRE)],
    ids=["Vgg", "SqueezeNet"],
)
def test_style_by_pixels(encoder: Any, terms: tuple[Term, ...]) -> None:
    """No sum is bfloat16 in the whole cost: these networks have convolutions alone."""
    image = jnp.zeros((1, 64, 64, 3))
    variables = jax.eval_shape(encoder.init, jax.random.key(0), image)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(variables))

    def cost(variables: Any, image: Any) -> Any:
        seen = encoder.apply(variables, image)
        return total(terms, seen, [term.loss.target(seen) for term in terms])

    value, gradient = jax.eval_shape(jax.value_and_grad(cost, argnums=1), variables, image)
    assert (value.dtype, gradient.dtype) == (jnp.float32, jnp.float32)
    seen = jax.eval_shape(encoder.apply, variables, image)
    assert all(seen[layer].dtype == jnp.bfloat16 for layer in layers(terms) if layer != "input")
    assert not sums_in_bfloat16(cost, variables, image)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "chosen"),
    [(Johnson(dtype="bfloat16"), ()), (Conditional(styles=2, dtype="bfloat16"), (np.full((1, 2), 0.5, np.float32),))],
    ids=["Johnson", "Conditional"],
)
def test_style_networks(network: nn.Module, chosen: tuple[Any, ...]) -> None:
    experiment = LossOutput(network=network, state=False, value=lambda out, batch: jnp.mean((out - 0.5) ** 2))
    batch = {"images": np.zeros((1, 64, 64, 3), np.float32)}
    state = check_step(experiment, chosen, batch)
    painted = jax.eval_shape(lambda params: network.apply({"params": params}, batch["images"], *chosen), state.params)
    assert painted.dtype == jnp.float32  # pyright: ignore
