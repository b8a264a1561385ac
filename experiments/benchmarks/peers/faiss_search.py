"""Exact search by a flat index of FAISS."""

import os

import faiss  # pyright: ignore[reportMissingImports]
import numpy as np

from likeness.experiments.benchmarks.protocol import Work

_MANY = 20
"""From so many queries on a matrix product is faster. FAISS 1.15 takes it only from far more on, which makes 64 queries among
100,000 six times as slow."""


def flat_search(gallery: np.ndarray, queries: np.ndarray, nearest: int, metric: str) -> Work:
    """The nearest of a gallery of unit vectors.

    Args:
        gallery: (n, d).
        queries: (q, d).
        nearest: k.
        metric: ``squared distance``, or ``inner product``, which ranks unit vectors alike.
    """
    faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))
    if len(queries) >= _MANY:
        faiss.cvar.distance_compute_blas_threshold = 1
    product = metric == "inner product"
    index = (faiss.IndexFlatIP if product else faiss.IndexFlatL2)(gallery.shape[1])
    index.add(gallery)

    def answer() -> tuple[np.ndarray, ...]:
        found = index.search(queries, nearest)[0]
        return (2 - 2 * found if product else found,)

    return Work(lambda: index.search(queries, nearest) and None, answer=answer)
