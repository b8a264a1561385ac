"""COCO's rules written down once more as plain loops over Python floats, from the rules and from no code."""

import numpy as np

IOUS = tuple(np.linspace(0.5, 0.95, 10).tolist())
AREAS = {"all": (0, 1e10), "small": (0, 1024), "medium": (1024, 9216), "large": (9216, 1e10)}


def overlap(detection, truth, crowd):
    """Of two ``[x, y, width, height]``."""
    (x, y, w, h), (u, v, r, s) = detection, truth
    across = min(x + w, u + r) - max(x, u)
    down = min(y + h, v + s) - max(y, v)
    if across <= 0 or down <= 0:
        return 0.0
    inside = across * down
    return inside / (w * h if crowd else w * h + r * s - inside)


def outcomes(truths, detections, threshold, low, high):
    """Of one image and class: (score, +1 right, -1 wrong, 0 neither) by falling score, and how many must be found.

    ``truths`` are (box, area, crowd, difficult) and ``detections`` (box, score).
    """
    must = [bool(low <= area <= high and not crowd and not difficult) for _, area, crowd, difficult in truths]
    free = [True] * len(truths)
    said = []
    for box, score in sorted(detections, key=lambda each: -each[1]):
        best = None
        for wanted in (True, False):
            for place, (other, _, crowd, _) in enumerate(truths):
                if must[place] is wanted and (free[place] or crowd):
                    iou = overlap(box, other, crowd)
                    if iou >= threshold and (best is None or iou >= best[0]):
                        best = (iou, place)
            if best is not None:
                break
        if best is not None:
            free[best[1]] = False
            said.append((score, 1 if must[best[1]] else 0))
        else:
            said.append((score, -1 if low <= box[2] * box[3] <= high else 0))
    return said, sum(must)


def curve(said, positives):
    """Precision at 101 recalls, and the recall of all. Equal scores keep their order."""
    found = wrong = 0
    points = []
    for _, outcome in sorted(said, key=lambda each: -each[0]):
        found, wrong = found + (outcome > 0), wrong + (outcome < 0)
        points.append((found / positives, found / (found + wrong) if found else 0.0))
    table = [max((p for r, p in points if r >= i / 100), default=0.0) for i in range(101)]
    return table, found / positives


def evaluate(images, classes, most=100):
    """``{(threshold, class, area): (101 precisions, recall)}``, of what must be found.

    ``images`` are (truths, detections) with a class before each of their entries.
    """
    tables = {}
    for threshold in IOUS:
        for name, (low, high) in AREAS.items():
            for each in classes:
                said, positives = [], 0
                for truths, detections in images:
                    some = sorted((d[1:] for d in detections if d[0] == each), key=lambda d: -d[1])[:most]
                    more, count = outcomes([t[1:] for t in truths if t[0] == each], some, threshold, low, high)
                    said, positives = said + more, positives + count
                if positives:
                    tables[threshold, each, name] = curve(said, positives)
    return tables
