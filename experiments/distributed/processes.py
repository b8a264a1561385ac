"""Several processes of one run: how they find each other, and what only the first of them does.

Every process runs the same program on its own devices; JAX's distributed runtime connects them. A collective that not all of
them reach would wait for ever, so whatever one of them decides alone it must tell the others.

Who is lost is noticed in one of three ways. A collective fails, and the others end with 70. Nothing fails and nothing goes on:
the watchdog ends them with 70. Process 0 is lost, to which the runtime of all others is connected: JAX aborts them at once,
with SIGABRT (134 to a shell), and nothing of ours runs in them. JAX would abort them too where another process gives no sign of
life for ``heartbeat`` seconds, but not say where they stand; so that is longer than the watchdog waits.
"""

import contextlib
import dataclasses
import json
import math
import socket
import time
from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from likeness.research.errors import UserError
from likeness.research.types import Array, PyTree

_GREETING = b"likeness"
_LONGEST = 4096
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Processes:
    """Who takes part in a run, and where they meet."""

    coordinator: str
    """``host:port`` at which process 0 listens; ``auto`` asks the cluster that JAX finds itself in."""
    process: int | None = None
    """This one's number, from 0."""
    processes: int | None = None
    """How many there are."""
    timeout: int = 300
    """Seconds to wait for all of them."""
    heartbeat: int = 100
    """Seconds without a sign of life after which JAX takes a process for lost, and aborts all others."""

    def __post_init__(self) -> None:
        if self.timeout < 1:
            raise ValueError(f"the time limit for all processes to come is {self.timeout} seconds: give 1 or more")
        if self.heartbeat < 1:
            raise ValueError(f"the time limit for a sign of life is {self.heartbeat} seconds: give 1 or more")
        if self.coordinator == "auto":
            return
        host, _, port = self.coordinator.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
            raise ValueError(
                f"the coordinator is {self.coordinator!r}: give host:port of process 0, such as node1:8476, or auto on a TPU"
            )
        if self.process is None or self.processes is None or not 0 <= self.process < self.processes:
            raise ValueError(
                f"this is process {self.process} of {self.processes}: give --process and --processes, the number from 0 to one "
                "less than there are"
            )

    def join(self) -> None:
        """Waits until all are there, then connects JAX. Must come before anything touches a device.

        Raises:
            UserError: somebody did not come in time; in process 0 the message names who.
        """
        # Where Gloo is not compiled in this would be refused, and on accelerators it is not read.
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        if self.coordinator == "auto":
            jax.distributed.initialize(initialization_timeout=self.timeout, heartbeat_timeout_seconds=self.heartbeat)
            return
        assert self.process is not None and self.processes is not None
        # JAX ends a process that waits in vain with a stack trace that names nobody, so everybody is there before it is asked.
        roll_call(self.coordinator, self.process, self.processes, self.timeout)
        jax.distributed.initialize(
            self.coordinator,
            self.processes,
            self.process,
            initialization_timeout=self.timeout,
            heartbeat_timeout_seconds=self.heartbeat,
        )


def heartbeat(hang_after: float | None) -> int:
    """Seconds without a sign of life that JAX allows: more than a watchdog, which says more, so that it comes first."""
    return 100 if hang_after is None else math.ceil(hang_after) + 60


# Kinds of failure, by XLA's names, that another process may be at fault of; others, such as RESOURCE_EXHAUSTED, are one's own.
_OF_OTHERS = (
    "ABORTED",
    "CANCELLED",
    "DATA_LOSS",
    "DEADLINE_EXCEEDED",
    "FAILED_PRECONDITION",
    "INTERNAL",
    "UNAVAILABLE",
    "UNKNOWN",
)


