"""Counts compilations, so that a step that compiles again and again is noticed."""

import jax

_EVENT = "/jax/core/compile/backend_compile_duration"


class CompilationCounter:
    """Counts what XLA compiled in this process since the counter was made."""

    def __init__(self) -> None:
        _listen()
        self._start = _Count.total

    @property
    def count(self) -> int:
        """Compilations since the counter was made."""
        return _Count.total - self._start


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
