"""Parting people, never images: nobody who is learned from is evaluated by."""

import abc
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from jaxtyping import UInt64

from likeness.research.checks import check_choice
from likeness.research.data.images import Images
from likeness.research.errors import UserError

Part = Literal["train", "validation", "test"]


@dataclasses.dataclass(frozen=True, eq=False)
class Splits(Mapping[str, Images]):
    """Three tables that share no person; also read by name, ``splits["test"]``."""

    train: Images
    validation: Images
    test: Images

    def __getitem__(self, part: str) -> Images:
        if part not in ("train", "validation", "test"):
            raise KeyError(part)
        return getattr(self, part)

    def __iter__(self) -> Iterator[str]:
        return iter(("train", "validation", "test"))

    def __len__(self) -> int:
        return 3


class Split(abc.ABC):
    """Parts people into those that are learned from and those that are evaluated. Derive your own from it, as a
    frozen dataclass.

    It is a class to derive from and no protocol, because it asks for a call only, and losses and encoders are called too.
    """

    @abc.abstractmethod
    def __call__(self, images: Images) -> Splits:
        """Parts the people.

        Raises:
            UserError: a part that should have people has none.
        """

    @property
    def held_out(self) -> bool:
        """Whether those who are evaluated are never learned from."""
        return True


@dataclasses.dataclass(frozen=True)
class Everybody(Split):
    """Everybody is evaluated: for weights that are used as they are, of which no step is taken.

    A run needs somebody to learn from even so, and these are the same people. Nobody sets a threshold τ.

    Example:
        >>> from likeness.research.data import Digits
        >>> parts = Everybody()(Digits().open())
        >>> {name: len(part.people) for name, part in parts.items()}
        {'train': 10, 'validation': 0, 'test': 10}
    """

    def __call__(self, images: Images) -> Splits:
        """Parts the people."""
        return Splits(train=images, validation=images.select_people(np.zeros(0, np.int64)), test=images)

    @property
    def held_out(self) -> bool:
        """False: whoever is learned from is evaluated too."""
        return False


@dataclasses.dataclass(frozen=True)
class HashSplit(Split):
    """Parts people by a hash of their name: who is in which part never changes when people come or go.

    With u(name) in [0, 1) the first 64 bits of SHA-256 of seed and name, over 2^64: test if u < ``test``,
    validation if u < ``test + validation``, else train. The shares are met on average only.

    Example:
        >>> from likeness.research.data import Digits
        >>> parts = HashSplit(validation=0.2, test=0.3)(Digits().open())
        >>> sorted(parts.train.people + parts.validation.people + parts.test.people) == list("0123456789")
        True
    """

    validation: float
    """The share of people to evaluate by while learning."""
    test: float
    """The share of people to evaluate by at the end."""
    seed: int = 0
    """Another seed parts the people otherwise."""
    whole: Literal["people", "groups"] = "people"
    """groups: those of a group of the table (such as the characters of an alphabet) stay together, and u is that of the group's
    name, or of its number where it has none."""

    def __post_init__(self) -> None:
        check_choice("HashSplit", "whole", self.whole, Literal["people", "groups"])
        if min(self.validation, self.test) < 0 or not self.validation + self.test < 1:
            raise ValueError(
                "HashSplit's validation and test are shares of the people, 0 or more and together below 1, not "
                f"{self.validation} and {self.test}."
            )

    def __call__(self, images: Images) -> Splits:
        """Parts the people.

        Raises:
            UserError: a part with a positive share has no people, or the table has no groups that could stay whole.
        """
        groups = images.named_groups
        if self.whole == "groups" and groups is None:
            raise UserError("HashSplit is to keep groups whole, and this data set has none: part its people instead.")
        share = hash_people(groups if self.whole == "groups" and groups is not None else images.people, self.seed) / 2.0**64
        test = share < self.test
        validation = ~test & (share < self.test + self.validation)
        wanted = {"train": True, "validation": self.validation > 0, "test": self.test > 0}
        return _part(images, validation, test, wanted, "raise its share, try another `seed`, or count by CountSplit")


@dataclasses.dataclass(frozen=True)
class CountSplit(Split):
    """Parts people by exact counts: ranked by the same hash as :class:`HashSplit`, the first are the test people.

    A person who is added moves at most one other across each border.

    Example:
        >>> from likeness.research.data import Digits
        >>> parts = CountSplit(validation=2, test=2)(Digits().open())
        >>> {name: len(part.people) for name, part in parts.items()}
        {'train': 6, 'validation': 2, 'test': 2}
    """

    validation: int
    """How many people to evaluate by while learning."""
    test: int
    """How many people to evaluate by at the end."""
    seed: int = 0
    """Another seed parts the people otherwise."""

    def __post_init__(self) -> None:
        if self.validation < 0 or self.test < 0:
            raise ValueError(f"CountSplit's validation and test are numbers of people, not {self.validation} and {self.test}.")

    def __call__(self, images: Images) -> Splits:
        """Parts the people.

        Raises:
            UserError: there are not more people than asked for.
        """
        rank = np.empty(len(images.people), np.int64)
        rank[np.argsort(hash_people(images.people, self.seed), kind="stable")] = np.arange(len(rank))
        test = rank < self.test
        validation = ~test & (rank < self.test + self.validation)
        wanted = {"train": True, "validation": self.validation > 0, "test": self.test > 0}
        return _part(images, validation, test, wanted, "ask for fewer people to evaluate by, or add people")


def hash_people(people: tuple[str, ...], seed: int) -> UInt64[np.ndarray, "people"]:
    """The first 64 bits of SHA-256 of seed and name, for each person."""
    digests = (hashlib.sha256(f"{seed}\0{person}".encode("utf-8", "surrogatepass")).digest() for person in people)
    return np.fromiter((int.from_bytes(digest[:8], "big") for digest in digests), np.uint64, len(people))


def _part(images: Images, validation: np.ndarray, test: np.ndarray, wanted: Mapping[str, bool], remedy: str) -> Splits:
    parts = {"train": ~(validation | test), "validation": validation, "test": test}
    for name, people in parts.items():
        if wanted[name] and not people.any():
            sizes = ", ".join(f"{len(np.flatnonzero(p))} {n}" for n, p in parts.items())
            raise UserError(f"Of {images.counted(len(images.people))} the split leaves none for {name} ({sizes}): {remedy}.")
    return Splits(**{name: images.select_people(np.flatnonzero(people)) for name, people in parts.items()})
