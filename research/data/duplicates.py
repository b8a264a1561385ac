"""Images that come more than once in a source."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Int64, Shaped

from likeness.research.errors import UserError

_SHOWN = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Duplicates:
    """What becomes of images that are identical, pixel by pixel, as they come out of a source.

    Copies within a person say nothing new: their distance is 0 for every encoder, so that they make a measured true-accept
    rate better than it is. They are left out but for the first, and counted. A copy that lies under another person has a wrong
    label, or leaks from training into the test; nobody but the owner of the data knows which, so it is refused.

    Example:
        >>> kept, said = Duplicates()([b"x", b"y", b"x"], ["ann", "ann", "ann"], ["ann/1", "ann/2", "ann/3"])
        >>> kept.tolist(), said[0]
        ([0, 1], '1 of 3 images is a copy of another of the same person and is left out (ann/3 is ann/1)')
    """

    within: Literal["drop", "keep", "refuse"] = "drop"
    """Copies under one person: all but the first are left out, or all are kept, or the source is refused."""
    across: Literal["refuse", "drop", "keep"] = "refuse"
    """Copies under several people: the source is refused, or all of them are left out, or all are kept."""

    def __call__(
        self, content: Sequence[bytes], who: Sequence[str], names: Sequence[str], where: str = "the data", noun: str = "person"
    ) -> tuple[Int64[np.ndarray, "kept"], tuple[str, ...]]:
        """Which rows are kept, and sentences about those that are copies.

        Args:
            content: a digest of each row's pixels.
            who: whom each shows.
            names: what to call each.
            where: what to call the source in an error.
            noun: what a "person" is called.

        Raises:
            UserError: there are copies of a kind that is refused.
        """
        rows: dict[bytes, list[int]] = {}
        for row, digest in enumerate(content):
            rows.setdefault(digest, []).append(row)
        several = [group for group in rows.values() if len({who[row] for row in group}) > 1]
        if several and self.across == "refuse":
            raise UserError(
                f"{_count(several, len(content))} of {where} lie under more than one {noun} ({_equal(several, names)}): a "
                "label is wrong, or what is learned from is evaluated by too. Remove them; or set `duplicates.across` "
                "(--experiment.data.duplicates.across) to drop, which leaves out all of them, or to keep."
            )
        out = {row for group in several for row in group} if self.across == "drop" else set()
        said = []
        if several:
            fate = "are left out" if self.across == "drop" else "are kept"
            said.append(f"{_count(several, len(content))} lie under more than one {noun} and {fate} ({_equal(several, names)})")
        repeated = _repeated(rows.values(), who, out)
        if repeated and self.within == "refuse":
            raise UserError(
                f"{_copies(repeated, len(content))} of the same {noun} in {where} ({_pairs(repeated, names)}). Remove what is "
                "there twice; or set `duplicates.within` (--experiment.data.duplicates.within) to drop, which keeps the first "
                "of each, or to keep."
            )
        if repeated:
            one = len(repeated) == 1
            fate = "kept" if self.within == "keep" else "left out"
            said.append(
                f"{_copies(repeated, len(content))} of the same {noun} and {'is' if one else 'are'} {fate} "
                f"({_pairs(repeated, names)})"
            )
            if self.within == "drop":
                out |= {row for _, row in repeated}
        return np.array([row for row in range(len(content)) if row not in out], np.int64), tuple(said)


KEEP_ALL = Duplicates(within="keep", across="keep")
"""Copies are counted, and nothing is done about them."""


def shared_rows(rows: Shaped[np.ndarray, "n"] | None, others: Shaped[np.ndarray, "m"] | None) -> int:
    """How many rows' digests are among others'."""
    return 0 if rows is None or others is None else int(np.isin(rows, others).sum())


def _repeated(groups: Iterable[list[int]], who: Sequence[str], out: set[int]) -> list[tuple[int, int]]:
    """(first, copy) of every copy under the same name."""
    found: dict[int, int] = {}
    for group in groups:
        first: dict[str, int] = {}
        found |= {row: first.setdefault(who[row], row) for row in group if row not in out}
    return sorted((first, row) for row, first in found.items() if row != first)


def _count(groups: list[list[int]], n: int) -> str:
    return f"{sum(map(len, groups)):,} of {n:,} images"


def _copies(repeated: list[tuple[int, int]], n: int) -> str:
    one = len(repeated) == 1
    return f"{len(repeated):,} of {n:,} images {'is a copy' if one else 'are copies'} of {'another' if one else 'others'}"


def _equal(groups: list[list[int]], names: Sequence[str]) -> str:
    return _listed([" is ".join(names[row] for row in group) for group in groups])


def _pairs(repeated: list[tuple[int, int]], names: Sequence[str]) -> str:
    return _listed([f"{names[copy]} is {names[first]}" for first, copy in repeated])


def _listed(items: list[str]) -> str:
    return "; ".join(items[:_SHOWN]) + (f"; and {len(items) - _SHOWN:,} more" if len(items) > _SHOWN else "")
