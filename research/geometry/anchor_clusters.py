"""Anchor shapes learned from a data set: k-means by the overlap of shapes."""

from typing import NamedTuple

import numpy as np

from likeness.research.checks import as_numpy, check_count
from likeness.research.errors import UserError
from likeness.research.types import AnyArray, Float, Int, Shaped

_SAMPLE = 4096
"""Different shapes of which a run is tried that starts with drawn ones; the best of these runs goes on with all."""

__all__ = ["AnchorClusters", "kmeans_anchors", "mean_best_iou", "shape_iou"]


class AnchorClusters(NamedTuple):
    """The shapes that :func:`kmeans_anchors` found."""

    shapes: tuple[tuple[float, float], ...]
    """Width and height of each, from the smallest area to the largest, for :class:`~.anchors.AnchorGrid`."""
    mean_iou: float
    """Of each given shape with the one of these that fits it best, on average."""
    history: tuple[float, ...]
    """The objective, ``1 - mean_iou``, after each step of the run that was best; it never rises."""


def shape_iou(first: Shaped[AnyArray, "..."], second: Shaped[AnyArray, "..."]) -> Float[np.ndarray, "n m"]:
    """IoU of each shape with each, as if their centers were one: ``min(w, w') min(h, h') / (w h + w' h' - …)``.

    Args:
        first: (n, 2), width and height.
        second: (m, 2), in the same unit.

    Raises:
        ValueError: no numbers of such shapes, or not above 0 and finite.
    """
    a, b = _as_shapes("shape_iou", "first", first), _as_shapes("shape_iou", "second", second)
    return _shape_iou(a, b)


def mean_best_iou(shapes: Shaped[AnyArray, "..."], anchors: Shaped[AnyArray, "..."]) -> float:
    """How well anchors fit: the IoU of each shape with the anchor that is most like it, on average.

    Args:
        shapes: (n, 2), width and height of what there is to find.
        anchors: (k, 2).

    Raises:
        ValueError: no numbers of such shapes, or not above 0 and finite, or none.
    """
    given, against = _as_shapes("mean_best_iou", "shapes", shapes), _as_shapes("mean_best_iou", "anchors", anchors)
    if not len(given) or not len(against):
        raise ValueError(f"mean_best_iou: {len(given)} shapes and {len(against)} anchors have no mean.")
    return float(_shape_iou(given, against).max(axis=1).mean())


def kmeans_anchors(
    shapes: Shaped[AnyArray, "..."], k: int, restarts: int = 5, steps: int = 300, seed: int = 0
) -> AnchorClusters:
    """k anchor shapes by k-means with the distance ``1 - IoU``, for which large and small boxes count alike.

    Each step gives every shape to the anchor of highest IoU, then moves each anchor to the median or the mean of its shapes,
    whichever is better for them, or leaves it. So the objective, the mean of ``1 - IoU``, never rises. One of the runs starts
    with the best anchors for k - 1 and the shape that they fit worst, so it never rises with k either; the others start with
    shapes drawn by k-means++.

    Args:
        shapes: (n, 2), width and height of every box to find.
        k: number of anchors.
        restarts: runs that start with drawn shapes, for each number of anchors up to k. They are tried on 4,096 of the
            shapes if there are more, and the best one is then refined with all.
        steps: at most, in each run.
        seed: of the draws.

    Raises:
        ValueError: no numbers of such a shape, or not above 0 and finite.
        UserError: fewer than k different shapes, of which there would be anchors that nothing belongs to.

    Redmon and Farhadi, "YOLO9000: better, faster, stronger", CVPR 2017.

    Example:
        >>> boxes = [(10.0, 10.0), (11.0, 10.0), (30.0, 60.0), (30.0, 62.0)]
        >>> kmeans_anchors(np.array(boxes), k=2).shapes
        ((10.0, 10.0), (30.0, 60.0))
    """
    check_count("kmeans_anchors", "k", k)
    check_count("kmeans_anchors", "restarts", restarts, least=0)
    check_count("kmeans_anchors", "steps", steps)
    given = _as_shapes("kmeans_anchors", "shapes", shapes)
    distinct, counts = np.unique(given, axis=0, return_counts=True)
    if len(distinct) < k:
        raise UserError(
            f"kmeans_anchors: {k} anchors were asked of {len(given)} boxes of {len(distinct)} different shapes, and some "
            "anchor would have no box. " + (f"Ask for at most {len(distinct)}." if len(distinct) else "Give boxes.")
        )
    rng = np.random.default_rng(seed)
    best = np.zeros((0, 2))
    history: list[float] = []
    for size in range(1, k + 1):
        worst = distinct[np.argmax(_distances(distinct, best))] if size > 1 else np.median(given, axis=0)
        starts = [np.concatenate([best, worst[None]])]
        if restarts:
            part = slice(None)
            if len(distinct) > _SAMPLE:
                part = rng.choice(len(distinct), _SAMPLE, replace=False)
            few = distinct[part], counts[part]
            tried = [_refined(*few, _drawn(*few, size, rng), steps) for _ in range(restarts)]
            starts.append(min(tried, key=lambda run: run[1][-1])[0])
        best, history = min((_refined(distinct, counts, start, steps) for start in starts), key=lambda run: run[1][-1])
    best = best[np.lexsort((best[:, 0], best.prod(axis=1)))]
    return AnchorClusters(
        shapes=tuple((float(w), float(h)) for w, h in best), mean_iou=1.0 - history[-1], history=tuple(history)
    )


