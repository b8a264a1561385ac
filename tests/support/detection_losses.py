"""The losses of detectors that look at a whole grid, each with outputs that it takes."""

import dataclasses
import typing

import jax
import numpy as np
from detection_truth import noise

from likeness.research.geometry import AnchorGrid, AnchorPyramid, BalancedSample, SimOta
from likeness.research.losses import AnchorFreeLoss, CourseYoloLoss, RpnLoss, YoloV1Loss, YoloV3Loss

GRID = AnchorGrid(shapes=((10.0, 10.0), (20.0, 12.0)), stride=12)
PYRAMID = AnchorPyramid(levels=(GRID, AnchorGrid(shapes=((24.0, 24.0),), stride=24)))
KEY = jax.random.key(0)


def levels(images: int, seed: int, *last: tuple[int, ...]) -> list[np.ndarray]:
    return [noise(images, size, size, *shape, seed=seed + size) for size, shape in zip((4, 2), last, strict=False)]


@dataclasses.dataclass(frozen=True)
class Case:
    """A loss of outputs that are made for so many images."""

    loss: typing.Any
    outputs: typing.Callable[[int, int], typing.Any]

    def __call__(self, outputs, given):
        return self.value_and_diagnostics(outputs, given)[0]

    def value_and_diagnostics(self, outputs, given):
        if isinstance(self.loss, RpnLoss):
            return self.loss.value_and_diagnostics(KEY, outputs, given["boxes"], given["mask"], given.get("ignored"))
        return self.loss.value_and_diagnostics(outputs, **given)


CASES = {
    "course": Case(CourseYoloLoss(anchors=GRID, classes=3), lambda n, s: noise(n, 4, 4, 2, 8, seed=s)),
    "course, next anchor": Case(
        CourseYoloLoss(anchors=GRID, classes=3, collision="next_anchor", precedence="largest"),
        lambda n, s: noise(n, 4, 4, 2, 8, seed=s),
    ),
    "v1": Case(YoloV1Loss(stride=12, classes=3), lambda n, s: noise(n, 4, 4, 13, seed=s)),
    "v3": Case(YoloV3Loss(anchors=PYRAMID, classes=3), lambda n, s: levels(n, s, (2, 8), (1, 8))),
    "v3, squared": Case(
        YoloV3Loss(anchors=PYRAMID, classes=3, box="squared", objectness="overlap"), lambda n, s: levels(n, s, (2, 8), (1, 8))
    ),
    "task-aligned": Case(AnchorFreeLoss(strides=(12, 24), classes=3), lambda n, s: levels(n, s, (7,), (7,))),
    "SimOTA": Case(
        AnchorFreeLoss(strides=(12, 24), classes=3, matcher=SimOta(), score="cross_entropy"),
        lambda n, s: levels(n, s, (7,), (7,)),
    ),
    "proposals": Case(RpnLoss(anchors=PYRAMID, sample=BalancedSample(size=16)), lambda n, s: levels(n, s, (2, 5), (1, 5))),
}


def same(first, second) -> None:
    jax.tree.map(np.testing.assert_array_equal, first, second)


def finite(tree) -> bool:
    return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))
