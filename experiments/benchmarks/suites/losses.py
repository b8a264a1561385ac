"""Triplet losses with their gradient, beside pytorch-metric-learning.

Squared distances between unit vectors, the hinge, the mean over active terms. Of all triplets pytorch-metric-learning lists the
indices in one of two ways: vectorized, which it takes by itself while b³ < 2³¹, and by a loop over anchors, which it takes
beyond.
"""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.benchmarks.protocol import OURS, Contender, Row, Size, Work
from likeness.research.losses import BatchAll, BatchHard, SelectionRule, Triplet

PEER = "pytorch-metric-learning"
DIMENSION, MARGIN = 128, 0.2
_PACKAGES = ("torch", "pytorch_metric_learning")


def rows(size: Size) -> tuple[Row, ...]:
    """All triplets, and the hardest, of batches from small to large."""
    if size == "tiny":
        return (_all(16, 4), _hardest(16, 4))
    usual = (_all(64, 4), _all(256, 4), _all(1024, 4), _hardest(1024, 4))
    return (*usual, _all(64, 16), _all(256, 16), _all(1024, 16)) if size == "large" else usual


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
