"""What a step costs each of n devices, read from programs that are compiled for n devices of the CPU and never run."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import numpy as np
from jax.sharding import AxisType

from likeness.experiments.distributed.sharding import Mesh
from likeness.experiments.run import Run
from likeness.experiments.scaling.accelerators import as_on_accelerators
from likeness.experiments.scaling.collectives import Collective, Traffic
from likeness.experiments.scaling.law import Law, fit
from likeness.experiments.scaling.machines import Sent
from likeness.experiments.scaling.program import counted
from likeness.experiments.training.program import build
from likeness.research.errors import UserError
from likeness.research.types import PyTree

Batch: TypeAlias = Literal["grows", "stays"]
"""``grows``: the config's batch is that of each device (weak scaling). ``stays``: it is that of all together (strong)."""

_POWERS: Mapping[Batch, tuple[tuple[int, ...], ...]] = {
    "grows": ((0,), (0, 1), (0, 1, 2)),
    "stays": ((0,), (0, -1), (-1, 0, 1)),
}
_PRODUCT = re.compile(r"stablehlo\.(?:convolution|dot_general).*-> tensor<[\dx]*?(\w+)>")


@dataclasses.dataclass(frozen=True, kw_only=True)
class First(Mesh):
    """A mesh of the first devices, however many there are."""

    def build(self, batch: PyTree = None, statistics: int = 0) -> jax.sharding.Mesh:
        del batch, statistics
        shape = (self.data or 1, self.fsdp)
        kinds = (AxisType.Auto, AxisType.Auto)
        return jax.make_mesh(shape, ("data", "fsdp"), axis_types=kinds, devices=jax.devices()[: shape[0] * shape[1]])


class Way(NamedTuple):
    """One kind of collective among one sort of group."""

    kind: str
    among: Literal["all", "data", "fsdp", "some"]
    """All devices, those along one axis of the mesh, or another part."""
    size: int = 0
    """Of another part, how many devices."""
    stride: int = 0
    """Of another part, between the numbers of neighbors."""

    @property
    def title(self) -> str:
        """Short enough for the head of a column."""
        among = {"all": "", "data": " (data)", "fsdp": " (fsdp)", "some": f" ({self.size})"}
        return f"{self.kind}{among[self.among]}"


