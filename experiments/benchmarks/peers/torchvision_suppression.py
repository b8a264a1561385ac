"""Non-maximum suppression by torchvision's compiled loop."""

import os

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torchvision.ops import batched_nms, nms  # pyright: ignore[reportMissingImports]

from likeness.experiments.benchmarks.protocol import Work


def suppressing(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray | None, threshold: float, at_most: int | None
) -> Work:
    """The boxes that remain, image by image.

    Args:
        boxes: (images, n, 4).
        scores: (images, n).
        classes: (images, n), or None if all boxes compete.
        threshold: of IoU.
        at_most: how many of the best remain.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    images = [
        tuple(torch.from_numpy(array[row]) for array in (boxes, scores, *(() if classes is None else (classes,))))
        for row in range(len(scores))
    ]
    keep = nms if classes is None else batched_nms

    def every() -> list[torch.Tensor]:
        with torch.inference_mode():
            return [keep(*image, threshold)[:at_most] for image in images]

    def once() -> None:
        every()

    return Work(once, answer=lambda: (torch.cat(every()).numpy(),))
