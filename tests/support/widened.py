"""A toy in stages, each of which has more columns than the one before."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from toy import Toy, toy_run

from likeness.experiments.experiment import Variables
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.run import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Widened(Toy):
    """One stage for each width."""

    widths: tuple[int, ...] = ()
    width: int = 4
    parts: tuple[float, ...] = ()

    def stages(self) -> tuple[Any, ...]:
        return tuple(dataclasses.replace(self, widths=(), width=width, parts=()) for width in self.widths or (self.width,))

    def stage_parts(self) -> tuple[float, ...]:
        return self.parts or super().stage_parts()

    def fingerprints(self, data: str) -> Fingerprints:
        # Each stage reads something else.
        return Fingerprints(training={"data": f"{data} {self.width}"})

    def promote(self, learned: Any, constants: Any) -> Any:
        # What is fixed is that of the stage that begins.
        return jnp.repeat(learned, self.width // learned.shape[-1], axis=-1) + 0 * constants["number"]

    def init(self, key: Any, constants: Any, batch: Any) -> Variables:
        return Variables({"weights": jax.random.uniform(key, (2, self.width)), "biases": jnp.ones(self.width)}, {"steps": 0})


def staged(steps: int = 7, **changes: Any) -> Run:
    """Widths of 1, 2 and 4."""
    return toy_run(experiment=Widened(widths=(1, 2, 4)), steps=steps, **changes)
