"""Greedy suppression in float64, as its definition reads."""

import numpy as np


def iou(box, boxes):
    corner = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    common = np.prod(np.maximum(corner[1] - corner[0], 0), axis=-1)
    areas = [np.prod(np.maximum(each[..., 2:] - each[..., :2], 0), axis=-1) for each in (box, boxes)]
    return common / np.maximum(areas[0] + areas[1] - common, 1e-12)


def greedy(boxes, scores, classes, iou_threshold, score_threshold):
    """The indices that remain, in falling order of score."""
    order = [index for index in np.argsort(-scores, kind="stable") if scores[index] > score_threshold]
    kept = []
    while order:
        best, *rest = order
        kept.append(best)
        shares = iou(boxes[best], boxes[rest]) if rest else ()
        order = [
            other
            for other, share in zip(rest, shares, strict=True)
            if share <= iou_threshold or classes[other] != classes[best]
        ]
    return np.array(kept, int)
