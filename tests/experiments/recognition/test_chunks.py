"""A batch in chunks: the gradient of the whole, and the memory of a part."""

import json
import os
import subprocess
import sys
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.chunks import embed_in_chunks
from likeness.research.data import CountSplit, Faces, IdentityBatches
from likeness.research.data.augmentation import Augmentation
from likeness.research.encoders import Conv4
from likeness.research.errors import UserError
from likeness.research.losses import BatchHard, MarginSoftmax, Siamese, Triplet

ROWS = 64


class Convolutions(nn.Module):
    """Small, without batch normalization; ``dropout`` drops units by a key of each row."""

    dropout: float = 0.0

    @nn.compact
    def __call__(self, images, train: bool = False, keys=None):
        x = images
        for width in (8, 16):
            x = nn.relu(nn.Conv(width, (3, 3), strides=(2, 2))(x))
        x = x.reshape(len(x), -1)
        if keys is not None:
            x = x * jax.vmap(lambda key: jax.random.bernoulli(key, 1 - self.dropout, x.shape[1:]))(keys)
        return {"embedding": nn.Dense(8)(x)}


LABELS = jnp.asarray(np.arange(ROWS) // 4)
LOSSES = [Triplet(rule=BatchHard(), reduction="mean"), Siamese(), MarginSoftmax(classes=ROWS // 4, scale=8.0)]


def network(dropout: float = 0.0):
    net = Convolutions(dropout)
    rows = {"images": jax.random.uniform(jax.random.key(0), (ROWS, 24, 24, 1))}
    if dropout:
        rows["keys"] = jax.random.split(jax.random.key(1), ROWS)
    params = jax.jit(net.init)(jax.random.key(2), rows["images"][:1])
    return lambda params, rows: net.apply(params, **rows)["embedding"], params, rows


def norm_of_difference(one, other) -> float:
    flat = [np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]) for tree in (one, other)]
    return float(np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dropout", "loop"),
    [(0.5, True), *(pytest.param(*case, marks=pytest.mark.end_to_end) for case in ((0.0, False), (0.0, True), (0.5, False)))],
)
def test_the_gradient_is_the_whole_batchs(dropout: float, loop: bool):
    """Embeddings, value and gradient to 1e-6, for every kind of loss, with and without dropout by keys of the rows."""
    embed, params, rows = network(dropout)
    own = [loss.init(jax.random.key(3), 8) for loss in LOSSES]

    def costs(params, own, rows, chunks):
        found = embed(params, rows) if chunks == 1 else embed_in_chunks(embed, chunks, params, rows, loop=loop)
        values = [loss.value_and_diagnostics(weights, found, LABELS)[0] for loss, weights in zip(LOSSES, own, strict=True)]
        return sum(values), found

    run = jax.jit(jax.value_and_grad(costs, argnums=(0, 1), has_aux=True), static_argnums=3)
    (value, whole), gradients = run(params, own, rows, 1)
    for chunks in (2, 8):
        (found, embeddings), slopes = run(params, own, rows, chunks)
        np.testing.assert_allclose(embeddings, whole, rtol=1e-6, atol=1e-6)
        assert found == pytest.approx(float(value), rel=1e-6)
        assert norm_of_difference(gradients, slopes) <= 1e-6


@pytest.mark.parametrize("loop", [False, True])
def test_the_memory_is_one_chunks(loop: bool):
    """Temporary memory of the compiled gradient: eight chunks hold less than a third of what the batch holds."""
    embed, params, rows = network()

    def held(chunks: int) -> int:
        def cost(params, rows):
            found = embed(params, rows) if chunks == 1 else embed_in_chunks(embed, chunks, params, rows, loop=loop)
            return LOSSES[0](found, LABELS)

        return jax.jit(jax.grad(cost)).lower(params, rows).compile().memory_analysis().temp_size_in_bytes

    assert held(8) < held(1) / 3


def test_chunks_stay_apart_unless_looped():
    """No loop in a CPU's program by default; elsewhere XLA compiles one chunk."""
    embed, params, rows = network()

    def text(*, loop):
        cost = lambda params: embed_in_chunks(embed, 4, params, rows, loop=loop).sum()  # noqa: E731
        return jax.jit(jax.grad(cost)).lower(params).as_text()

    assert ("stablehlo.while" in text(loop=None)) == (jax.default_backend() != "cpu")
    assert "stablehlo.while" in text(loop=True)


class Plain(nn.Module):
    """Convolutions behind an encoder's interface, for Recognition."""

    @nn.compact
    def __call__(self, images, train: bool = False):
        return Convolutions(name="inside")(images)


def an_experiment(**changes) -> Recognition:
    fields = {
        "data": Faces(people=12, images=4, size=16, channels=1),
        "split": CountSplit(validation=2, test=2),
        "batches": IdentityBatches(people=4, images=4),
        "encoder": Plain(),
        "loss": LOSSES[0],
        "augmentation": Augmentation(mirror=0.5, erase=0.5),
    }
    return Recognition(**(fields | changes))


@pytest.mark.slow
@pytest.mark.end_to_end
def test_recognition_in_chunks_is_recognition():
    """The same augmentation, loss, metrics and gradient by the same key."""
    found = []
    for chunks in (1, 4):
        experiment = an_experiment(gradient_cache_chunks=chunks)
        batch = next(experiment.stream(experiment.open(), 0))

        def cost(params, state, batch, key, experiment=experiment):
            result = experiment.cost(params, state, {}, batch, key)
            return result.value, result

        variables = jax.jit(experiment.init)(jax.random.key(0), {}, batch)
        run = jax.jit(jax.value_and_grad(cost, has_aux=True))
        (_, result), gradients = run(*variables, batch, jax.random.key(1))
        assert result.state == {}
        found.append(((result.value, dict(result.metrics)), gradients))
    (one, gradients), (other, slopes) = found
    assert jax.tree.all(jax.tree.map(lambda a, b: np.allclose(a, b, rtol=1e-5, atol=1e-6), one, other))
    assert norm_of_difference(gradients, slopes) <= 1e-6


@pytest.mark.slow
@pytest.mark.end_to_end
def test_what_chunks_cannot_do_is_explained():
    with pytest.raises(ValueError, match="give 1 or more"):
        an_experiment(gradient_cache_chunks=0)
    with pytest.raises(UserError, match="16 images cannot be cut into 3 equal chunks"):
        experiment = an_experiment(gradient_cache_chunks=3)
        experiment.stream(experiment.open(), 0)
    normalized = an_experiment(gradient_cache_chunks=4, encoder=Conv4(width=4, dimension=8))
    batch = {"images": np.zeros((16, 16, 16, 1), np.uint8)}
    with pytest.raises(UserError, match="keeps batch_stats.*statistics of the whole batch"):
        jax.eval_shape(normalized.init, jax.random.key(0), {}, batch)
    with pytest.raises(UserError, match="keeps batch_stats"):
        normalized.cost({"encoder": {}, "loss": {}}, {"batch_stats": {"norm": 0}}, {}, batch, jax.random.key(0))


@pytest.mark.slow
def test_on_eight_devices_no_image_changes_its_device():
    """The gradient to 1e-6, and each device has its share of every chunk."""
    root = Path(__file__).parents[3]
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "PYTHONPATH": str(root),
    }
    command = [sys.executable, str(root / "tests" / "support" / "chunks_on_a_mesh.py")]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report.pop("devices") == 8
    for name in ("apart", "looped"):
        assert report[name]["gradient"] <= 1e-6, name
        assert report[name]["images"] == 0, name
