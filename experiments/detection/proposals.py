"""How many objects are among the proposals of a detector that looks at regions one by one."""

from collections.abc import Sequence

import numpy as np

from likeness.experiments.detection.evaluation import truths_of
from likeness.research.data.detection import DetectionExamples
from likeness.research.metrics.detection.proposals import proposal_recall
from likeness.research.metrics.detection.truths import Predictions
from likeness.research.metrics.intervals import Estimate
from likeness.research.types import Float

__all__ = ["of_proposals"]

_KS = (10, 100)


def of_proposals(
    examples: DetectionExamples, proposals: Sequence[Float[np.ndarray, "_n 4"]] | None
) -> dict[str, float | Estimate]:
    """``proposals/recall@k``, the share of objects that one of the first k proposals overlaps by an IoU of 0.5 or more, and
    ``proposals/ar@k``, its mean over IoU thresholds from 0.5 to 0.95; nothing where there are no proposals.

    Args:
        examples: the images.
        proposals: of each, ``xyxy`` in its pixels, best first; None if the detector has none.
    """
    if proposals is None:
        return {}
    given = [Predictions(boxes, -np.arange(len(boxes), dtype=np.float64), np.zeros(len(boxes), int)) for boxes in proposals]
    found = proposal_recall(truths_of(examples), given, ks=_KS)
    metrics: dict[str, float | Estimate] = {f"proposals/recall@{k}": found.at_half[k] for k in _KS}
    return metrics | {f"proposals/ar@{_KS[-1]}": found.average[_KS[-1]]}