def failed_together(error: Exception) -> bool:
    """Whether it is an error of what several processes compute together, such as a collective of which one is lost.

    JAX raises it as JaxRuntimeError or, where an array is fetched whose program has failed, as ValueError; libraries wrap both.
    Either begins with the kind of failure: ``UNKNOWN: Gloo all-reduce failed: … Connection reset by peer``.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError):
        kind, colon, _ = str(cause).partition(":")
        if isinstance(cause, ValueError | RuntimeError) and colon and kind in _OF_OTHERS:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def roll_call(coordinator: str, process: int, processes: int, timeout: float) -> None:
    """Returns once every process has called at the coordinator's address.

    Raises:
        UserError: not all came in time, one of them was started for another number of processes, or twice.
    """
    host, _, port = coordinator.rpartition(":")
    end = time.monotonic() + timeout
    if process == 0:
        _listen(int(port), processes, end, timeout)
    else:
        _call(host.strip("[]"), int(port), process, processes, end, timeout)


def _listen(port: int, processes: int, end: float, timeout: float) -> None:
    callers: dict[int, socket.socket] = {}
    problem = ""
    with contextlib.ExitStack() as opened:
        try:
            server = opened.enter_context(socket.create_server(("", port), backlog=processes))
        except OSError as error:
            raise UserError(
                f"Process 0 cannot listen at port {port} ({error.strerror}): another program, perhaps another run, has it. "
                "Give all processes another --coordinator port."
            ) from error
        while len(callers) < processes - 1 and not problem:
            server.settimeout(max(0.01, end - time.monotonic()))
            try:
                caller, _ = server.accept()
            except TimeoutError:
                missing = [number for number in range(1, processes) if number not in callers]
                problem = (
                    f"{_numbers(missing)} of {processes} did not come to process 0 at port {port} within {timeout:g} seconds: "
                    "look at their logs, and whether their machines reach this one; a longer wait is --join-timeout."
                )
                break
            opened.enter_context(caller)
            number, total = _read(caller)
            if number is None:
                continue
            if total != processes:
                problem = f"Process {number} was started for {total} processes and process 0 for {processes}: launch all alike."
            elif number in callers or not 0 < number < processes:
                problem = f"Two processes were started as number {number}: give each its own --process."
            else:
                callers[number] = caller
        for caller in callers.values():
            with contextlib.suppress(OSError):
                caller.sendall(json.dumps({"problem": problem}).encode() + b"\n")
    if problem:
        raise UserError(problem)


def _call(host: str, port: int, process: int, processes: int, end: float, timeout: float) -> None:
    why = "nothing listens there"
    while (left := end - time.monotonic()) > 0:
        try:
            with socket.create_connection((host, port), timeout=min(left, 5.0)) as connection:
                connection.sendall(_GREETING + f" {process} {processes}\n".encode())
                # Process 0 gives up a little later than the others, so that its word reaches them.
                connection.settimeout(left + 10.0)
                answer = connection.makefile("rb").readline(_LONGEST)
        except OSError as error:
            why = error.strerror or str(error)
            time.sleep(min(0.2, max(0.0, left)))
            continue
        if not answer:
            time.sleep(min(0.2, max(0.0, left)))
            continue
        if problem := json.loads(answer)["problem"]:
            raise UserError(f"Process {process} cannot begin, says process 0: {problem}")
        return
    raise UserError(
        f"Process {process} did not reach process 0 at {host}:{port} within {timeout:g} seconds ({why}): look whether process "
        "0 runs, and whether --coordinator names its machine as this one knows it; a longer wait is --join-timeout."
    )


def _read(caller: socket.socket) -> tuple[int | None, int]:
    """The number of a caller and how many it knows of; None where something else has called, such as a port scanner."""
    caller.settimeout(5.0)
    try:
        words = caller.makefile("rb").readline(_LONGEST).split()
        greeting, number, total = words
        return (int(number), int(total)) if greeting == _GREETING else (None, 0)
    except (OSError, ValueError):
        return None, 0


def _numbers(missing: list[int]) -> str:
    shown = ", ".join(map(str, missing[:8])) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
    return f"Process {shown}" if len(missing) == 1 else f"Processes {shown}"


def several() -> bool:
    """Whether this process is one of several."""
    return jax.process_count() > 1


def first() -> bool:
    """Whether this process writes what only one must write."""
    return jax.process_index() == 0


def by_first(action: Callable[[], _T], otherwise: _T) -> _T:
    """Does in process 0 what only one may do, while the others wait; they get ``otherwise``.

    Raises:
        UserError: in the others, where process 0 has failed, so that nobody waits for it.
    """
    if not several():
        return action()
    result, failure = otherwise, None
    if first():
        try:
            result = action()
        except Exception as error:
            failure = error
    failed = bool(multihost_utils.broadcast_one_to_all(np.int32(failure is not None)))
    if failure is not None:
        raise failure
    if failed:
        raise UserError(f"Process {jax.process_index()} stops, since process 0 could not go on: its own message says why.")
    return result


def told(text: str) -> str:
    """What process 0 says, in every process."""
    if not several():
        return text
    sent = np.zeros(_LONGEST, np.uint8)
    encoded = text.encode()
    if len(encoded) > _LONGEST:
        raise ValueError(f"{len(encoded)} bytes are more than can be told")
    sent[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    heard = np.asarray(multihost_utils.broadcast_one_to_all(sent), np.uint8)
    return heard.tobytes().rstrip(b"\0").decode()


def everywhere(tree: PyTree, mesh: jax.sharding.Mesh) -> PyTree:
    """Arrays that every process has alike, in whole on every device."""
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    if not several():
        return jax.device_put(tree, whole)

    def place(leaf: Array) -> Array:
        values = np.asarray(leaf)
        return jax.make_array_from_callback(values.shape, whole, lambda index: values[index])

    return jax.tree.map(place, tree)


def local(tree: PyTree, mesh: jax.sharding.Mesh) -> PyTree:
    """Arrays of all devices as whole arrays of this process's first.

    What is computed with them is then one device's: on several, each would compute all of it, and a program that calls back to
    the host would wait for itself.
    """
    if mesh.size == 1:
        return tree
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    gathered = jax.jit(lambda tree: tree, out_shardings=whole)(tree)
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), gathered)


def gathered_rows(rows: np.ndarray, shares: list[int]) -> np.ndarray:
    """Rows that the processes have computed, one after another's, in every process.

    Args:
        rows: this one's.
        shares: how many each process has.
    """
    if not several():
        return rows
    most = max(shares)
    padded = np.concatenate([rows, np.zeros((most - len(rows), *rows.shape[1:]), rows.dtype)])
    all_rows = np.asarray(multihost_utils.process_allgather(padded))
    return np.concatenate([all_rows[process, :share] for process, share in enumerate(shares)])
