"""A run made ready for its devices: the mesh, where each array lives, and the two jitted functions."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax

from experiments.run import Run
from experiments.sharding import check_batch, over_batch, replicated
from experiments.step import StepReport, TrainState, initial_state, train_step, watched
from research.types import PRNGKey, PyTree


@dataclasses.dataclass(frozen=True)
class Program:
    """What the trainer calls. Nothing is compiled before the first call."""

    mesh: jax.sharding.Mesh
    state: PyTree
    """Shapes, dtypes and shardings of the train state."""
    batch_sharding: jax.sharding.Sharding
    init: Callable[[PRNGKey, PyTree], TrainState]
    step: Callable[[TrainState, PyTree, PRNGKey], tuple[TrainState, StepReport]]
    """Donates the state it is given."""
    watched: tuple[str, ...]
    """Names of the leaves whose finiteness a step reports."""

    def put(self, batch: PyTree) -> PyTree:
        """Moves a batch of NumPy arrays to the devices."""
        return jax.device_put(batch, self.batch_sharding)

    def key(self, seed: int) -> PRNGKey:
        """The run's key, on every device."""
        return jax.device_put(jax.random.key(seed), replicated(self.mesh))


def build(run: Run, batch: PyTree) -> Program:
    """Makes the program of a run whose batches look like ``batch``.

    Raises:
        UserError: when the mesh does not fit the devices or the batch does not divide over them.
    """
    mesh = run.mesh.build()
    check_batch(mesh, batch)
    optimizer = run.optimizer.transformation(run.steps)
    whole, split = replicated(mesh), over_batch(mesh)
    init: Any = functools.partial(initial_state, run.experiment, optimizer, run.ema_decay is not None)
    shapes = jax.eval_shape(init, jax.random.key(0), batch)
    places = run.mesh.state_shardings(mesh, shapes)
    abstract = jax.tree.map(lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), shapes, places)
    step: Any = functools.partial(train_step, run.experiment, optimizer, run.ema_decay)
    return Program(
        mesh=mesh,
        state=abstract,
        batch_sharding=split,
        init=jax.jit(init, in_shardings=(whole, split), out_shardings=places),
        step=jax.jit(step, in_shardings=(places, split, whole), out_shardings=(places, whole), donate_argnums=0),
        watched=tuple(watched(shapes, batch)),
    )
