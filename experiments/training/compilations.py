"""Notices a step that compiles again and again."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import jax

from likeness.research.types import PyTree

_EVENT = "/jax/core/compile/backend_compile_duration"
_MOST = 3


class Recompilations:
    """Warns of every step, after the first, in which XLA compiles anything in this thread, and names what has changed."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        _listen()
        self._warn, self._count = warn, 0
        self._given: dict[str, PyTree] = {}
        self._compiled_for: list[dict[str, str]] = []

    @property
    def total(self) -> int:
        """How many programs this process has compiled so far."""
        return _Count.total

    def given(self, **arguments: PyTree) -> None:
        """What the step is about to be given, by the names that a warning uses."""
        self._given = arguments

    @contextlib.contextmanager
    def watched(self, step: int) -> Iterator[None]:
        """While entered, a step is taken."""
        before = _here.total
        yield
        # Kept no longer than this, or the step's memory would be kept with it.
        given, self._given = self._given, {}
        if self._compiled_for and _here.total == before:
            return
        now, known = _signature(given), self._compiled_for
        if known:
            self._count += 1
            self._warn(f"step {step} compiled again ({self._count} so far): {_difference(known, now)}")
        if now not in known:
            known.append(now)


def _signature(arguments: dict[str, PyTree]) -> dict[str, str]:
    """Of each leaf, what a compiled program depends on. Arrays that were donated still know it."""
    return {
        f"{name} {jax.tree_util.keystr(path, simple=True, separator='/')}".strip(): _typed(leaf)
        for name, tree in arguments.items()
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _typed(leaf: object) -> str:
    aval = jax.typeof(leaf)
    return f"{aval.dtype}{list(aval.shape)}{', weakly typed' * aval.weak_type}"


def _difference(known: list[dict[str, str]], now: dict[str, str]) -> str:
    if now in known:
        return "all that the step is given is as before, so something beside it was compiled, such as in the data's stream"
    last = known[-1]
    changed = [name for name in {**last, **now} if last.get(name) != now.get(name)]
    shown = "; ".join(f"{name} was {last.get(name, 'not there')} and is {now.get(name, 'gone')}" for name in changed[:_MOST])
    return shown + (f"; and {len(changed) - _MOST} more" if len(changed) > _MOST else "")


class _Count:
    total = 0
    listening = False


class _Here(threading.local):
    """Of one thread: while it takes a step, another may compile what comes next."""

    total = 0


_here = _Here()


def _listen() -> None:
    # JAX's listeners cannot be taken off again by public means, so the process has one.
    if _Count.listening:
        return
    _Count.listening = True

    def note(event: str, duration_secs: float, **kwargs: str | int) -> None:
        del duration_secs, kwargs
        if event == _EVENT:
            _Count.total += 1
            _here.total += 1

    jax.monitoring.register_event_duration_secs_listener(note)
