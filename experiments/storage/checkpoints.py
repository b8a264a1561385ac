"""Checkpoints: Orbax v1 behind one small file.

One step holds the variables that are used afterwards (the parameters, or their running mean where there is one, and the model's
state), what only training needs beside them (the optimizer, and the parameters where their mean is what is used), and a JSON
record: the data's position, the best result so far, the clock and the metrics not yet logged. The variables lie apart so that
who only uses them needs neither the data nor the optimizer; each array is written once. Orbax writes into a temporary directory
and renames it, so a crash in the middle of a write leaves the previous step as the newest.
"""

import contextlib
import dataclasses
import functools
import logging
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding
from orbax.checkpoint import v1 as ocp

from likeness.experiments.experiment import TrainState, Variables
from likeness.experiments.fingerprints import CannotResume
from likeness.experiments.run import Checkpoints, Run
from likeness.experiments.storage.workdir import Workdir
from likeness.research.errors import UserError
from likeness.research.files import cannot_write
from likeness.research.types import PyTree


class CheckpointMismatch(CannotResume):
    """A checkpoint is of other shapes than the config's."""


class CheckpointStore:
    """The checkpoints of one run."""

    def __init__(self, directory: Path, policy: Checkpoints, *, reading: bool = False) -> None:
        """Opens a run's checkpoints.

        Args:
            directory: where they are.
            policy: which to keep.
            reading: leave everything as it is. Otherwise what a crash has left half-written is removed, and with it what
                another process is writing.
        """
        self.directory = directory.absolute()
        self._policy, self._reading, self._closed = policy, reading, False

    @functools.cached_property
    def _checkpointer(self) -> Any:
        """Orbax's. It makes the directory, so a launch that fails before it has anything to write does without."""
        # Orbax reports each save, and each failure with a stack trace a thread; what matters is raised.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        policy = self._policy
        # Orbax's annotations are narrower than what it takes.
        training: Any = ocp.training
        keep: list[Any] = [training.preservation_policies.LatestN(policy.keep_last)]
        if policy.keep_every is not None:
            keep.append(training.preservation_policies.EveryNSteps(policy.keep_every))
        if policy.keep_best and policy.best_metric is not None:
            keep.append(
                training.preservation_policies.BestN(
                    get_metric_fn=lambda metrics: metrics["best"],
                    # Orbax keeps the end of the sorted list.
                    reverse=policy.mode == "min",
                    n=policy.keep_best,
                    keep_checkpoints_without_metrics=False,
                )
            )
        try:
            return training.Checkpointer(
                self.directory,
                save_decision_policy=training.save_decision_policies.FixedIntervalPolicy(1),
                preservation_policy=training.preservation_policies.AnyPreservationPolicy(keep),
                cleanup_tmp_directories=not self._reading,
            )
        except OSError as error:
            raise cannot_write(self.directory, error) from error

    def latest(self) -> int | None:
        """The newest whole step, or None."""
        newest = self._checkpointer.latest if self.directory.is_dir() else None
        return None if newest is None else newest.step

    def steps(self) -> list[int]:
        """The whole steps, oldest first."""
        return sorted(info.step for info in self._checkpointer.checkpoints)

    def best(self, policy: Checkpoints) -> int | None:
        """The step to use: the best by the policy's metric where one is kept, else the newest."""
        ranked = [(info.metrics["best"], info.step) for info in self._checkpointer.checkpoints if info.metrics]
        if policy.best_metric is None or policy.keep_best == 0 or not ranked:
            return self.latest()
        values = [value for value, _ in ranked]
        target = min(values) if policy.mode == "min" else max(values)
        return max(step for value, step in ranked if value == target)

    def save(self, step: int, state: TrainState, record: Mapping[str, Any], best: float | None) -> None:
        """Writes one step; a step already there is left as it is.

        Raises:
            UserError: when the disk is full or may not be written to. Nothing of the step is left behind.
        """
        if any(info.step == step for info in self._checkpointer.checkpoints):
            return
        try:
            self._checkpointer.save_checkpointables(
                step,
                {"variables": _used(state), "training": _trained(state)},
                force=True,
                metrics=None if best is None else {"best": best},
                custom_metadata={"record": dict(record)},
            )
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError, ValueError):
                self.close()
            # Orbax does not wait for its other threads, which write behind the broom for a moment.
            for _ in range(5):
                for partial in (self.directory / str(step), *self.directory.glob(f"{step}.*")):
                    shutil.rmtree(partial, ignore_errors=True)
                time.sleep(0.1)
            cause = _os_error(error)
            if cause is None:
                raise
            raise cannot_write(self.directory / str(step), cause) from error

    def record(self, step: int) -> dict[str, Any]:
        """What one step holds beside the arrays.

        Raises:
            UserError: when the checkpoint is damaged.
        """
        with self._whole(step):
            return dict(self._checkpointer.checkpointables_metadata(step).custom_metadata["record"])

    def load(self, step: int, abstract: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """Reads one step onto the shapes, dtypes and shardings of ``abstract``.

        Raises:
            UserError: when the checkpoint is damaged, or holds other arrays than the config asks for; both are named by path
                and shape.
        """
        with self._whole(step):
            metadata = self._checkpointer.checkpointables_metadata(step)
            stored, wanted = metadata.metadata, {"variables": _used(abstract), "training": _trained(abstract)}
            self._check(step, _by_name(stored["variables"], stored["training"]), _by_name(**wanted))
            loaded = self._checkpointer.load_checkpointables(step, wanted)
            return _state(_by_name(loaded["variables"], loaded["training"]), abstract), dict(metadata.custom_metadata["record"])

    def load_variables(self, step: int, abstract: Variables | None = None) -> Variables:
        """Reads what is used after training, onto the default device.

        Args:
            step: which checkpoint.
            abstract: shapes that the config asks for, to check against; None takes what is there.

        Raises:
            UserError: when the checkpoint holds other arrays than the config asks for, or is damaged.
        """
        with self._whole(step):
            stored = self._checkpointer.checkpointables_metadata(step).metadata["variables"]
            self._check(step, stored, None if abstract is None else {"params": abstract.params, "state": abstract.state})
            place = SingleDeviceSharding(jax.local_devices()[0])
            shapes = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
                dict(stored),
                is_leaf=lambda node: hasattr(node, "shape"),
            )
            loaded = self._checkpointer.load_checkpointables(step, {"variables": shapes})["variables"]
            return Variables(loaded["params"], loaded.get("state", {}))

    def close(self) -> None:
        """Waits for what is being written. Closing again does nothing, as after a save that failed."""
        if self._closed:
            return
        self._closed = True
        if "_checkpointer" not in self.__dict__:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._checkpointer.close()

    @contextlib.contextmanager
    def _whole(self, step: int) -> Iterator[None]:
        """While entered, a step is read; whatever Orbax makes of one that is damaged becomes one message."""
        try:
            yield
        except (UserError, MemoryError, jax.errors.JaxRuntimeError):
            raise
        except Exception as error:
            if _os_error(error) is not None:
                raise
            raise self._damaged(step, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error

    def _damaged(self, step: int, why: str) -> UserError:
        before = [other for other in self.steps() if other < step]
        goes_on = f"goes on from step {before[-1]}, the one before" if before else "starts over, since there is none before it"
        return UserError(
            f"The checkpoint {self.directory / str(step)} is damaged ({why}): move that directory away, or restore it from a "
            f"copy. Without it the same command {goes_on}."
        )

    def _check(self, step: int, stored: Any, abstract: PyTree | None) -> None:
        there = _shapes(stored)
        if not there:
            raise self._damaged(step, "nothing in it can be read")
        if abstract is None:
            return
        wanted = _shapes(abstract)
        differences = [
            f"{path}: {_show(there.get(path))} in the checkpoint, {_show(wanted.get(path))} in the config"
            # Weights first: statistics and the optimizer's moments only follow them.
            for path in sorted(there.keys() | wanted.keys(), key=lambda path: (not path.startswith("params"), path))
            if there.get(path) != wanted.get(path)
        ]
        if differences:
            shown = "; ".join(differences[:4])
            more = f"; and {len(differences) - 4} more" if len(differences) > 4 else ""
            raise CheckpointMismatch(
                f"The checkpoint {self.directory / str(step)} does not fit the config: {shown}{more}. Use the config that "
                "wrote it, or start over in another working directory."
            )


_BESIDE = "params"
"""Among what only training needs: the parameters where their mean is what is used."""


def _used(state: TrainState) -> dict[str, PyTree]:
    return {"params": state.best_params, "state": state.model_state}


def _trained(state: TrainState) -> dict[str, PyTree]:
    """What only training needs beside :func:`_used`."""
    beside = {"step": state.step, "optimizer": state.optimizer}
    return beside if state.average is None else {**beside, _BESIDE: state.params}


def _by_name(variables: Mapping[str, PyTree], training: Mapping[str, PyTree]) -> dict[str, PyTree]:
    """The train state's parts by the names that they have in it."""
    averaged = _BESIDE in training
    params = {"average": variables["params"], "params": training[_BESIDE]} if averaged else {"params": variables["params"]}
    rest = {name: part for name, part in training.items() if name != _BESIDE}
    return {**params, "model_state": variables.get("state", {}), **rest}


def _state(whole: Mapping[str, PyTree], abstract: TrainState) -> TrainState:
    # Orbax writes no empty tree.
    fields = {field.name: getattr(abstract, field.name) for field in dataclasses.fields(abstract)}
    return TrainState(**{**fields, **{name: part for name, part in whole.items() if name in fields}})


def _shapes(tree: PyTree) -> dict[str, tuple[tuple[int, ...], str]]:
    shapes = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda node: hasattr(node, "shape")):
        dtype = getattr(leaf, "dtype", None)
        name = "key" if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) else str(np.dtype(dtype))
        # A dataclass, a dict and a list are told apart in the path by their brackets only.
        shapes[jax.tree_util.keystr(path, simple=True, separator="/")] = (tuple(leaf.shape), name)
    return shapes


def _show(leaf: tuple[tuple[int, ...], str] | None) -> str:
    return "nothing" if leaf is None else f"{leaf[1]}{list(leaf[0])}"


def _os_error(error: BaseException | None) -> OSError | None:
    while error is not None:
        if isinstance(error, OSError):
            return error
        # TensorStore reports a full disk as a ValueError that only quotes the system's message.
        for number, text in (
            (28, "No space left"),
            (13, "Permission denied"),
            (30, "Read-only file system"),
            (122, "quota"),
        ):
            if text in str(error):
                return OSError(number, text)
        error = error.__cause__ or error.__context__
    return None


def reached(workdir: Path) -> int:
    """The step of the newest checkpoint in a working directory; 0 where there is none."""
    store = CheckpointStore(Workdir(workdir).checkpoints, Checkpoints(), reading=True)
    try:
        return store.latest() or 0
    finally:
        store.close()


def finished(run: Run, workdir: Path) -> bool:
    """Whether a run has taken all of its steps in a working directory, and was evaluated there."""
    return Workdir(workdir).summary.exists() and reached(workdir) >= run.steps
