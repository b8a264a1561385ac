"""What a gallery takes and tells."""

import dataclasses
from typing import Literal, TypeAlias

import numpy as np

from likeness.research.types import AnyArray, Bool, Float, Int

PersonTemplate: TypeAlias = Literal["nearest", "average"]
"""What stands for a person of several images: the nearest of them to what is asked, or their average."""
PERSON_TEMPLATES: tuple[PersonTemplate, ...] = ("nearest", "average")


@dataclasses.dataclass(frozen=True)
class EnrolledImage:
    """Where an embedding comes from."""

    source: str = ""
    """The image's path or address, for people to read."""
    sha256: str = ""
    """The SHA-256 of the image's bytes in hexadecimal; empty when unknown."""


@dataclasses.dataclass(frozen=True)
class Duplicate:
    """An image that the gallery already holds."""

    source: str
    """The image that was to be added."""
    name: str
    """Who it is enrolled as already."""
    earlier: str
    """The source it had then."""


@dataclasses.dataclass(frozen=True)
class Enrollment:
    """What :meth:`Gallery.add` did."""

    name: str
    """The person, as stored."""
    added: tuple[int, ...]
    """Ids of the new embeddings."""
    skipped: tuple[Duplicate, ...] = ()
    """Images that this person already had; they are not stored again."""
    shared: tuple[Duplicate, ...] = ()
    """Images that are stored, and that another person has too: most likely a mistake."""


@dataclasses.dataclass(frozen=True)
class Enrolled:
    """One embedding of the list."""

    id: int
    name: str
    source: str
    sha256: str
    added: str
    """UTC, ISO 8601."""


@dataclasses.dataclass(frozen=True)
class Codes:
    """All embeddings of a gallery, ready to be searched."""

    names: tuple[str, ...]
    """Sorted; a person without embeddings is not among them."""
    vectors: Float[AnyArray, "n d"]
    """float32, ordered by person."""
    owners: Int[AnyArray, "n"]
    """Index into `names` of each row."""
    ids: Int[AnyArray, "n"]
    """The embedding's id of each row; of an average the first of its person's."""
    template: PersonTemplate = "nearest"
    """What stands for a person of several rows."""


LARGEST = 1e16
"""No number of an embedding is larger: the squared distance of two of them must stay within float32."""


def comparable(vectors: Float[AnyArray, "n d"]) -> Bool[AnyArray, "n"]:
    """Which embeddings can be compared: all their numbers are finite, and none above :data:`LARGEST`."""
    return np.asarray(np.all(np.abs(np.asarray(vectors)) <= LARGEST, axis=1))
