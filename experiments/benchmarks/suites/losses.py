"""Triplet losses, other losses of pairs, and heads on class centers, with their gradient, beside pytorch-metric-learning.

Of triplets: squared distances between unit vectors, the hinge, the mean over active terms. Of all triplets
pytorch-metric-learning lists the indices in one of two ways: vectorized, which it takes by itself while b³ < 2³¹, and by a loop
over anchors, which it takes beyond. The other losses have the papers' values on both sides (``peers/pml_losses.py``).
"""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.benchmarks.protocol import OURS, Contender, Row, Size, Work
from likeness.research.losses import (
    ArcFace,
    BatchAll,
    BatchHard,
    Circle,
    CosFace,
    MultiSimilarity,
    NTXent,
    ProxyAnchor,
    RecognitionLoss,
    SelectionRule,
    SubcenterArcFace,
    SupCon,
    Triplet,
)

PEER = "pytorch-metric-learning"
DIMENSION, MARGIN = 128, 0.2
_CLASSES = 10_000
_PACKAGES = ("torch", "pytorch_metric_learning")


def rows(size: Size) -> tuple[Row, ...]:
    """All triplets, and the hardest, of batches from small to large; and the other losses of one batch."""
    if size == "tiny":
        return (_all(16, 4), _hardest(16, 4), *(_other(name, 16, 4, 4) for name in _others(4)))
    others = tuple(_other(name, 256, 4, _CLASSES) for name in _others(_CLASSES))
    usual = (*(_all(batch, 4) for batch in (128, 512, 1024)), _hardest(1024, 4), *others)
    return (*usual, *(_all(batch, 16) for batch in (128, 512, 1024))) if size == "large" else usual


def _all(batch: int, images: int) -> Row:
    triplets = batch * (images - 1) * (batch - images)
    contenders = (
        Contender(OURS, functools.partial(_ours, BatchAll(), batch, images), ("jax",)),
        Contender(PEER, functools.partial(_theirs, "vectorized", batch, images), _PACKAGES, peer=True),
        Contender(f"{PEER}, by a loop", functools.partial(_theirs, "loop", batch, images), _PACKAGES, peer=True),
    )
    return Row(f"all {triplets:,} triplets, b = {batch}, K = {images}", contenders, tolerance=(1e-4, 1e-4))


def _hardest(batch: int, images: int) -> Row:
    contenders = (
        Contender(OURS, functools.partial(_ours, BatchHard(), batch, images), ("jax",)),
        Contender(PEER, functools.partial(_theirs, "hardest", batch, images), _PACKAGES, peer=True),
    )
    return Row(f"hardest triplets, b = {batch}, K = {images}", contenders, tolerance=(1e-4, 1e-4))


def _others(classes: int) -> dict[str, RecognitionLoss]:
    return {
        "SupCon": SupCon(),
        "NT-Xent": NTXent(),
        "multi-similarity": MultiSimilarity(),
        "circle": Circle(),
        "proxy-anchor": ProxyAnchor(classes=classes),
        "ArcFace": ArcFace(classes=classes),
        "CosFace": CosFace(classes=classes),
        "sub-center ArcFace": SubcenterArcFace(classes=classes),
    }


def _other(name: str, batch: int, images: int, classes: int) -> Row:
    """A loss of pairs, or one with so many class centers, of which the last is one of the batch's."""
    centered = "centers" in jax.eval_shape(lambda: _others(classes)[name].init(jax.random.key(0), DIMENSION))
    contenders = (
        Contender(OURS, functools.partial(_ours_other, name, batch, images, classes), ("jax",)),
        Contender(PEER, functools.partial(_theirs_other, name, batch, images, classes), _PACKAGES, peer=True),
    )
    of = f"{classes:,} classes" if centered else f"K = {images}"
    return Row(f"{name}, b = {batch}, {of}", contenders, tolerance=(1e-3, 1e-4, 1e-4)[: 3 if centered else 2])


def _with_centers(name: str, batch: int, images: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Embeddings, labels, and centers for a loss that has some."""
    x, labels = embeddings(batch, images)
    shapes = jax.eval_shape(lambda: _others(classes)[name].init(jax.random.key(0), DIMENSION))
    if "centers" not in shapes:
        return x, labels, None
    labels = np.where(labels == labels.max(), classes - 1, labels)
    return x, labels, np.random.default_rng(1).normal(size=shapes["centers"].shape).astype(np.float32)


def _ours_other(name: str, batch: int, images: int, classes: int) -> Work:
    loss = _others(classes)[name]
    x, labels, centers = _with_centers(name, batch, images, classes)
    params = {} if centers is None else {"centers": jnp.asarray(centers)}

    def value(params: dict, x: jax.Array, labels: jax.Array) -> jax.Array:
        return loss.value_and_diagnostics(params, x, labels)[0]

    arrays = params, jnp.asarray(x), jnp.asarray(labels)
    began = time.perf_counter()
    compiled = jax.jit(jax.value_and_grad(value, argnums=(0, 1))).lower(*arrays).compile()
    compiling = time.perf_counter() - began
    cost = compiled.cost_analysis() or {}

    def answer() -> tuple[np.ndarray, ...]:
        found, (by_weights, by_embeddings) = compiled(*arrays)
        return tuple(map(np.asarray, (found, by_embeddings, *by_weights.values())))

    return Work(
        lambda: jax.block_until_ready(compiled(*arrays)) and None, compiling, moved=cost.get("bytes accessed"), answer=answer
    )


def _theirs_other(name: str, batch: int, images: int, classes: int) -> Work:
    from likeness.experiments.benchmarks.peers.pml_losses import loss

    return loss(name, *_with_centers(name, batch, images, classes))


def embeddings(batch: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors, loosely grouped by person, in random order."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.arange(batch) // images).astype(np.int32)
    x = generator.normal(size=(batch, DIMENSION)) + 0.7 * generator.normal(size=(batch, DIMENSION))[labels]
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), labels


def _ours(rule: SelectionRule, batch: int, images: int) -> Work:
    loss = Triplet(margin=MARGIN, rule=rule, reduction="mean_active")
    arrays = tuple(map(jnp.asarray, embeddings(batch, images)))
    began = time.perf_counter()
    compiled = jax.jit(jax.value_and_grad(loss.__call__)).lower(*arrays).compile()
    compiling = time.perf_counter() - began
    cost = compiled.cost_analysis() or {}

    return Work(
        lambda: jax.block_until_ready(compiled(*arrays)) and None,
        compiling,
        moved=cost.get("bytes accessed"),
        answer=lambda: compiled(*arrays),
    )


def _theirs(way: str, batch: int, images: int) -> Work:
    from likeness.experiments.benchmarks.peers.pml_triplets import triplets

    return triplets(way, *embeddings(batch, images), MARGIN)
