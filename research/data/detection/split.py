"""Parting annotated images: as whoever made the data did, or by share, with copies of one image on one side."""

import abc
import dataclasses
import hashlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from likeness.research.data.detection.examples import DetectionExamples
from likeness.research.errors import UserError

__all__ = ["DetectionParts", "DetectionSplit", "OfficialParts", "ShareSplit", "parted"]


class DetectionParts(NamedTuple):
    """Images to learn from, to decide by, and to be evaluated by."""

    train: DetectionExamples
    validation: DetectionExamples
    test: DetectionExamples


class DetectionSplit(abc.ABC):
    """Parts annotated images. Derive your own from it, as a frozen dataclass."""

    @abc.abstractmethod
    def __call__(self, examples: DetectionExamples) -> DetectionParts:
        """Parts the images.

        Raises:
            UserError: a part that should have images has none.
        """


@dataclasses.dataclass(frozen=True)
class ShareSplit(DetectionSplit):
    """Parts images by exact shares, in the order of a hash of what they show.

    Different images are ranked by SHA-256 of the seed and of their content. The first ``test`` n of n are the test images,
    rounded and at least one, the next ``validation`` n the validation, and the rest is learned from. So copies of an image are
    always in one part, a name does not matter, and an image that is added moves at most one other across each border. What the
    data say of parts does not count.

    Example:
        >>> images = [np.full((8, 8, 1), i, np.uint8) for i in range(100)]
        >>> from likeness.research.data.detection import detection_examples
        >>> examples = detection_examples(images, [np.zeros((0, 4))] * 100, [np.zeros(0, int)] * 100, ("disk",))
        >>> [len(part) for part in ShareSplit(validation=0.2, test=0.2)(examples)]
        [60, 20, 20]
    """

    validation: float = 0.15
    """The share of images to decide by while learning."""
    test: float = 0.15
    """The share of images to be evaluated by at the end."""
    seed: int = 0
    """Another seed parts the images otherwise."""

    def __post_init__(self) -> None:
        _check_shares("ShareSplit", self.validation, self.test)

    def __call__(self, examples: DetectionExamples) -> DetectionParts:
        """Parts the images.

        Raises:
            UserError: there are too few images for the parts.
        """
        every = np.ones(len(examples), bool)
        test = _first(examples, every, self.test, self.seed)
        validation = _first(examples, ~test, self.validation / (1 - self.test), self.seed)
        return _parted(examples, ~(test | validation), validation, test, self.validation > 0, self.test > 0)


@dataclasses.dataclass(frozen=True)
class OfficialParts(DetectionSplit):
    """The parts that the data say, such as VOC's ``ImageSets`` or folders called train, val and test.

    A part that they lack is taken from the images to learn from, by share and with copies on one side, as :class:`ShareSplit`
    does; where they say nothing at all, so are all. Images in none of the parts are left out where there are parts.
    """

    validation: float = 0.15
    """The share of the training images that becomes the validation, where there is none."""
    test: float = 0.15
    """The share of the training images that becomes the test, where there is none."""
    seed: int = 0
    """Another seed takes others."""

    def __post_init__(self) -> None:
        _check_shares("OfficialParts", self.validation, self.test)

    def __call__(self, examples: DetectionExamples) -> DetectionParts:
        """Parts the images.

        Raises:
            UserError: a part that should have images has none.
        """
        said = np.array(examples.parts or [""] * len(examples))
        train, validation, test = (said == part for part in ("train", "validation", "test"))
        if not (train | validation | test).any():
            return ShareSplit(self.validation, self.test, self.seed)(examples)
        share = self.validation
        if not test.any():
            test = _first(examples, train, self.test, self.seed)
            train &= ~test
            share /= 1 - self.test
        if not validation.any():
            validation = _first(examples, train, share, self.seed)
            train &= ~validation
        return _parted(examples, train, validation, test, self.validation > 0, self.test > 0)


def parted(examples: DetectionExamples, split: DetectionSplit) -> DetectionParts:
    """Parts images, and leaves what was wrong with all of them with those to learn from, so that a run can tell.

    Raises:
        UserError: a part that should have images has none, there is no class, or a part's images show nothing that is to be
            found, of which nothing could be learned or said.
    """
    if not examples.class_names:
        raise UserError(
            f"Of {len(examples):,} images none shows an object of any class, so that there is nothing to find: annotate what "
            "they show, or name the classes."
        )
    parts = split(examples)
    for name, part in zip(parts._fields, parts, strict=True):
        if len(part) and part.ignored.all():
            raise UserError(
                f"Of {len(part):,} images for {name} none shows an object that is to be found: annotate some, or part the "
                "images otherwise."
            )
    return parts._replace(train=dataclasses.replace(parts.train, problems=examples.problems, notes=examples.notes))


def _check_shares(owner: str, validation: float, test: float) -> None:
    if min(validation, test) < 0 or not validation + test < 1:
        raise ValueError(
            f"{owner}'s validation and test are shares of the images, 0 or more and together below 1, not {validation} and "
            f"{test}."
        )


def _first(examples: DetectionExamples, among: Bool[np.ndarray, "n"], share: float, seed: int) -> Bool[np.ndarray, "n"]:
    """The share of some images that comes first by the hash of their pixels, or of what else identifies them."""
    if not share or not among.any():
        return np.zeros(len(examples), bool)
    if examples.content is not None:
        keys = [int(number).to_bytes(8, "little") for number in examples.content]
    else:
        keys = examples.digests or [name.encode("utf-8", "surrogatepass") for name in examples.names]
    digests = [hashlib.sha256(f"{seed}\0".encode() + key).digest() for key in keys]
    ranked = sorted({digest for digest, one in zip(digests, among, strict=True) if one})
    chosen = set(ranked[: max(1, round(share * len(ranked)))])
    return among & np.array([digest in chosen for digest in digests])


def _parted(
    examples: DetectionExamples,
    train: Bool[np.ndarray, "n"],
    validation: Bool[np.ndarray, "n"],
    test: Bool[np.ndarray, "n"],
    wants_validation: bool,
    wants_test: bool,
) -> DetectionParts:
    parts = {"train": train, "validation": validation, "test": test}
    wanted = {"train": True, "validation": wants_validation, "test": wants_test}
    for name, rows in parts.items():
        if wanted[name] and not rows.any():
            sizes = ", ".join(f"{int(each.sum())} {other}" for other, each in parts.items())
            raise UserError(
                f"Of {len(examples):,} images the split leaves none for {name} ({sizes}): change the shares, or add images."
            )
    return DetectionParts(*(examples.select(np.flatnonzero(rows)) for rows in parts.values()))
