"""A training step in PyTorch as its tuning guide writes it: channels last, and Adam over all parameters at once."""

import os
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from likeness.experiments.benchmarks.protocol import Work


def training_step(encoder: Any, images: np.ndarray, labels: np.ndarray, margin: float, rate: float) -> Work:
    """Steps of an encoder by batch-hard triplets.

    Args:
        encoder: in training mode from now on.
        images: (b, h, w, c), uint8; they are made floating point here, as a data loader would.
        labels: (b,).
        margin: of the triplets.
        rate: of Adam.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    encoder = encoder.to(memory_format=torch.channels_last).train()
    batch = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float().div(255)
    batch = batch.to(memory_format=torch.channels_last)
    same = torch.from_numpy(labels[:, None] == labels[None])
    optimizer = torch.optim.Adam(encoder.parameters(), rate, foreach=True)

    def once() -> None:
        optimizer.zero_grad()
        embeddings = encoder(batch)
        distances = 2 - 2 * embeddings @ embeddings.T
        positive = torch.where(same, distances, -torch.inf).amax(1)
        negative = torch.where(same, torch.inf, distances).amin(1)
        functional.relu(positive - negative + margin).mean().backward()
        optimizer.step()

    learned = sum(each.numel() for each in encoder.parameters() if each.requires_grad)
    return Work(once, answer=lambda: (np.asarray(learned),))
