"""One stylization at many strengths of its style, one after the other by one program."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp

from likeness.experiments.display.phases import telling
from likeness.experiments.display.progress import Quiet
from likeness.experiments.experiment import LossOutput
from likeness.experiments.run import Run
from likeness.experiments.storage.checkpoints import finished, reached
from likeness.experiments.style.stylization import OpenedStylization, Stylization, StylizationConstants
from likeness.experiments.training.trainer import train
from likeness.research.types import PRNGKey, PyTree

__all__ = ["Strengthened", "at_strengths", "paint_at_strengths"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Strengthened(Stylization):
    """A stylization whose style counts ``factor`` times as much:

        J(G) = alpha J_content + factor · beta J_style + J_image

    What is painted is what a stylization with ``factor · beta`` would paint, up to rounding. The factor is no part of the
    program, so that one is compiled for all of them.
    """

    factor: float = 1.0
    """Of the objective's beta."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.factor < float("inf"):
            raise ValueError(f"Strengthened.factor is {self.factor}: give a finite number, 0 or more")

    def constants(self, data: OpenedStylization) -> StylizationConstants:
        """Those of the stylization, and the factor."""
        return data.constants._replace(strength=jnp.asarray(self.factor, jnp.float32))

    def cost(self, params: PyTree, state: PyTree, constants: StylizationConstants, batch: PyTree, key: PRNGKey) -> LossOutput:
        """J of the image as it is now, and its parts."""
        found = super().cost(params, state, constants, batch, key)
        strength = jnp.ones(()) if constants.strength is None else constants.strength
        parts = {name: strength * part if name == "style" else part for name, part in found.metrics.items()}
        return LossOutput(self.scale * sum(parts.values(), start=jnp.zeros(())), found.state, parts)

    def as_compiled(self) -> "Stylization":
        """The same of other images and strengths."""
        compiled = super().as_compiled()
        assert isinstance(compiled, Strengthened)
        return dataclasses.replace(compiled, factor=1.0)


class _Steps(Quiet):
    """Tells of the steps of one painting, which goes on after ``taken``, as steps of all that are still to be taken."""

    def __init__(self, tell: Callable[[int, int], None], before: int, taken: int, total: int) -> None:
        self._tell, self._before, self._taken, self._total = tell, before, taken, total

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        del metrics
        # The clock begins after the first step, whose compilation says nothing of the others.
        done = self._before + step - self._taken
        self._tell(0 if done == 1 else done, self._total)


def at_strengths(run: Run, factors: Sequence[float]) -> list[Run]:
    """The run of a stylization once for each factor of its objective's beta; itself where that is 1."""
    stylization = run.experiment
    assert isinstance(stylization, Stylization)
    fields = {field.name: getattr(stylization, field.name) for field in dataclasses.fields(Stylization)}
    return [
        run if factor == 1 else dataclasses.replace(run, experiment=Strengthened(**fields, factor=factor)) for factor in factors
    ]


def paint_at_strengths(runs: Sequence[Run], workdirs: Sequence[Path]) -> None:
    """Paints runs, each in a directory of its own. What is painted is not painted again, and what was interrupted goes on.

    Raises:
        Interrupted: after SIGTERM or SIGINT; the same call goes on.
    """
    due = [(run, workdir, reached(workdir)) for run, workdir in zip(runs, workdirs, strict=True) if not finished(run, workdir)]
    total, before = sum(run.steps - taken for run, _, taken in due), 0
    tell = telling(f"steps of {len(due)} painting{'s' * (len(due) != 1)}")
    if due:
        telling("compiling what paints the other strengths")(0, 1)
    for run, workdir, taken in due:
        train(run, workdir, reporter=_Steps(tell, before, taken, total))
        before += run.steps - taken
