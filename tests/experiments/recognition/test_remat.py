"""Gradients that compute activations again: the same numbers, from less memory."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.chunks import embed_in_chunks
from likeness.experiments.run import Run
from likeness.experiments.training.program import build
from likeness.research.data import Augmentation, CountSplit, Digits, IdentityBatches
from likeness.research.encoders import Conv4, DlibResNet, IResNet, Koch, MobileFaceNet, TestTimeAugmentation
from likeness.research.encoders.iresnet import Block
from likeness.research.errors import UserError
from likeness.research.losses import BatchHard, Triplet
from likeness.research.ops.remat import Keep, Part, count_parts, recomputing

pytestmark = pytest.mark.end_to_end

SHAPE = (6, 6, 6, 3)
KEEPS: tuple[Keep, ...] = ("convolutions", "blocks")


class Plain(Part):
    """A block without state, which needs no ``train``."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return jnp.tanh(nn.Conv(5, (3, 3))(jnp.tanh(nn.Conv(4, (3, 3))(x))))


class Stateless(nn.Module):
    """Two such blocks and an embedding."""

    @nn.compact
    def __call__(self, images: Any, train: bool = False) -> dict[str, Any]:
        del train
        x = Plain()(Plain()(images))
        return {"embedding": nn.Dense(8)(x.reshape(len(x), -1))}


class Residual(nn.Module):
    """Two residual blocks with batch normalization."""

    @nn.compact
    def __call__(self, images: Any, train: bool = False) -> dict[str, Any]:
        x = Block(width=3, name="first")(images, train)
        return {"embedding": jnp.mean(Block(width=4, stride=2, name="second")(x, train), axis=(1, 2))}


def variables_of(encoder: nn.Module) -> tuple[Any, Any]:
    variables = dict(jax.jit(encoder.init)(jax.random.key(0), jnp.zeros(SHAPE)))
    return variables.pop("params"), variables


def embed(encoder: nn.Module, keep: Keep, state: Any, params: Any, images: Any) -> Any:
    with recomputing(keep):
        activations, changed = encoder.apply({"params": params, **state}, images, train=True, mutable=list(state))
    return activations["embedding"], changed  # pyright: ignore


def gradients(encoder: nn.Module, keep: Keep, state: Any) -> Any:
    """Of parameters and images: the value, the state after it, and the gradients by both."""

    def cost(params: Any, images: Any) -> Any:
        embeddings, changed = embed(encoder, keep, state, params, images)
        return (embeddings * jnp.cos(jnp.arange(embeddings.size).reshape(embeddings.shape))).sum(), changed

    return jax.value_and_grad(cost, argnums=(0, 1), has_aux=True)


def assert_equal(found: Any, expected: Any) -> None:
    def check(a: Any, b: Any) -> None:
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6 * max(1.0, float(np.abs(b).max())))

    jax.tree.map(check, found, expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "encoder", [Residual(), TestTimeAugmentation(encoder=Residual(), views=1)], ids=["residual", "wrapped"]
)
def test_the_same_gradient_and_statistics(encoder: nn.Module) -> None:
    params, state = variables_of(encoder)
    images = jax.random.uniform(jax.random.key(1), SHAPE)
    compute = jax.jit(lambda *of: [gradients(encoder, keep, state)(*of) for keep in ("activations", *KEEPS)])
    expected, *others = compute(params, images)
    assert jax.tree.leaves(expected[0][1])
    assert max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(expected[1])) > 1e-2
    for found in others:
        assert_equal(found, expected)


@pytest.mark.parametrize("keep", KEEPS)
def test_in_chunks_and_for_several_runs_at_once(keep: Keep) -> None:
    encoder = Stateless()
    params, state = variables_of(encoder)
    several = jax.tree.map(lambda leaf: jnp.stack([leaf, 0.5 * leaf]), params)
    images = jax.random.uniform(jax.random.key(1), SHAPE)

    def cost(keep: Keep, chunks: int, params: Any) -> Any:
        whole = lambda *of: embed(encoder, keep, state, *of)[0]  # noqa: E731
        return (embed_in_chunks(whole, chunks, params, images) ** 2).sum()

    both = jax.jit(lambda several: [jax.vmap(jax.grad(functools.partial(cost, *how)))(several) for how in HOW])
    HOW = (("activations", 1), (keep, 3))
    expected, found = both(several)
    assert_equal(found, expected)


