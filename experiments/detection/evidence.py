"""What became of each detection and each object, and which images are shown: the first ones, and those with most mistakes."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from PIL import Image

from likeness.experiments.detection.evaluation import truths_of
from likeness.research.data.detection import DetectionExamples
from likeness.research.geometry.detections import Detections
from likeness.research.metrics.detection.errors import KINDS, ErrorShares, error_shares
from likeness.research.metrics.detection.truths import Predictions

__all__ = ["IGNORED", "RIGHT", "Fates", "ShownImage", "fates", "shown"]

RIGHT, IGNORED = "right", "ignored"
"""What a detection is that found an object, and one that found a crowd or a difficult object; else it is one of ``KINDS``."""

_SIDE = 512
"""Of an image that is kept for a page, in pixels, at most."""
_LEAST_SCORE, _MOST = 0.02, 60
"""Of the detections that are kept with it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Fates:
    """What became of each detection and of each object of a table."""

    shares: ErrorShares
    """What the missing points of AP are made of."""
    kinds: tuple[tuple[str, ...], ...]
    """Of each detection of each image."""
    found_at: tuple[Float[np.ndarray, "_n"], ...]
    """For each object of each image the score of the detection that found it; NaN where none has."""


class ShownImage(NamedTuple):
    """An image with what is there and what was found."""

    name: str
    image: Shaped[np.ndarray, "h w c"]
    boxes: Float[np.ndarray, "n 4"]
    """Of what is there."""
    classes: Int[np.ndarray, "n"]
    ignored: Bool[np.ndarray, "n"]
    """Which of these need not be found."""
    found_at: Float[np.ndarray, "n"]
    """The score of the detection that found each, NaN for none."""
    found: Detections
    """All of it, down to low scores."""
    kinds: tuple[str, ...]
    """What became of each detection."""
    score_threshold: float
    """What scores this or less is left out."""

    @property
    def above(self) -> Bool[np.ndarray, "m"]:
        """Which detections are not left out."""
        return self.found.confidence > self.score_threshold

    @property
    def missed(self) -> Bool[np.ndarray, "n"]:
        """Which objects were not found."""
        return ~self.ignored & ~(self.found_at > self.score_threshold)

    @property
    def right(self) -> Bool[np.ndarray, "m"]:
        """Which detections are no mistakes."""
        return np.array([kind in (RIGHT, IGNORED) for kind in self.kinds], bool)

    @property
    def mistakes(self) -> int:
        """Objects that were not found, and found ones that are not there."""
        return int(self.missed.sum() + (~self.right & self.above).sum())

    def counts(self) -> dict[str, int]:
        """How many mistakes there are of each kind."""
        wrong = [kind for kind, above in zip(self.kinds, self.above.tolist(), strict=True) if above]
        return {kind: int(self.missed.sum()) if kind == "missed" else wrong.count(kind) for kind in KINDS}

    def small(self) -> Float[np.ndarray, "h w 3"]:
        """The image for a page, RGB in [0, 1], no larger than a page shows it."""
        image: Any = Image.fromarray(np.broadcast_to(self.image, (*self.image.shape[:2], 3)).astype(np.uint8))
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        return np.asarray(image, np.float32) / 255

    def to_json(self) -> dict[str, Any]:
        """All but the pixels, as plain lists and dictionaries."""
        best = np.argsort(-self.found.confidence, kind="stable")
        best = best[self.found.confidence[best] >= _LEAST_SCORE][:_MOST]
        return {
            "name": self.name,
            "height": self.image.shape[0],
            "width": self.image.shape[1],
            "there": [
                {"box": _rounded(box), "class": number, "ignored": ignored, "found_at": None if np.isnan(at) else round(at, 4)}
                for box, number, ignored, at in zip(
                    self.boxes, self.classes.tolist(), self.ignored.tolist(), self.found_at.tolist(), strict=True
                )
            ],
            "found": [
                {
                    "box": _rounded(self.found.xyxy[row]),
                    "class": int(self.found.class_id[row]),
                    "score": round(float(self.found.confidence[row]), 4),
                    "kind": self.kinds[row],
                }
                for row in best.tolist()
            ],
        }


def fates(examples: DetectionExamples, found: Sequence[Detections]) -> Fates:
    """Says of each detection what is wrong with it, and of each object at which score it was found, at an IoU of 0.5.

    Args:
        examples: the images.
        found: in each of them, down to low scores. What a detection finds does not depend on those of lower scores.
    """
    predictions = [Predictions.of(each) for each in found]
    shares = error_shares(truths_of(examples), predictions, np.arange(len(examples.class_names)))
    matches = shares.matches
    codes = [np.zeros(len(each), np.int64) for each in found]
    places = [np.full(stop - start, np.nan) for start, stop in zip(examples.starts, examples.starts[1:], strict=False)]
    hit, ignored, matched = (each[0, 0] for each in (matches.hit, matches.ignored, matches.matched))
    own = np.where(ignored, -2, shares.kinds)
    for image, row, code in zip(matches.detections.image.tolist(), matches.rows.tolist(), own.tolist(), strict=True):
        codes[image][row] = code
    for truth, score in zip(matched[hit].tolist(), matches.scores[hit].tolist(), strict=True):
        places[int(matches.truths.image[truth])][int(matches.truth_rows[truth])] = score
    # The last two are reached from the end.
    words = (*KINDS, IGNORED, RIGHT)
    return Fates(shares, tuple(tuple(words[code] for code in each.tolist()) for each in codes), tuple(places))


def shown(
    examples: DetectionExamples, found: Sequence[Detections], known: Fates, score_threshold: float, count: int = 10
) -> tuple[list[ShownImage], list[ShownImage]]:
    """The first images of a table, and as many of those with most mistakes, the worst first.

    Args:
        examples: the images.
        found: in each, down to low scores.
        known: what became of them.
        score_threshold: what scores this or less is left out.
        count: of either kind, at most.
    """
    ignored = examples.ignored
    blank = np.zeros((1, 1, 3), np.uint8)

    def of(row: int, image: UInt8[np.ndarray, "h w c"]) -> ShownImage:
        own = examples.objects(row)
        return ShownImage(
            examples.names[row],
            image,
            examples.boxes_of(row),
            examples.classes_of(row),
            ignored[own],
            known.found_at[row],
            found[row],
            known.kinds[row],
            score_threshold,
        )

    mistakes = np.array([of(row, blank).mistakes for row in range(len(found))])
    worst = [row for row in np.argsort(-mistakes, kind="stable").tolist() if mistakes[row]][:count]
    first = range(min(count, len(found)))
    return [of(row, examples.read(row)) for row in first], [of(row, examples.read(row)) for row in worst]


def _rounded(box: np.ndarray) -> list[float]:
    return [round(side, 2) for side in box.tolist()]
