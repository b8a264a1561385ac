"""Accelerators on paper, and how long they would take for what a step counts. Everything here is an assumption, none measured.

A step computes for as long as its arithmetic or its memory traffic takes, whichever is longer (Williams, Waterman and
Patterson, "Roofline", 2009), and communicates for the sum of its collectives, each of them ``latency + bytes / bandwidth``
(Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in MPICH", 2005) in two levels: among
``near`` devices, then between such groups of them, each device by a network port of its own. What overlaps is not known before
it runs, so there are two answers: nothing does, and everything does.
"""

import dataclasses
import math
from typing import NamedTuple


@dataclasses.dataclass(frozen=True, kw_only=True)
class Link:
    """How devices of one level are joined."""

    devices: int
    """How many it joins."""
    bandwidth: float
    """Bytes a second that each sends, while it receives as many."""
    latency: float
    """Seconds from one device to the next."""
    torus: bool = False
    """Joined to neighbors in two dimensions, and not by a switch. A part of the devices then has half the bandwidth: its rings
    are not closed, or run along one of the dimensions."""

    def rate(self, members: int) -> float:
        """Bytes a second of each of so many of its devices."""
        return self.bandwidth / 2 if self.torus and members < self.devices else self.bandwidth

    def around(self, members: int) -> int:
        """Steps of a ring through so many devices; on a torus first along one dimension, then the other."""
        side = math.isqrt(members - 1) + 1
        return min(members - 1, 2 * (side - 1)) if self.torus else members - 1

    def across(self, members: int) -> int:
        """Steps of a tree over so many devices; on a torus to the farthest."""
        return self.around(members) if self.torus else math.ceil(math.log2(members))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """One kind of accelerator and its network."""

    name: str
    bfloat16: float
    """FLOP/s of products of bfloat16, dense."""
    float32: float
    """FLOP/s of products of float32 at JAX's default precision."""
    full_precision: float
    """FLOP/s of products of float32 at the highest precision."""
    bandwidth: float
    """Bytes a second of its memory."""
    memory: float
    """Bytes."""
    near: Link
    far: Link
    source: str
    """Where the numbers are from."""
    of_peak: float = 0.5
    """Share of the FLOP/s that is reached."""
    of_bandwidth: float = 0.8
    """Share of every bandwidth that is reached."""


# 989.4 and 494.7 TFLOP/s are dense; the sheet's own are twice that, with sparsity.
H100 = Machine(
    name="H100 SXM, NVLink, InfiniBand NDR",
    bfloat16=989e12,
    float32=494e12,
    full_precision=67e12,
    bandwidth=3.35e12,
    memory=80e9,
    near=Link(devices=8, bandwidth=450e9, latency=2e-6),
    far=Link(devices=1 << 20, bandwidth=50e9, latency=5e-6),
    source="NVIDIA H100 SXM data sheet: 989 TFLOP/s bfloat16, 494 TF32, 67 float32, all dense, 3.35 TB/s, 80 GB, NVLink "
    "900 GB/s in both directions together; one ConnectX-7 port of 400 Gb/s for each GPU, nodes of 8. Latencies are guesses: "
    "2 µs in a node, 5 µs between nodes",
)
TPU_V5E = Machine(
    name="TPU v5e, ICI torus, DCN",
    bfloat16=197e12,
    float32=197e12,
    full_precision=197e12 / 6,
    bandwidth=819e9,
    memory=16e9,
    near=Link(devices=256, bandwidth=200e9, latency=1e-6, torus=True),
    far=Link(devices=1 << 20, bandwidth=3.125e9, latency=50e-6),
    source="Google Cloud's TPU v5e page: 197 TFLOP/s bfloat16, 819 GB/s, 16 GB, ICI 1,600 Gb/s a chip, 2D torus of 256 chips, "
    "data center network 6.4 Tb/s a pod of 256. Float32 by default is one pass of bfloat16, at the highest precision six. "
    "Latencies are guesses: 1 µs a hop, 50 µs between pods",
)


class Sent(NamedTuple):
    """The collectives of one kind and one sort of group, in one step."""

    kind: str
    number: int
    bytes: float
    """Of their results, on one device."""
    group: int
    """Devices that take part together."""
    stride: int
    """Between the numbers of neighbors in a group."""


def seconds(machine: Machine, sent: Sent) -> float:
    """How long collectives take one after another.

    With g devices in a group, s of them near each other and m = g / s such groups, and V bytes in whole: an all-gather moves
    (s - 1) / s V over near links and (m - 1) / m V / s over far ones, in s - 1 and m - 1 steps of a ring; a reduce-scatter the
    same; an all-reduce both, in steps of trees. An all-to-all sends each other device its part of V.

    Args:
        machine: on which.
        sent: how many, and how large. V is the size of the results, but for a reduce-scatter, whose results are a part of it.
    """
    group = sent.group
    if group < 2 or not sent.number:
        return 0.0
    near, far = machine.near, machine.far
    within = max(1, min(group, near.devices // sent.stride))
    nodes = math.ceil(group / within)
    fast, slow = (machine.of_bandwidth * rate for rate in (near.rate(within), far.rate(nodes)))
    if sent.kind == "collective-permute":
        steps, carried = (far.latency, sent.bytes / slow) if nodes > 1 else (near.latency, sent.bytes / fast)
    elif sent.kind == "all-to-all":
        steps = (within > 1) * near.latency + (nodes > 1) * far.latency
        carried = sent.bytes / group * ((within - 1) / fast + (group - within) / slow)
    else:
        whole = sent.bytes * (group if sent.kind == "reduce-scatter" else 1)
        carried = whole * ((within - 1) / within / fast + (nodes - 1) / nodes / within / slow)
        if sent.kind == "all-reduce":
            carried *= 2
            steps = 2 * (near.across(within) * near.latency + far.across(nodes) * far.latency)
        else:
            steps = near.around(within) * near.latency + far.around(nodes) * far.latency
    return sent.number * steps + carried


class Step(NamedTuple):
    """Seconds of a step's parts on one machine."""

    arithmetic: float
    memory: float
    collectives: tuple[float, ...]
    """In the order in which they were given."""

    @property
    def busy(self) -> float:
        """What a device does by itself."""
        return max(self.arithmetic, self.memory)

    @property
    def waits(self) -> float:
        """What it has from others."""
        return sum(self.collectives, 0.0)

    @property
    def least(self) -> float:
        """When all communication is hidden behind computation, or the other way round."""
        return max(self.busy, self.waits)

    @property
    def most(self) -> float:
        """When nothing is."""
        return self.busy + self.waits


def step(
    machine: Machine, *, bfloat16: bool, flops: float, full_precision: float, moved: float, sent: tuple[Sent, ...]
) -> Step:
    """How long a step takes.

    Args:
        machine: on which.
        bfloat16: whether products are of bfloat16, those in full precision apart.
        flops: of one device, all together.
        full_precision: of these, products of float32 at the highest precision.
        moved: bytes that one device reads and writes in its memory.
        sent: its collectives.
    """
    peak = machine.bfloat16 if bfloat16 else machine.float32
    arithmetic = (max(flops - full_precision, 0.0) / peak + full_precision / machine.full_precision) / machine.of_peak
    memory = moved / (machine.bandwidth * machine.of_bandwidth)
    return Step(arithmetic, memory, tuple(seconds(machine, each) for each in sent))
