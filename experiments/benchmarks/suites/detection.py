"""Non-maximum suppression on images of 640 × 640 pixels, beside torchvision's compiled loop.

Boxes lie anywhere, where most of them remain, or many about each object, as a detector finds them. All that remain are asked
for, which is what torchvision returns, except where at most a hundred are: torchvision then cuts its result off. Both must keep
the same boxes in the same order.
"""

import functools
from collections.abc import Callable
from typing import Literal, TypeAlias

import jax
import numpy as np

from likeness.experiments.benchmarks.protocol import OURS, Contender, Goal, Row, Size, Work
from likeness.research.geometry import Suppression

PEER = "torchvision"
SIDE, THRESHOLD, PER_OBJECT, CLASSES = 640.0, 0.5, 25, 80

Scene: TypeAlias = Literal["anywhere", "about objects"]
Given: TypeAlias = Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray | None]]


def rows(size: Size) -> tuple[Row, ...]:
    """So many boxes of one image, those of many classes, and those of 32 images; with their goals on one core."""
    if size == "tiny":
        return (_row("anywhere", 1, 200, None), _row("about objects", 2, 50, None), _row("anywhere", 1, 200, None, CLASSES))
    return (
        _row("about objects", 1, 1000, 0.0005),
        _row("anywhere", 1, 1000, 0.0005),
        _row("about objects", 1, 5000, 0.004),
        _row("anywhere", 1, 5000, 0.004),
        _row("about objects", 32, 300, 0.002),
        _row("about objects", 1, 5000, None, CLASSES),
        _row("about objects", 1, 5000, None, CLASSES, 100),
    )


def _row(scene: Scene, images: int, boxes: int, seconds: float | None, classes: int = 1, at_most: int | None = None) -> Row:
    given = functools.partial(boxes_of, scene, images, boxes, classes)
    contenders = (
        Contender(OURS, functools.partial(_ours, given, at_most), ("jax",)),
        Contender(PEER, functools.partial(_theirs, given, at_most), ("torchvision",), peer=True),
    )
    name = f"{f'{images} × ' if images > 1 else ''}{boxes:,} boxes {scene}"
    name += f", {classes} classes" if classes > 1 else ""
    name += f", at most {at_most} remain" if at_most else ""
    return Row(name, contenders, None if seconds is None else Goal(seconds=seconds), memory=boxes >= 5000)


def boxes_of(scene: Scene, images: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Boxes ``(images, count, 4)``, scores, and classes if there are several.

    Args:
        scene: where the boxes lie.
        images: how many.
        count: of the boxes of an image.
        classes: of the objects.
    """
    rng = np.random.default_rng(0)
    if scene == "anywhere":
        sizes = rng.uniform(10, 120, (images, count, 2))
        low = rng.uniform(0, SIDE - 120, (images, count, 2))
        of = rng.integers(0, classes, (images, count))
    else:
        objects = max(1, count // PER_OBJECT)
        middle, size = rng.uniform(40, SIDE - 40, (images, objects, 2)), rng.uniform(30, 160, (images, objects, 2))
        which = rng.integers(0, objects, (images, count))
        size = np.take_along_axis(size, which[..., None], axis=1)
        sizes = size * rng.uniform(0.85, 1.15, (images, count, 2))
        low = np.take_along_axis(middle, which[..., None], axis=1) + 0.06 * size * rng.normal(size=size.shape) - sizes / 2
        # Now and then a box is given another class than its object's.
        of = np.where(rng.random(which.shape) < 0.9, which % classes, rng.integers(0, classes, which.shape))
    boxes = np.concatenate([low, low + sizes], axis=-1).astype(np.float32)
    return boxes, rng.random((images, count), np.float32), of.astype(np.int32) if classes > 1 else None


def _ours(given: Given, at_most: int | None) -> Work:
    boxes, scores, classes = given()
    # One image, or a batch of them.
    row = 0 if len(scores) == 1 else slice(None)
    arrays = jax.device_put((boxes[row], scores[row], None if classes is None else classes[row]))
    select = jax.jit(Suppression(iou_threshold=THRESHOLD, max_detections=at_most).select)

    def once() -> None:
        jax.block_until_ready(select(*arrays))

    def answer() -> tuple[np.ndarray, ...]:
        found = select(*arrays)
        return (np.asarray(found.indices)[np.asarray(found.valid)],)

    return Work(once, answer=answer)


def _theirs(given: Given, at_most: int | None) -> Work:
    from likeness.experiments.benchmarks.peers.torchvision_suppression import suppressing

    return suppressing(*given(), THRESHOLD, at_most)