@dataclasses.dataclass(frozen=True)
class Count:
    """Of a step, on one of so many devices."""

    devices: int
    fsdp: int
    """Devices that share one copy of the large parameters."""
    batch: int
    """Rows of the batch of all devices."""
    compiled: bool
    """Read from a program, or extrapolated."""
    flops: float
    full_precision: float
    """Of these, products of float32 at the highest precision."""
    moved: float
    """Bytes read and written in memory, as XLA fuses for a CPU."""
    memory: float
    """Peak of bytes held."""
    traffic: Mapping[Way, Traffic]

    def sent(self) -> tuple[Sent, ...]:
        """Its collectives, in the order of :attr:`traffic`."""
        found = []
        for way, traffic in self.traffic.items():
            size, stride = {
                "all": (self.devices, 1),
                "data": (self.devices // self.fsdp, self.fsdp),
                "fsdp": (self.fsdp, 1),
                "some": (way.size, way.stride),
            }[way.among]
            found.append(Sent(way.kind, traffic.number, float(traffic.bytes), size, stride))
        return tuple(found)


@dataclasses.dataclass(frozen=True)
class Counts:
    """Of one config, for rising numbers of devices."""

    batch: Batch
    bfloat16: bool
    """Whether most products are of bfloat16."""
    rounds: int
    """How often loops run whose number is known only when they run."""
    compiled: tuple[Count, ...]


def numbers_of_devices(run: Run, rows: int, batch: Batch, largest: int) -> list[int]:
    """1, 2, 4, … up to ``largest``, as far as the devices can share the mesh and the batch.

    Raises:
        UserError: ``mesh.fsdp`` is no power of 2.
    """
    if run.mesh.fsdp & (run.mesh.fsdp - 1):
        raise UserError(f"mesh.fsdp is {run.mesh.fsdp}: counts are made for 1, 2, 4, … devices, so give it a power of 2.")
    numbers = [1 << k for k in range(max(largest, 1).bit_length()) if 1 << k <= largest]
    return [n for n in numbers if batch == "grows" or rows % n == 0]


def count(run: Run, batch: Batch, numbers: Sequence[int], rounds: int | None, tell: Callable[[str], None]) -> Counts:
    """Compiles a step for each number of devices; that many there must be.

    Args:
        run: its mesh says how many devices share large parameters; what they are fewer than that, all do.
        batch: whether it grows with the devices.
        numbers: of devices, rising.
        rounds: see :class:`Counts`; None takes the images of one person in a batch but one, which is how often the triplet
            loss's loop runs.
        tell: is told what is being compiled.
    """
    data = run.experiment.open()
    first = next(run.experiment.stream(data, run.seed))
    constants = run.experiment.constants(data)
    rounds = rounds or positives(first)
    found, bfloat16 = [], False
    for place, devices in enumerate(numbers):
        tell(f"compiling for {devices} of {numbers[-1]} devices ({place + 1} of {len(numbers)}) …")
        lowered, rows = _lowered(run, constants, first, devices, batch)
        if not place:
            kinds = _PRODUCT.findall(lowered.as_text())
            bfloat16 = 2 * kinds.count("bf16") > len(kinds)
        # The program is not run: what matters is decided before machine code is made.
        compiled = lowered.compile(compiler_options={"xla_backend_optimization_level": 0})
        found.append(_counted(compiled, devices, min(run.mesh.fsdp, devices), rows, rounds))
    return Counts(batch, bfloat16, rounds, tuple(found))


def positives(batch: PyTree) -> int:
    """The most images that anyone has in a batch with labels, but one; 1 at least."""
    labels = batch.get("labels") if isinstance(batch, dict) else None
    return 1 if labels is None else max(1, int(np.unique(np.asarray(labels), return_counts=True)[1].max()) - 1)


def _lowered(run: Run, constants: PyTree, batch: PyTree, devices: int, grows: Batch) -> tuple[Any, int]:
    times = devices if grows == "grows" else 1
    one: PyTree = jax.eval_shape(lambda given: given, batch)
    rows: PyTree = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((times * leaf.shape[0], *leaf.shape[1:]), leaf.dtype), one)
    fsdp = min(run.mesh.fsdp, devices)
    mesh = First(data=devices // fsdp, fsdp=fsdp, shard_above=run.mesh.shard_above)
    program = build(dataclasses.replace(run, mesh=mesh), constants, rows, as_on_accelerators)
    kept = jax.eval_shape(lambda given: given, program.constants)
    with jax.default_matmul_precision(run.matmul_precision):
        step: Any = program.step
        return step.lower(program.state, kept, rows, jax.random.key(0)), jax.tree.leaves(rows)[0].shape[0]


def _counted(compiled: Any, devices: int, fsdp: int, rows: int, rounds: int) -> Count:
    cost, memory = compiled.cost_analysis(), compiled.memory_analysis()
    more = counted(compiled.as_text(), devices, rounds)
    traffic: dict[Way, Traffic] = {}
    for sent, times in more.collectives:
        if len(sent.group) > 1:
            way = _way(sent, devices, fsdp)
            number, total = traffic.get(way, Traffic(0, 0))
            traffic[way] = Traffic(number + times, total + times * sent.bytes)
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return Count(
        devices=devices,
        fsdp=fsdp,
        batch=rows,
        compiled=True,
        flops=cost["flops"] + more.more_flops,
        full_precision=more.full_precision,
        moved=cost["bytes accessed"] + more.more_bytes,
        memory=float(held + memory.temp_size_in_bytes),
        traffic=dict(sorted(traffic.items())),
    )


def _way(sent: Collective, devices: int, fsdp: int) -> Way:
    size, stride = len(sent.group), sent.group[1] - sent.group[0]
    if size == devices:
        return Way(sent.kind, "all")
    if (size, stride) == (fsdp, 1):
        return Way(sent.kind, "fsdp")
    if (size, stride) == (devices // fsdp, fsdp):
        return Way(sent.kind, "data")
    return Way(sent.kind, "some", size, stride)


@dataclasses.dataclass(frozen=True)
class Laws:
    """How the counts of one config go with the number of devices."""

    batch: Batch
    last: Count
    """The largest of those they were fitted to."""
    flops: Law
    full_precision: Law
    moved: Law
    memory: Law
    traffic: Mapping[Way, tuple[Law, Law]]
    """Number and bytes."""

    def __call__(self, devices: int, growing: bool = True) -> Count:
        """The step of so many devices; without what grows with their number, if so told."""

        def at(law: Law) -> float:
            return law(devices) if growing else law.without_growth(devices)

        traffic = {way: Traffic(round(number(devices)), round(at(size))) for way, (number, size) in self.traffic.items()}
        # Where nothing is left to send, nobody waits for it to begin.
        traffic = {way: each for way, each in traffic.items() if each.bytes and each.number}
        return Count(
            devices=devices,
            fsdp=self.last.fsdp,
            batch=self.last.batch * devices // self.last.devices if self.batch == "grows" else self.last.batch,
            compiled=False,
            flops=at(self.flops),
            full_precision=at(self.full_precision),
            moved=at(self.moved),
            memory=at(self.memory),
            traffic=traffic,
        )


def laws(counts: Counts, largest: int | None = None) -> Laws | None:
    """Fits the counts of up to ``largest`` devices.

    Only those in which both axes of the mesh are there. None where fewer than two such counts are left.
    """
    used = [each for each in counts.compiled if each.devices >= 2 * each.fsdp and each.devices > 1]
    used = [each for each in used if each.fsdp == used[-1].fsdp and each.devices <= (largest or each.devices)]
    if len(used) < 2:
        return None
    devices, candidates = [each.devices for each in used], _POWERS[counts.batch]

    def law(of: Callable[[Count], float]) -> Law:
        return fit(devices, [float(of(each)) for each in used], candidates)

    ways = sorted({way for each in used for way in each.traffic})
    nothing = Traffic(0, 0)
    return Laws(
        batch=counts.batch,
        last=used[-1],
        flops=law(lambda each: each.flops),
        full_precision=law(lambda each: each.full_precision),
        moved=law(lambda each: each.moved),
        memory=law(lambda each: each.memory),
        traffic={
            way: (
                law(lambda each, way=way: each.traffic.get(way, nothing).number),
                law(lambda each, way=way: each.traffic.get(way, nothing).bytes),
            )
            for way in ways
        },
    )


def checked(counts: Counts) -> dict[str, float] | None:
    """Predicts the largest program from the smaller ones: relative errors of its counts; None where they are too few."""
    known = counts.compiled[-1]
    found = laws(counts, known.devices // 2)
    if found is None:
        return None
    guess = found(known.devices)
    pairs = {name: (getattr(guess, name), getattr(known, name)) for name in ("flops", "moved", "memory")}
    for kind in sorted({way.kind for way in [*known.traffic, *guess.traffic]}):
        each = [sum(t.bytes for way, t in of.traffic.items() if way.kind == kind) for of in (guess, known)]
        pairs[kind] = (float(each[0]), float(each[1]))
    return {name: abs(a - b) / max(b, 1.0) for name, (a, b) in pairs.items()}
