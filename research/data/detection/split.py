"""Parting annotated images: as whoever made the data did, or by share, with copies of one image on one side."""

import abc
import dataclasses
import hashlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from likeness.research.data.detection.examples import DetectionExamples
from likeness.research.errors import UserError

__all__ = ["DetectionParts", "DetectionSplit", "OfficialParts", "ShareSplit"]


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
    """Parts images by a hash of what they show: where one is does not change when others come or go, nor when it is renamed.

    With u(image) in [0, 1) the first 64 bits of SHA-256 of the seed and the image's content, over 2^64: test if u < ``test``,
    validation if u < ``test + validation``, else train. So copies of an image are always in one part. The shares are met on
    average only. What the data say of parts does not count.

    Example:
        >>> images = [np.full((8, 8, 1), i, np.uint8) for i in range(100)]
        >>> from likeness.research.data.detection import detection_examples
        >>> examples = detection_examples(images, [np.zeros((0, 4))] * 100, [np.zeros(0, int)] * 100, ("disk",))
        >>> [len(part) for part in ShareSplit(validation=0.2, test=0.2)(examples)]
        [52, 26, 22]
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
            UserError: a part with a positive share has no image.
        """
        places = _places(examples, self.seed)
        test = places < self.test
        validation = ~test & (places < self.test + self.validation)
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
        places = _places(examples, self.seed)
        # Below the shares, whichever of the two is taken.
        if not test.any():
            test = train & (places < self.test)
            train &= ~test
        if not validation.any():
            validation = train & (places >= 1 - self.validation)
            train &= ~validation
        return _parted(examples, train, validation, test, self.validation > 0, self.test > 0)


def _check_shares(owner: str, validation: float, test: float) -> None:
    if min(validation, test) < 0 or not validation + test < 1:
        raise ValueError(
            f"{owner}'s validation and test are shares of the images, 0 or more and together below 1, not {validation} and "
            f"{test}."
        )


def _places(examples: DetectionExamples, seed: int) -> Float[np.ndarray, "n"]:
    """u of each image, by its pixels where they are known, else by what identifies it."""
    if examples.content is not None:
        keys = [int(number).to_bytes(8, "little") for number in examples.content]
    else:
        keys = examples.digests or [name.encode("utf-8", "surrogatepass") for name in examples.names]
    digests = [hashlib.sha256(f"{seed}\0".encode() + key).digest() for key in keys]
    return np.array([int.from_bytes(digest[:8], "big") / 2.0**64 for digest in digests], np.float64)


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
                f"Of {len(examples):,} images the split leaves none for {name} ({sizes}): raise its share, try another `seed`, "
                "or add images."
            )
    return DetectionParts(*(examples.select(np.flatnonzero(rows)) for rows in parts.values()))
