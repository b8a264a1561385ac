"""Several runs as one program: the step of one, ``vmap``ped over those that differ only in numbers.

What the runs share is there once: the data where opening it does not ask for a number in which they differ, the constants
likewise, and the batches where the seeds are equal too.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from likeness.experiments.distributed import processes
from likeness.experiments.distributed.sharding import over_batch, replicated
from likeness.experiments.experiment import Peekable, TrainState
from likeness.experiments.fingerprints import Fingerprints
from likeness.experiments.run import Run
from likeness.experiments.sweeps.convolutions import one_by_one
from likeness.experiments.sweeps.numbers import Differ, Path, differing, dotted, joined
from likeness.experiments.training.program import Program, build
from likeness.experiments.training.stages import OpenedStage, stages
from likeness.experiments.training.step import StepReport, frozen_by, initial_state, train_step
from likeness.research.types import Array, PRNGKey, PyTree


class Incompatible(Exception):
    """Why some runs cannot be one program.

    Args:
        reason: in words, without a full stop.
        paths: fields such that runs in which these are equal too may be one program; none where it is something else.
    """

    def __init__(self, reason: str, paths: frozenset[Path] = frozenset()) -> None:
        self.reason, self.paths = reason, paths
        super().__init__(reason)


@dataclasses.dataclass(frozen=True)
class VmappedRuns:
    """Runs made ready to be trained at once. Nothing is compiled before the first call."""

    runs: tuple[Run, ...]
    streams: tuple[Peekable, ...]
    """One for each run, or one for all."""
    stages: tuple[OpenedStage, ...]
    """Of each run, as if it were alone. Their program is one, that of the first: its shapes and names are those of all."""
    constants: PyTree
    """Of all runs or, with a leading axis, of each."""
    initialize: Callable[[PRNGKey, PyTree, PyTree, Array], TrainState]
    """Of keys, the constants, batches, and the runs' numbers from 0: states with a leading axis of runs."""
    update: Callable[[TrainState, PyTree, PyTree, PRNGKey, Array], tuple[TrainState, StepReport]]
    """Of states, which are donated, and the same."""
    take: Callable[[TrainState, int], TrainState]
    """One run's state out of all, as the ordinary trainer has it."""
    place: jax.sharding.Sharding
    """The runs split over the devices."""

    keys: PRNGKey
    """Each run's."""
    rows: Array
    """The runs' numbers from 0, on the devices."""

    @property
    def run(self) -> Run:
        """The first, which says when something is due in all of them."""
        return self.runs[0]

    @property
    def single(self) -> Program:
        """The program of the first run alone."""
        return self.stages[0].program

    def start(self) -> TrainState:
        """The states before the first step. The streams stay where they are."""
        return self.initialize(self.keys, self.constants, self.put(self._stack([s.peek() for s in self.streams])), self.rows)

    def draw(self) -> PyTree:
        """The next batch of each run, with a leading axis of runs, or the one that they share."""
        return self._stack([next(stream) for stream in self.streams])

    def put(self, batch: PyTree) -> PyTree:
        """What was drawn, on the devices."""
        return jax.device_put(batch, replicated(self.single.mesh) if len(self.streams) == 1 else self.place)

    def step(self, state: TrainState, batch: PyTree) -> tuple[TrainState, StepReport]:
        """One step of all runs, from states that are donated."""
        return self.update(state, self.constants, batch, self.keys, self.rows)

    def rows_of(self, batch: PyTree) -> int:
        """How many rows all runs compute on."""
        shape = np.shape(next(iter(jax.tree.leaves(batch)), np.zeros((0, 0))))
        return shape[0] * (len(self.runs) if len(self.streams) == 1 else shape[1])

    def row(self, state: TrainState, number: int) -> TrainState:
        """One run's state, as the ordinary trainer has it."""
        return self.take(state, number)

    def report_of(self, report: StepReport, number: int) -> StepReport:
        """One run's part of a report that was fetched."""
        return jax.tree.map(lambda values: np.asarray(values)[number], report)

    def stacked(self, states: Sequence[TrainState]) -> TrainState:
        """States of single runs with a leading axis of runs."""
        return jax.device_put(jax.tree.map(lambda *leaves: jnp.stack(leaves), *states), self.place)

    def _stack(self, batches: Sequence[PyTree]) -> PyTree:
        return batches[0] if len(batches) == 1 else jax.tree.map(lambda *leaves: np.stack(leaves), *batches)


