"""Losses of pairs in NumPy's float64, written as sums over images and pairs: of distances and two masks."""

import numpy as np


def cosine_distances(x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    y = x if y is None else y
    return 1 - (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (y / np.linalg.norm(y, axis=1, keepdims=True)).T


def squared_distances(x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    y = x if y is None else y
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def euclidean_distances(x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    return np.sqrt(squared_distances(x, y))


def masks(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    same = labels[:, None] == labels[None]
    return same & ~np.eye(len(labels), dtype=bool), ~same


def supcon(d, positive, negative, temperature):
    costs = []
    for row, p, n in zip(d, positive, negative, strict=True):
        if p.any():
            every = np.log(np.exp(-row[p | n] / temperature).sum())
            costs.append(np.mean(every + row[p] / temperature))
    return np.mean(costs) if costs else 0.0


def nt_xent(d, positive, negative, temperature):
    costs = []
    for row, p, n in zip(d, positive, negative, strict=True):
        others = np.exp(-row[n] / temperature).sum()
        costs += [np.log(1 + others / np.exp(-own / temperature)) for own in row[p]]
    return np.mean(costs) if costs else 0.0


def multi_similarity(d, positive, negative, alpha, beta, threshold, anchors=None):
    anchors = (positive | negative).any(1) if anchors is None else anchors
    costs = [
        np.log1p(np.exp(alpha * (row[p] - threshold)).sum()) / alpha
        + np.log1p(np.exp(-beta * (row[n] - threshold)).sum()) / beta
        for row, p, n, counts in zip(d, positive, negative, anchors, strict=True)
        if counts
    ]
    return np.mean(costs) if costs else 0.0


def circle(d, positive, negative, margin, gamma, fixed=None):
    """``fixed`` are the distances that weights are taken from, which the derivative holds fixed."""
    costs = []
    for row, at, p, n in zip(d, d if fixed is None else fixed, positive, negative, strict=True):
        if p.any() and n.any():
            s, weigh = 1 - row, 1 - at
            push = gamma * np.maximum(weigh[n] + margin, 0) * (s[n] - margin)
            pull = -gamma * np.maximum(1 + margin - weigh[p], 0) * (s[p] - 1 + margin)
            costs.append(np.logaddexp(0, np.log(np.exp(push).sum()) + np.log(np.exp(pull).sum())))
    return np.mean(costs) if costs else 0.0


def margin_loss(d, positive, negative, margin, beta, nu=0.0):
    terms = np.concatenate([np.maximum(margin + d[positive] - beta, 0), np.maximum(margin + beta - d[negative], 0)])
    return terms.sum() / max((terms > 0).sum(), 1) + nu * beta


def contrastive(d, positive, negative, margin):
    kinds = [0.5 * d[positive] ** 2, 0.5 * np.maximum(margin - d[negative], 0) ** 2]
    return np.mean([kind.mean() for kind in kinds if kind.size]) if any(kind.size for kind in kinds) else 0.0


def triplets(d, positive, negative, margin):
    return sum(
        max(row[p] - row[n] + margin, 0)
        for row, ps, ns in zip(d, positive, negative, strict=True)
        for p in np.flatnonzero(ps)
        for n in np.flatnonzero(ns)
    )


def proxy_anchor(x, centers, labels, alpha, delta):
    cosines = 1 - cosine_distances(centers, x)
    pull = [np.log1p(np.exp(-alpha * (cosines[c, labels == c] - delta)).sum()) for c in np.unique(labels)]
    push = [np.log1p(np.exp(alpha * (cosines[c, labels != c] + delta)).sum()) for c in range(len(centers))]
    return np.mean(pull) + np.mean(push)