def memory(keep: Keep) -> int:
    encoder = IResNet(blocks=(12, 1, 1, 1), width=4, dimension=8)
    shape = (16, 48, 48, 3)
    variables = dict(jax.eval_shape(encoder.init, jax.random.key(0), jnp.zeros((1, *shape[1:]))))
    params = variables.pop("params")

    def cost(params: Any, images: Any, state: Any) -> Any:
        embeddings, changed = embed(encoder, keep, state, params, images)
        return (embeddings**2).sum(), changed

    compiled = (
        jax.jit(jax.grad(cost, has_aux=True)).lower(params, jax.ShapeDtypeStruct(shape, jnp.float32), variables).compile()
    )
    analysis = compiled.memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


@pytest.mark.slow
def test_the_memory_is_really_less() -> None:
    """On a CPU, whose compiler undoes what ``jax.checkpoint`` asks for."""
    everything, convolutions, blocks = map(memory, ("activations", *KEEPS))
    assert blocks < 0.6 * everything
    assert convolutions < 0.75 * everything


def test_a_gradient_that_is_not_a_number_stays_one() -> None:
    encoder = Stateless()
    params, state = variables_of(encoder)
    images = jax.random.uniform(jax.random.key(1), SHAPE)
    found = jax.jit(jax.grad(lambda params: (jnp.nan * embed(encoder, "blocks", state, params, images)[0]).sum()))(params)
    assert all(np.isnan(leaf).any() for leaf in jax.tree.leaves(found))


@pytest.mark.parametrize(
    ("encoder", "side", "parts"),
    [
        (IResNet(blocks=(2, 1, 1, 1)), 12, 5),
        (MobileFaceNet(), 112, 15),
        (DlibResNet(), 103, 14),
        (TestTimeAugmentation(encoder=Residual()), 12, 2),
        (Conv4(), 16, 0),
    ],
)
def test_the_parts_of_encoders(encoder: nn.Module, side: int, parts: int) -> None:
    assert count_parts(encoder, (1, side, side, 3)) == parts


def recognition(encoder: nn.Module, keep: Keep) -> Recognition:
    return Recognition(
        data=Digits(scale=2),
        split=CountSplit(validation=2, test=2),
        batches=IdentityBatches(people=3, images=2),
        augmentation=Augmentation(erase=0.5),
        encoder=encoder,
        loss=Triplet(rule=BatchHard(), reduction="mean"),
        remat=keep,
    )


@pytest.mark.slow
@pytest.mark.end_to_end
def test_an_experiment_keeps_what_its_config_says() -> None:
    """One step with each choice: the same state after it, augmented and normalized as without."""
    states = []
    for keep in ("activations", "blocks"):
        run = Run(experiment=recognition(Residual(), keep), steps=1)
        batch = next(run.experiment.stream(run.experiment.open(), 0))
        program = build(run, {}, batch)
        state = program.init(program.key(0), program.constants, program.put(batch))
        states.append(program.step(state, program.constants, program.put(batch), program.key(0)))
    # Adam's first step is ±1 times the rate wherever a gradient is not 0, so gradients are compared by the moments.
    (first, one), (second, two) = states
    assert_equal(second.optimizer, first.optimizer)
    assert_equal(second.model_state, first.model_state)
    assert float(one.metrics["loss"]) == pytest.approx(float(two.metrics["loss"]), rel=1e-6)


def test_an_encoder_without_blocks_is_refused() -> None:
    for encoder in (Conv4(width=4), Koch(dimension=8)):
        experiment = recognition(encoder, "blocks")
        with pytest.raises(UserError, match=r"has no blocks .* --experiment.remat at activations"):
            jax.eval_shape(experiment.init, jax.random.key(0), {}, {"images": np.zeros((6, 65, 65, 1), np.uint8)})
