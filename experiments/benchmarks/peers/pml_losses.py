"""Losses of pairs and on class centers of pytorch-metric-learning, with their gradient."""

import os
from collections.abc import Callable

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from pytorch_metric_learning import distances, losses  # pyright: ignore[reportMissingImports]

from likeness.experiments.benchmarks.protocol import Work

_EUCLIDEAN = distances.LpDistance(normalize_embeddings=False, p=2, power=1)
_LOSSES: dict[str, Callable[[int, int], torch.nn.Module]] = {
    "SupCon": lambda classes, dimension: losses.SupConLoss(temperature=0.1),
    "NT-Xent": lambda classes, dimension: losses.NTXentLoss(temperature=0.1),
    "multi-similarity": lambda classes, dimension: losses.MultiSimilarityLoss(alpha=2, beta=50, base=0.5),
    "circle": lambda classes, dimension: losses.CircleLoss(m=0.25, gamma=256),
    "proxy-anchor": lambda classes, dimension: losses.ProxyAnchorLoss(classes, dimension, margin=0.1, alpha=32),
    "ArcFace": lambda classes, dimension: losses.ArcFaceLoss(classes, dimension, margin=np.degrees(0.5), scale=64),
    "CosFace": lambda classes, dimension: losses.CosFaceLoss(classes, dimension, margin=0.35, scale=64),
    "sub-center ArcFace": lambda classes, dimension: losses.SubCenterArcFaceLoss(
        num_classes=classes, embedding_size=dimension, margin=np.degrees(0.5), scale=64, sub_centers=3
    ),
}


def loss(name: str, x: np.ndarray, labels: np.ndarray, centers: np.ndarray | None) -> Work:
    """One of them.

    Args:
        name: which.
        x: (b, d).
        labels: (b,).
        centers: what its own weights are, one row a center; None for a loss without.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    classes = int(labels.max()) + 1
    criterion = _LOSSES[name](classes, x.shape[1])
    weights = list(criterion.parameters())
    if centers is not None:
        (own,) = weights
        own.data = torch.from_numpy(centers if own.shape == centers.shape else centers.T.copy())
    rows, people = torch.from_numpy(x).requires_grad_(), torch.from_numpy(labels.astype(np.int64))

    def both() -> tuple[torch.Tensor, ...]:
        value = criterion(rows, people)
        return value, *torch.autograd.grad(value, [rows, *weights])

    def answer() -> tuple[np.ndarray, ...]:
        value, *slopes = both()
        by_weights = [
            slope.numpy() if centers is None or slope.shape == centers.shape else slope.numpy().T for slope in slopes[1:]
        ]
        return value.detach().numpy(), slopes[0].numpy(), *by_weights

    def once() -> None:
        both()

    return Work(once, answer=answer)
