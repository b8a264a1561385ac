"""Notices a step that compiles again and again."""

import contextlib
from collections.abc import Callable, Iterator

import jax

_EVENT = "/jax/core/compile/backend_compile_duration"


class Recompilations:
    """Warns of every step, after the first, in which XLA compiles anything in this process."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        _listen()
        self._warn, self._warm, self._count = warn, False, 0

    @property
    def total(self) -> int:
        """How many programs this process has compiled so far."""
        return _Count.total

    @contextlib.contextmanager
    def watched(self, step: int) -> Iterator[None]:
        """While entered, a step is taken."""
        before = _Count.total
        yield
        if self._warm and _Count.total > before:
            self._count += 1
            self._warn(f"step {step} compiled again ({self._count} so far): its batch has another shape or dtype")
        self._warm = True


class _Count:
    total = 0
    listening = False


def _listen() -> None:
    # JAX's listeners cannot be taken off again by public means, so the process has one.
    if _Count.listening:
        return
    _Count.listening = True

    def note(event: str, duration_secs: float, **kwargs: str | int) -> None:
        del duration_secs, kwargs
        if event == _EVENT:
            _Count.total += 1

    jax.monitoring.register_event_duration_secs_listener(note)