def _refined(
    shapes: Float[np.ndarray, "n 2"], counts: Int[np.ndarray, "n"], anchors: Float[np.ndarray, "k 2"], steps: int
) -> tuple[Float[np.ndarray, "k 2"], list[float]]:
    """Lloyd's steps until nothing changes, and the objective before and after each."""
    anchors = anchors.copy()
    weights = counts / counts.sum()
    distance = 1.0 - _shape_iou(shapes, anchors)
    history = [float(weights @ distance.min(axis=1))]
    for _ in range(steps):
        owner = distance.argmin(axis=1)
        for j in range(len(anchors)):
            own = np.flatnonzero(owner == j)
            if not len(own):
                continue
            mean = counts[own] @ shapes[own] / counts[own].sum()
            centers = np.stack([anchors[j], _weighted_median(shapes[own], counts[own]), mean])
            anchors[j] = centers[np.argmax(counts[own] @ _shape_iou(shapes[own], centers))]
        distance = 1.0 - _shape_iou(shapes, anchors)
        history.append(float(weights @ distance.min(axis=1)))
        # Rounding may add what is no rise.
        if history[-1] >= history[-2]:
            history[-1] = history[-2]
            break
    return anchors, history


def _drawn(
    shapes: Float[np.ndarray, "n 2"], counts: Int[np.ndarray, "n"], k: int, rng: np.random.Generator
) -> Float[np.ndarray, "k 2"]:
    """Different shapes, each drawn with a chance that grows with the square of its distance to those before."""
    chosen = shapes[[rng.choice(len(shapes), p=counts / counts.sum())]]
    while len(chosen) < k:
        chance = counts * _distances(shapes, chosen) ** 2
        # Shapes that differ in the last bit are no distance apart.
        chance = chance if chance.sum() > 0 else np.ones(len(shapes))
        chosen = np.concatenate([chosen, shapes[[rng.choice(len(shapes), p=chance / chance.sum())]]])
    return chosen


def _distances(shapes: Float[np.ndarray, "n 2"], anchors: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "n"]:
    return np.maximum(1.0 - _shape_iou(shapes, anchors).max(axis=1), 0.0)


def _shape_iou(first: Float[np.ndarray, "n 2"], second: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "n m"]:
    shared = np.minimum(first[:, 0, None], second[:, 0]) * np.minimum(first[:, 1, None], second[:, 1])
    return shared / (first.prod(axis=1)[:, None] + second.prod(axis=1) - shared)


def _weighted_median(shapes: Float[np.ndarray, "n 2"], counts: Int[np.ndarray, "n"]) -> Float[np.ndarray, "2"]:
    """Of width and height by itself; the mean of the two middle ones where there is no one in the middle."""
    middle = []
    for values in shapes.T:
        order = np.argsort(values)
        below = np.cumsum(counts[order])
        total = below[-1]
        first, last = (np.searchsorted(below, half, side="left") for half in ((total + 1) // 2, total // 2 + 1))
        middle.append((values[order[first]] + values[order[last]]) / 2)
    return np.array(middle)


def _as_shapes(owner: str, name: str, shapes: Shaped[AnyArray, "..."]) -> Float[np.ndarray, "n 2"]:
    given = np.asarray(as_numpy(owner, name, shapes, ("n", 2), help="Give width and height of each."), np.float64)
    wrong = np.flatnonzero(~(np.isfinite(given).all(axis=1) & (given > 0).all(axis=1)))
    if len(wrong):
        raise ValueError(
            f"{owner}: {name} number {wrong[0]} is {given[wrong[0]].tolist()}, and width and height must be finite and above "
            "0. Leave out boxes without area first (is_degenerate)."
        )
    return given
