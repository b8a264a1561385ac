"""What suppression must keep: the definition, one box at a time, over many small sets."""

import functools

import numpy as np

from likeness.research.geometry import Suppression

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
SETS, SIZE = 1024, 24


def plain(boxes, scores, classes=None, threshold=0.5, *, inclusive=False, dtype=np.float64) -> list[int]:
    """The definition, one box at a time, in float64; IoU in another precision if asked for."""
    x = np.asarray(boxes, dtype)
    order = [i for i in np.argsort(-np.asarray(scores, np.float64), kind="stable") if np.isfinite(x[i]).all()]
    order, kept = [i for i in order if not np.isnan(scores[i])], []
    while order:
        best, rest = order[0], []
        for other in order[1:]:
            wide, high = (max(min(x[best, a + 2], x[other, a + 2]) - max(x[best, a], x[other, a]), dtype(0)) for a in (0, 1))
            shared = wide * high
            whole = dtype(np.prod(x[best, 2:] - x[best, :2])) + dtype(np.prod(x[other, 2:] - x[other, :2])) - shared
            value = float(shared / whole) if whole > 0 else 0.0
            drops = value >= threshold if inclusive else value > threshold
            if not drops or (classes is not None and classes[best] != classes[other]):
                rest.append(other)
        kept, order = [*kept, int(best)], rest
    return kept


@functools.cache
def some_sets() -> dict[str, np.ndarray]:
    """Sets of eight kinds. Coordinates are quarters of pixels, so that an area is exact in float32 and IoU is rounded once."""
    rng = np.random.default_rng(0)
    low = rng.integers(0, 160, (SETS, SIZE, 2))
    size = rng.integers(1, 160, (SETS, SIZE, 2))
    kind = np.arange(SETS) % 8
    # Sides of few whole pixels, whose IoU is often a threshold.
    tied = np.isin(kind, (0, 3, 5, 6))
    low, size = np.where(tied[:, None, None], 4 * (low % 6), low), np.where(tied[:, None, None], 4 * (1 + size % 10), size)
    clustered = kind == 1
    low[clustered] = low[clustered][:, rng.integers(0, 3, SIZE)] + rng.integers(0, 24, (clustered.sum(), SIZE, 2))
    same = kind == 2
    which = rng.integers(0, 4, SIZE)
    low[same], size[same] = low[same][:, which], size[same][:, which]
    size[kind == 3] *= rng.random((np.sum(kind == 3), SIZE, 2)) < 0.7
    low[kind == 4] -= 200
    boxes = np.concatenate([low, low + size], axis=-1) / 4
    scores = rng.random((SETS, SIZE))
    scores[same] = scores[same][:, which]
    scores[kind == 5] = np.round(scores[kind == 5] * 3) / 3
    classes = rng.integers(0, 2, (SETS, SIZE))
    classes[kind == 6] = rng.integers(0, 80, (np.sum(kind == 6), SIZE)) // 20 * 20
    mask = np.ones((SETS, SIZE), bool)
    broken = kind == 7
    boxes[broken] = np.where(rng.random((broken.sum(), SIZE, 4)) < 0.05, np.nan, boxes[broken])
    scores[broken] = np.where(rng.random((broken.sum(), SIZE)) < 0.1, np.nan, scores[broken])
    mask[broken] = rng.random((broken.sum(), SIZE)) < 0.8
    boxes[~mask] = np.nan
    return {"boxes": boxes, "scores": scores.astype(np.float32), "classes": classes, "mask": mask}


def overlaps(boxes: np.ndarray, dtype: type) -> np.ndarray:
    """IoU of each with each in a set, 0 where there is no area."""
    x = boxes.astype(dtype)
    a, b = x[:, :, None], x[:, None]
    wide, high = (
        np.maximum(np.minimum(a[..., k + 2], b[..., k + 2]) - np.maximum(a[..., k], b[..., k]), dtype(0)) for k in (0, 1)
    )
    area = (x[..., 2] - x[..., 0]) * (x[..., 3] - x[..., 1])
    whole = area[:, :, None] + area[:, None] - wide * high
    return np.divide(wide * high, whole, out=np.zeros_like(whole), where=whole > 0)


def greedily(drops: np.ndarray, sets: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Indices of what remains of each set, in the order of scores, if ``drops[set, rule, i, j]`` says that i drops j."""
    alive = sets["mask"] & np.isfinite(sets["boxes"]).all(-1) & ~np.isnan(sets["scores"])
    order = np.argsort(-np.where(alive, sets["scores"], -np.inf), axis=-1, kind="stable")
    apart = sets["classes"][:, :, None] != sets["classes"][:, None]
    drops = drops & ~apart[:, None]
    kept = np.repeat(alive[:, None], drops.shape[1], axis=1)
    every, rows = np.arange(len(alive)), np.arange(SIZE)
    for place in range(SIZE):
        i = order[:, place]
        later = np.zeros(alive.shape, bool)
        later[every[:, None], order[:, place + 1 :]] = True
        kept &= ~(drops[every, :, i] & kept[every, :, i][..., None] & later[:, None])
    ordered = np.take_along_axis(kept, np.broadcast_to(order[:, None], kept.shape), axis=-1)
    ranks = np.argsort(~ordered, axis=-1, kind="stable")
    valid = rows < ordered.sum(-1, keepdims=True)
    return np.where(valid, np.take_along_axis(np.broadcast_to(order[:, None], kept.shape), ranks, axis=-1), 0), valid


TOUCHING = np.array([[1.0, 1, 2, 3], [0, 0, 2, 2]])


def kept_of(boxes, scores, classes=None, **how) -> list[int]:
    found = Suppression(**how).select(boxes, scores, classes)
    return found.indices[found.valid].tolist()