def vmap_runs(runs: Sequence[Run]) -> VmappedRuns:
    """Makes one program of runs that have one :func:`~likeness.experiments.sweeps.numbers.structure`.

    Raises:
        Incompatible: they cannot be trained together.
    """
    first = runs[0]
    if processes.several():
        raise Incompatible("several processes train one run at a time")
    if len(stages(first)) > 1:
        raise Incompatible("their experiment has stages of different shapes")
    if first.mesh.fsdp > 1:
        raise Incompatible(
            f"mesh.fsdp is {first.mesh.fsdp}, which splits the parameters of one run over devices, such as the centers of "
            "MarginSoftmax, while of runs trained together each has one device (with mesh.fsdp 1 shards may be any number)"
        )
    # Runs, and not the rows of a batch, are what devices share; of whatever size, since a device waits for no other.
    mesh = first.mesh.build(jax.ShapeDtypeStruct((len(runs), 1 << 20), np.uint8))
    if len(runs) % mesh.size:
        raise Incompatible(f"{len(runs)} runs do not divide over {mesh.size} devices")
    paths = differing(runs)
    unread = joined(runs, paths, None)
    data = _open(runs, unread)
    streams = _streams(runs, unread, data)
    constants, same_fixed = _fixed(runs, unread, data)
    peeked = [stream.peek() for stream in streams]
    same_batch = len(streams) == 1
    single = build(first, constants if same_fixed else first.experiment.constants(data[0]), peeked[0])
    # Runs that share their data need not have it identified again.
    inputs: dict[int, Fingerprints] = {}
    for run, of in zip(runs, data, strict=True):
        if id(of) not in inputs:
            inputs[id(of)] = run.experiment.fingerprints(of)
    opened = tuple(
        OpenedStage(stages(run)[0], of, inputs[id(of)], stream, single, single.key(run.seed))
        for run, of, stream in zip(runs, data, streams if len(streams) > 1 else streams * len(runs), strict=True)
    )
    axis_fixed, axis_batch = None if same_fixed else 0, None if same_batch else 0

    def init(key: PRNGKey, constants: PyTree, batch: PyTree, row: Array) -> TrainState:
        run = joined(runs, paths, row)
        optimizer = run.optimizer.transformation(run.steps)
        return initial_state(run.experiment, optimizer, run.ema_decay is not None, key, constants, batch)

    def step(state: TrainState, constants: PyTree, batch: PyTree, key: PRNGKey, row: Array) -> tuple[TrainState, StepReport]:
        run = joined(runs, paths, row)
        optimizer = run.optimizer.transformation(run.steps)
        frozen, recovers = frozen_by(run.optimizer), run.optimizer.recovers
        return train_step(run.experiment, optimizer, recovers, run.ema_decay, state, constants, batch, key, frozen)

    split, whole = over_batch(mesh), replicated(mesh)
    places = (whole if same_fixed else split, whole if same_batch else split)
    vmapped = VmappedRuns(
        runs=tuple(runs),
        stages=opened,
        streams=tuple(streams),
        constants=jax.device_put(constants, places[0]),
        initialize=jax.jit(
            jax.vmap(init, in_axes=(0, axis_fixed, axis_batch, 0)), in_shardings=(split, *places, split), out_shardings=split
        ),
        # Each device takes the steps of its own runs: what is sliced by the run would else be gathered from all devices.
        update=jax.jit(
            jax.shard_map(
                jax.vmap(one_by_one(step), in_axes=(0, axis_fixed, axis_batch, 0, 0)),
                mesh=mesh,
                in_specs=tuple(place.spec for place in (split, *places, split, split)),
                out_specs=split.spec,
                check_vma=False,
            ),
            in_shardings=(split, *places, split, split),
            out_shardings=split,
            donate_argnums=0,
        ),
        take=jax.jit(lambda states, number: jax.tree.map(lambda leaf: leaf[number], states), out_shardings=whole),
        place=split,
        keys=jax.device_put(jnp.stack([stage.key for stage in opened]), split),
        rows=jax.device_put(np.arange(len(runs), dtype=np.int32), split),
    )
    batch = peeked[0] if same_batch else jax.tree.map(lambda *leaves: np.stack(leaves), *peeked)
    _check_traceable(vmapped, batch, paths, lambda some: _trace_one(runs, some, peeked[0], single))
    return vmapped


