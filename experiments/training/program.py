"""A run made ready for its devices: the mesh, where each array lives, and the two jitted functions."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from likeness.experiments.compiled_quickly import quick_options
from likeness.experiments.distributed import processes
from likeness.experiments.distributed.sharding import check_batch, compiler_options, over_batch, replicated
from likeness.experiments.experiment import TrainState, Variables
from likeness.experiments.run import Run
from likeness.experiments.training.step import frozen_by, initial_state, promoted, train_step, watched
from likeness.research.errors import UserError
from likeness.research.types import PRNGKey, PyTree


@dataclasses.dataclass(frozen=True)
class Program:
    """What the trainer calls. Nothing is compiled before the first call."""

    mesh: jax.sharding.Mesh
    state: PyTree
    """Shapes, dtypes and shardings of the train state."""
    batch_sharding: jax.sharding.Sharding
    constants: PyTree
    """What the cost reads and nothing changes, on every device."""
    init: Callable[[PRNGKey, PyTree, PyTree], TrainState]
    """Of a key, the constants, and a batch."""
    step: jax.stages.Wrapped
    """Of a state, which is donated, the constants, a batch, and the run's key: the state after it, and a report."""
    promote: Callable[[TrainState, PyTree], TrainState]
    """Of the state after the stage before, and the constants."""
    watched: tuple[str, ...]
    """Names of the leaves whose finiteness a step reports."""

    def put(self, batch: PyTree) -> PyTree:
        """Moves a batch of NumPy arrays to the devices; of several processes, each gives its share of the rows."""
        if processes.several():
            # To the guard this is no transfer that was asked for, unlike device_put.
            with jax.transfer_guard_host_to_device("allow"):
                return jax.make_array_from_process_local_data(self.batch_sharding, batch)
        return jax.device_put(batch, self.batch_sharding)

    def variables(self, state: TrainState) -> Variables:
        """What is evaluated and used, in whole on this process's devices."""
        return processes.local(Variables(state.best_params, state.model_state), self.mesh)

    def key(self, seed: int) -> PRNGKey:
        """The run's key, on every device."""
        return jax.jit(jax.random.key, out_shardings=replicated(self.mesh))(seed)


def _transformation(run: Run) -> Any:
    try:
        return run.optimizer.transformation(run.steps)
    except ValueError as error:
        raise UserError(f"The optimizer does not fit a run of {run.steps} steps: {error}") from error


def _on(mesh: jax.sharding.Mesh, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose operations know the mesh that their arrays lie on."""

    @functools.wraps(function)
    def known(*arguments: Any) -> Any:
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return function(*arguments)

    return known


class _Functions(NamedTuple):
    init: Callable[..., TrainState]
    step: jax.stages.Wrapped
    promote: Callable[..., TrainState]


@dataclasses.dataclass(frozen=True)
class _Asked:
    """All that the functions of a program depend on beside the shapes of what they are given."""

    run: Run
    mesh: jax.sharding.Mesh
    shardings: tuple[Any, ...]
    """Of the train state's leaves."""
    structure: Any
    """The train state's."""

    @property
    def hashable(self) -> bool:
        """Whether two can be compared: a definition may hold a list, or a stranger's class."""
        try:
            hash(self)
        except TypeError:
            return False
        return True

    def functions(self, rewrite: Callable[[Any], Any] | None = None) -> _Functions:
        """Jitted, and not compiled."""
        run, mesh, optimizer = self.run, self.mesh, _transformation(self.run)
        whole, split, patient = replicated(mesh), over_batch(mesh), compiler_options(mesh)
        places = jax.tree.unflatten(self.structure, self.shardings)
        # A stage is entered once.
        once = (quick_options(mesh.devices.flat[0].platform) or {}) | (patient or {}) or None
        init: Any = functools.partial(initial_state, run.experiment, optimizer, run.ema_decay is not None)
        step: Any = functools.partial(
            train_step, run.experiment, optimizer, run.optimizer.recovers, run.ema_decay, frozen=frozen_by(run.optimizer)
        )
        # What accelerators would compute knows nothing of the shares of a CPU's devices.
        init, step = (init, rewrite(step)) if rewrite is not None else (_on(mesh, init), _on(mesh, step))
        return _Functions(
            init=jax.jit(init, in_shardings=(whole, whole, split), out_shardings=places, compiler_options=patient),
            step=jax.jit(
                step,
                in_shardings=(places, whole, split, whole),
                out_shardings=(places, whole),
                donate_argnums=0,
                compiler_options=patient,
            ),
            promote=jax.jit(functools.partial(promoted, run), out_shardings=places, compiler_options=once),
        )


@functools.lru_cache(maxsize=8)
def _functions(asked: _Asked) -> _Functions:
    """Of runs that differ in nothing but their constants, the same functions, so that none is compiled twice."""
    return asked.functions()


def build(run: Run, constants: PyTree, batch: PyTree, rewrite: Callable[[Any], Any] | None = None) -> Program:
    """Makes the program of a run whose cost reads ``constants`` and whose batches look like ``batch``.

    Args:
        run: what is trained.
        constants: as the experiment gives them.
        batch: arrays, or their shapes.
        rewrite: what becomes of the step before it is compiled, such as
            :func:`~likeness.experiments.scaling.accelerators.as_on_accelerators`.

    Raises:
        UserError: when the mesh does not fit the devices, the batch or the parameters do not divide over them, or the encoder
            does not fit the images.
    """
    optimizer = _transformation(run)
    init: Any = functools.partial(initial_state, run.experiment, optimizer, run.ema_decay is not None)
    try:
        shapes = jax.eval_shape(init, jax.random.key(0), constants, batch)
    except ValueError as error:
        # Encoders and schedules name what does not fit, such as images smaller than a layer.
        raise UserError(f"The parts of this config do not fit each other: {error}") from error
    mesh = run.mesh.build(batch, statistics=len(jax.tree.leaves(shapes.model_state)))
    check_batch(mesh, batch)
    split = over_batch(mesh)
    run.experiment.check_sharding(shapes.params, run.mesh.fsdp, run.mesh.shard_above)
    places = run.mesh.state_shardings(mesh, shapes)
    abstract = jax.tree.map(lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), shapes, places)
    definition = dataclasses.replace(run, experiment=run.experiment.as_compiled())
    asked = _Asked(definition, mesh, tuple(jax.tree.leaves(places)), jax.tree.structure(places))
    made = _functions(asked) if rewrite is None and asked.hashable else asked.functions(rewrite)
    return Program(
        mesh=mesh,
        state=abstract,
        batch_sharding=split,
        constants=processes.everywhere(constants, mesh),
        init=made.init,
        step=made.step,
        promote=made.promote,
        watched=tuple(watched(shapes, batch)),
    )
