"""Embeddings brought into the plane, for a map of who lies near whom."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_PERPLEXITY = 30.0


class Projection(NamedTuple):
    """Points in the plane, and how they came there."""

    name: str
    points: Float[np.ndarray, "n 2"]
    note: str


def projections(embeddings: Float[np.ndarray, "n *d"]) -> list[Projection]:
    """PCA, which keeps large distances, and t-SNE, which keeps neighbors, by scikit-learn; none of fewer than five points.

    Example:
        >>> [each.name for each in projections(np.eye(8, dtype=np.float32))]
        ['PCA', 't-SNE']
    """
    flat = np.asarray(embeddings, np.float64).reshape(len(embeddings), -1)
    if len(flat) < 5 or flat.shape[1] < 2 or not np.isfinite(flat).all():
        return []
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    pca = PCA(2, random_state=0)
    plane = pca.fit_transform(flat)
    kept = float(np.nan_to_num(pca.explained_variance_ratio_.sum()))
    perplexity = min(_PERPLEXITY, (len(flat) - 1) / 3)
    near = TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(flat)
    return [
        Projection("PCA", plane, f"the plane keeps {100 * kept:.0f} % of the variance"),
        Projection("t-SNE", np.asarray(near, np.float64), f"perplexity {perplexity:.3g}; only who is near whom has a meaning"),
    ]