def _open(runs: Sequence[Run], unread: Run) -> list[Any]:
    """Each run's data; one and the same where opening it asks for no number in which they differ."""
    try:
        return [unread.experiment.open()] * len(runs)
    except Differ:
        return [run.experiment.open() for run in runs]


def _streams(runs: Sequence[Run], unread: Run, data: Sequence[Any]) -> list[Peekable]:
    if all(run.seed == runs[0].seed and opened is data[0] for run, opened in zip(runs, data, strict=True)):
        try:
            stream = Peekable(unread.experiment.stream(data[0], runs[0].seed))
            stream.peek()
            return [stream]
        except Differ:
            pass
    return [Peekable(run.experiment.stream(opened, run.seed)) for run, opened in zip(runs, data, strict=True)]


def _fixed(runs: Sequence[Run], unread: Run, data: Sequence[Any]) -> tuple[PyTree, bool]:
    """What is fixed, and whether it is the same in all runs."""
    if all(opened is data[0] for opened in data):
        try:
            return unread.experiment.constants(data[0]), True
        except Differ:
            pass
    each = [run.experiment.constants(opened) for run, opened in zip(runs, data, strict=True)]
    try:
        return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *each), not jax.tree.leaves(each)
    except ValueError as error:
        raise Incompatible("the constants have other shapes in each of them") from error


def _check_traceable(
    vmapped: VmappedRuns, batch: PyTree, paths: frozenset[Path], trace: Callable[[frozenset[Path]], None]
) -> None:
    """Traces init and step, and finds which numbers are in the way where that fails."""
    count = len(vmapped.runs)
    keys, rows = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), count)), jnp.arange(count, dtype=np.int32)
    try:
        state = jax.eval_shape(vmapped.initialize, keys, vmapped.constants, batch, rows)
        jax.eval_shape(vmapped.update, state, vmapped.constants, batch, keys, rows)
    except Differ as error:
        raise Incompatible(_sentence(str(error)), error.paths) from error
    except Exception as error:
        culprits = set()
        for path in paths:
            try:
                trace(frozenset({path}))
            except Exception:
                culprits.add(path)
        if not culprits:
            raise Incompatible(f"they cannot be traced together ({_sentence(str(error))})") from error
        which = " and ".join(sorted(map(dotted, culprits)))
        raise Incompatible(f"{which} must be known when the step is compiled", frozenset(culprits)) from error


def _trace_one(runs: Sequence[Run], paths: frozenset[Path], batch: PyTree, single: Program) -> None:
    """Traces one run's step with some of its numbers traced; raises whatever is in the way."""

    def step(state: TrainState, key: PRNGKey, row: Array) -> Any:
        run = joined(runs, paths, row)
        optimizer = run.optimizer.transformation(run.steps)
        frozen, recovers = frozen_by(run.optimizer), run.optimizer.recovers
        return train_step(run.experiment, optimizer, recovers, run.ema_decay, state, single.constants, batch, key, frozen)

    jax.eval_shape(step, single.state, jax.random.key(0), jnp.zeros((), jnp.int32))


def _sentence(text: str) -> str:
    return " ".join(text.split())[:200].rstrip(".")
