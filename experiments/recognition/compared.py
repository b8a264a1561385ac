"""Two trained recognizers on the same people: does one err less?"""

import dataclasses
from pathlib import Path

import numpy as np

from likeness.experiments.recognition.protocols import Verification, evaluate
from likeness.experiments.recognition.recognition import few
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.research.errors import UserError
from likeness.research.metrics.paired import RateDifference, paired_eer
from likeness.research.metrics.pairs import Pairs


@dataclasses.dataclass(frozen=True)
class Compared:
    """The equal error rates of two recognizers on the same pairs."""

    difference: RateDifference
    same: int
    """Pairs of one person."""
    different: int
    """Pairs of two."""
    notes: tuple[str, ...]
    """What a reader must know."""


def compare_recognizers(first: str | Path, second: str | Path, protocol: Verification | None = None) -> Compared:
    """Evaluates two runs by the pairs of their test people and compares them, with the same people drawn for both.

    Each sees the images as it was trained to: sizes and encoders may differ, the people and their images may not.

    Args:
        first: a working directory.
        second: another.
        protocol: which pairs; by default all of one person, and 100,000 of two.

    Raises:
        UserError: a directory holds no trained recognizer, or the runs set different images aside for the test.
    """
    by = protocol or Verification()
    pairs: list[Pairs] = []
    shown: list[tuple[tuple[str, ...], list[str]]] = []
    notes: tuple[str, ...] = ()
    for workdir in (first, second):
        recognizer = Recognizer.load(workdir)
        images = recognizer.experiment.open().test
        if not len(images):
            raise UserError(f"{workdir} has set nobody aside for the test: two runs are compared by people neither has seen.")
        shown.append((tuple(images.names), [images.people[label] for label in images.labels]))
        notes = few(len(images.people), images.noun[1])
        pairs.append(by.pairs(evaluate(recognizer.embedder, images)))
    if shown[0] != shown[1]:
        raise UserError(
            f"{first} and {second} are evaluated by different images ({len(shown[0][1])} and {len(shown[1][1])} of them): "
            "train both with the same data and the same split, whose seed is part of it."
        )
    same = int(np.count_nonzero(pairs[0].same))
    return Compared(paired_eer(pairs[0], pairs[1]), same, len(pairs[0]) - same, notes)
