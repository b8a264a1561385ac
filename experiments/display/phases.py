"""How far a long computation has come, told to whoever watches.

What computes says ``for batch in tracked("embedding", batches)``; a command watches with ``with watched(tell):``. Where nobody
watches, as in a notebook or a test, nothing is said and nothing is measured.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

Tell: TypeAlias = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much: with 0 first and with all of it last."""

_WATCHER: ContextVar[Tell | None] = ContextVar("watcher", default=None)
T = TypeVar("T")


@contextlib.contextmanager
def watched(tell: Tell) -> Iterator[None]:
    """Tells ``tell`` of everything that is tracked inside."""
    token = _WATCHER.set(tell)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def telling(what: str) -> Callable[[int, int], None]:
    """What tells the watcher how much is done, and of how much, for work that no loop of one's own does.

    Args:
        what: what is done, for people to read.
    """
    tell = _WATCHER.get()
    return lambda done, of: None if tell is None else tell(what, done, of)


def tracked(what: str, items: Sequence[T], size: Callable[[T], int] = lambda item: 1) -> Iterator[T]:
    """The items one by one, telling the watcher how many are done. Of a single item nothing is told before it is done.

    Args:
        what: what is done with them, for people to read: ``embedding``.
        items: batches, say.
        size: how much an item counts, such as ``len`` for batches of rows.

    Example::

        with watched(print):
            total = sum(tracked("adding", [1, 2]))  # prints "adding 0 2", "adding 1 2", "adding 2 2"
    """
    tell = _WATCHER.get()
    if tell is None:
        yield from items
        return
    total, done = sum(map(size, items)), 0
    if len(items) > 1:
        tell(what, 0, total)
    for item in items:
        yield item
        done += size(item)
        tell(what, done, total)
