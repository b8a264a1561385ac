"""How many objects are among the first k proposals of an image, whatever their class."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from likeness.research.checks import check_count
from likeness.research.metrics.bootstrap import clustered_rate
from likeness.research.metrics.detection.average_precision import AREAS, IOU_THRESHOLDS, all_classes
from likeness.research.metrics.detection.curves import ratio_of_images
from likeness.research.metrics.detection.matching import AreaRange, match
from likeness.research.metrics.detection.truths import GroundTruth, Predictions, check_images
from likeness.research.metrics.intervals import Estimate

KS = (1, 10, 100, 300, 1000)
"""How many proposals of an image are looked at."""


@dataclasses.dataclass(frozen=True, eq=False)
class ProposalRecall:
    """What :func:`proposal_recall` measured."""

    recall: Float[np.ndarray, "k t"]
    """By number of proposals and IoU threshold."""
    ks: tuple[int, ...]
    iou_thresholds: Float[np.ndarray, "t"]
    average: dict[int, Estimate]
    """AR@k, the mean over IoU thresholds, by k."""
    at_half: dict[int, Estimate]
    """Recall at the IoU threshold nearest 0.5, by k."""
    rank: Int[np.ndarray, "t m"]
    """Of each truth, how many proposals of its image come before the one that found it; -1 if none did."""


def proposal_recall(
    truths: Sequence[GroundTruth],
    proposals: Sequence[Predictions],
    ks: Sequence[int] = KS,
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
    area: AreaRange = AREAS[0],
    seed: int = 0,
) -> ProposalRecall:
    """Returns the recall of the k surest proposals of each image, with intervals that resample images.

    Classes are not looked at. Proposals find truths one to one, by COCO's rules. The mean over IoU thresholds from 0.5 to 0.95
    is what COCO calls AR and Hosang et al. average recall.

    Args:
        truths: One for each image. Crowds and difficult truths need not be found.
        proposals: One for each image; their classes may be anything.
        ks: Numbers of proposals.
        iou_thresholds: Rising.
        area: Truths of which size count.
        seed: Of the resampling.

    Raises:
        ValueError: There are not as many images of one as of the other, or k is not at least 1.

    Hosang et al., "What makes for effective detection proposals?", PAMI 2016.
    """
    check_images("proposal_recall", truths, proposals)
    for k in ks:
        check_count("proposal_recall", "ks", k)
    thresholds = np.array(iou_thresholds, np.float64)
    if not len(thresholds) or not np.all(np.diff(thresholds, prepend=0.0) > 0) or thresholds[-1] > 1:
        raise ValueError(f"proposal_recall: IoU thresholds must rise from above 0 to 1 at most, and are {iou_thresholds}.")
    found = match(truths, proposals, all_classes(truths, proposals), thresholds, [area], max(ks), class_agnostic=True)
    must = found.counts[0]
    rank = np.full((len(thresholds), len(must)), -1)
    step, detection = np.nonzero(found.hit[0])
    rank[step, found.matched[0, step, detection]] = found.rank[detection]
    rank, images = rank[:, must], found.truths.image[must]
    among = np.stack([(rank >= 0) & (rank < k) for k in ks])
    whole = np.bincount(images, minlength=found.images)
    half = int(np.argmin(np.abs(thresholds - 0.5)))
    average, at_half = {}, {}
    for k, seen in zip(ks, among, strict=True):
        average[k] = ratio_of_images(np.bincount(images, seen.mean(axis=0), minlength=found.images), whole, seed)
        at_half[k] = clustered_rate(seen[half], images, seed=seed)
    recall = among.mean(axis=2) if must.any() else np.full(among.shape[:2], np.nan)
    return ProposalRecall(recall, tuple(ks), thresholds, average, at_half, rank)
