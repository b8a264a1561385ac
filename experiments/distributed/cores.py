"""The cores of a CPU as devices, among which a batch is divided as among accelerators."""

import contextlib
import os

import jax

__all__ = ["a_device_for_each_core", "asked_for", "cores"]

MOST = 8
"""Devices; among more, the share of a usual batch is a few images."""


def a_device_for_each_core() -> None:
    """Has JAX take each core of this machine's CPU for a device.

    XLA gives most convolutions of a training step to one core (``python -m likeness.experiments.benchmarks.convolutions
    --threads 2``). A batch that is divided among devices keeps every core busy, as it does several accelerators. A run takes
    as many of them as its batch is divided by (:meth:`Mesh.build`); other programs are one device's, which may use all cores.

    It must come before JAX's devices are first asked for; afterwards nothing changes. Nor does it where ``JAX_NUM_CPU_DEVICES``
    or ``XLA_FLAGS`` already says how many there are, nor in one of several processes. Accelerators are not concerned.
    """
    if asked_for() > 0 or jax.distributed.is_initialized():
        return
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    # Refused where the devices are known already.
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", min(MOST, cores()))


def asked_for() -> int:
    """How many CPU devices JAX was asked for, by this module or by its user; −1 where nobody asked."""
    return int(jax.config.jax_num_cpu_devices)  # pyright: ignore[reportAttributeAccessIssue]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
