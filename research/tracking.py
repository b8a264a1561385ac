"""How far a long computation has come: research passes its items through a function that somebody else gives it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

__all__ = ["Track", "untracked"]

Track: TypeAlias = Callable[[str, Sequence[Any]], Iterable[Any]]
"""Passes items on one by one and tells somebody how many are done; it is told what is done with them, for people to read."""


def untracked(what: str, items: Sequence[Any]) -> Iterable[Any]:
    """The items, of which nobody is told."""
    del what
    return items
