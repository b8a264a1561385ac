"""A trace of some steps, for XProf or Perfetto."""

import contextlib
from pathlib import Path
from types import TracebackType

import jax

_WARM = 5
"""Steps of a launch that come before: the first compiles, and the next fill the queues."""


class Profile:
    """Records the given number of steps, once they run as they will; into the working directory's ``profile``."""

    def __init__(self, folder: Path, steps: int | None) -> None:
        """None records nothing."""
        self._folder, self._left, self._seen, self._running = folder, steps or 0, 0, False

    def step(self) -> None:
        """A step is about to be taken."""
        self._seen += 1
        if self._left and not self._running and self._seen > _WARM:
            jax.profiler.start_trace(str(self._folder))
            self._running = True
        elif self._running:
            self._left -= 1
            if not self._left:
                self._stop()

    def __enter__(self) -> "Profile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(RuntimeError):
            self._stop()

    def _stop(self) -> None:
        if self._running:
            self._running = False
            jax.profiler.stop_trace()
