"""The next stage of a run is made ready while the one before takes its steps."""

import threading
from concurrent.futures import Future

import jax

from likeness.experiments.display.progress import Reporter
from likeness.experiments.distributed import processes
from likeness.experiments.training.interruption import AHEAD
from likeness.experiments.training.stages import OpenedStage, Stage

__all__ = ["Ahead"]


class Ahead:
    """Opens a stage and compiles its step, in a thread of its own.

    A step compiles for seconds or minutes, in which a painting would stand still. JAX keeps what was compiled with the jitted
    function that the stage has, so its first call compiles nothing. Several processes must ask each other in one order, which
    threads would not keep: there the stage is opened when it begins.

    Args:
        stage: what comes next; None if nothing does.
    """

    def __init__(self, stage: Stage | None) -> None:
        self._stage = stage
        self._made: Future[tuple[OpenedStage, list[str]]] | None = None

    def begin(self) -> None:
        """Makes the stage ready from now on. Returns at once."""
        if self._stage is not None and self._made is None and not processes.several():
            self._made = Future()
            threading.Thread(target=_make, args=(self._stage, self._made), name=AHEAD).start()

    def opened(self, say: Reporter) -> OpenedStage:
        """The stage, once it is ready. What it tells is told now, and what went wrong is raised now."""
        assert self._stage is not None
        if self._made is None:
            return self._stage.open(say.say)
        opened, sentences = self._made.result()
        for sentence in sentences:
            say.say(sentence)
        return opened


def _make(stage: Stage, made: Future[tuple[OpenedStage, list[str]]]) -> None:
    try:
        sentences: list[str] = []
        # Settings of JAX are each thread's own, and a program of another precision is another program.
        with jax.default_matmul_precision(stage.run.matmul_precision):
            opened = stage.open(sentences.append)
            opened.compile()
        made.set_result((opened, sentences))
    except BaseException as error:
        made.set_exception(error)
