"""The ten nearest of many embeddings, exactly, beside a flat index of FAISS.

Vectors have unit length, so that inner products rank them as squared distances do, and FAISS is timed by both. Each vector is a
person's. Ours also computes the distances that it answers again, as a direct comparison gives them, and leaves nobody out for
rounding. In rows of their own are what smaller stores cost, whose answers are to be equal to the bit.
"""

import functools

import numpy as np

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.research.gallery import STORES, Index, Store

PEER, PRODUCT = "FAISS", "FAISS, inner product"
DIMENSION, NEAREST, QUERIES = 128, 10, (1, 64, 1024)
TOLERANCE = 1e-5
"""FAISS's distances are differences of norms and products, off by so much."""


def rows(size: Size) -> tuple[Row, ...]:
    """One query at a time, some, and many; of a hundred thousand, and where asked for of a million."""
    galleries = {"tiny": (1_000,), "usual": (100_000,), "large": (100_000, 1_000_000)}[size]
    beside_faiss = [_row(people, queries) for people in galleries for queries in QUERIES]
    return (*beside_faiss, *(_stores(people) for people in galleries))


def _row(people: int, queries: int) -> Row:
    contenders = (
        Contender(OURS, functools.partial(_ours, people, queries), ("jax",)),
        Contender(PEER, functools.partial(_theirs, people, queries, "squared distance"), ("faiss",), peer=True),
        Contender(PRODUCT, functools.partial(_theirs, people, queries, "inner product"), ("faiss",), peer=True),
    )
    name = f"{queries:,} quer{'ies' if queries > 1 else 'y'} among {people:,} × {DIMENSION}, k = {NEAREST}"
    # At most 1.1 times FAISS's time.
    return Row(name, contenders, Goal(PEER, 1 / 1.1), tolerance=(TOLERANCE,))


def _stores(people: int) -> Row:
    """What each store takes for the same answers."""
    queries = 64
    small = [Contender(store, functools.partial(_ours, people, queries, store), ("jax",)) for store in STORES[1:]]
    return Row(
        f"{queries:,} queries among {people:,} × {DIMENSION}, stores",
        (Contender(OURS, functools.partial(_ours, people, queries), ("jax",)), *small),
    )


def vectors(people: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """The gallery, and queries that lie near some of it."""
    generator = np.random.default_rng(0)

    def unit(x: np.ndarray) -> np.ndarray:
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    gallery = unit(generator.standard_normal((people, DIMENSION), np.float32))
    return gallery, unit(
        gallery[np.arange(queries) % people] + 0.05 * generator.standard_normal((queries, DIMENSION), np.float32)
    )


def _operations(people: int, queries: int) -> float:
    return 2.0 * people * queries * DIMENSION


def _ours(people: int, queries: int, store: Store = "float32") -> Work:
    gallery, asked = vectors(people, queries)
    index = Index(gallery, np.arange(people), store=store)
    return Work(
        lambda: index.nearest(asked, NEAREST) and None,
        operations=_operations(people, queries),
        answer=lambda: (index.nearest(asked, NEAREST).distances,),
    )


def _theirs(people: int, queries: int, metric: str) -> Work:
    from likeness.experiments.benchmarks.peers.faiss_search import flat_search

    return flat_search(*vectors(people, queries), NEAREST, metric)
