"""Triplet losses of pytorch-metric-learning, with their gradient by the embeddings."""

import os

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from pytorch_metric_learning import distances, losses, miners  # pyright: ignore[reportMissingImports]
from pytorch_metric_learning.utils import loss_and_miner_utils as listing  # pyright: ignore[reportMissingImports]

from likeness.experiments.benchmarks.protocol import Work


def triplets(way: str, x: np.ndarray, labels: np.ndarray, margin: float) -> Work:
    """The mean over active triplets of squared distances.

    Args:
        way: ``vectorized`` or ``loop`` lists all triplets; ``hardest`` those of each anchor's farthest positive and nearest
            negative.
        x: (b, d).
        labels: (b,).
        margin: of the hinge.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    squared = distances.LpDistance(normalize_embeddings=False, p=2, power=2)
    criterion = losses.TripletMarginLoss(margin=margin, distance=squared)
    miner = miners.BatchHardMiner(distance=squared)
    rows, people = torch.from_numpy(x).requires_grad_(), torch.from_numpy(labels.astype(np.int64))

    def both() -> tuple[torch.Tensor, torch.Tensor]:
        listed = None
        if way == "loop":
            listed = listing.get_all_triplets_indices_loop_method(people, *listing.get_matches_and_diffs(people))
        elif way == "hardest":
            listed = miner(rows, people)
        value = criterion(rows, people, listed)
        return value, torch.autograd.grad(value, rows)[0]

    def answer() -> tuple[np.ndarray, ...]:
        value, gradient = both()
        return value.detach().numpy(), gradient.numpy()

    return Work(lambda: both() and None, answer=answer)
