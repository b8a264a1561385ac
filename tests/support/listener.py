"""A listener to a run, which may step in."""

import os
import signal
from collections.abc import Callable, Mapping

from likeness.experiments.display.progress import Quiet


class Listener(Quiet):
    """Keeps what is said, and may do something once a step is logged.

    Args:
        at: the step, or the first one logged after it.
        act: what to do then, once.
    """

    def __init__(self, at: int | None = None, act: Callable[[], object] | None = None) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.at, self.act = at, act

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        del metrics
        if self.act is not None and self.at is not None and step >= self.at:
            act, self.act = self.act, None
            act()


def terminate() -> None:
    """Sends this process what a scheduler sends."""
    os.kill(os.getpid(), signal.SIGTERM)
