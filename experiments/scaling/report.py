"""What scaling comes to: tables of what devices count and send, how long a step would take, and a figure of it."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from likeness.experiments.display.figures import BLUE, GREEN, INK, ORANGE, PALE, PIXELS_PER_INCH, PURPLE
from likeness.experiments.scaling.counting import Count, Counts, Laws, checked, laws
from likeness.experiments.scaling.machines import H100, TPU_V5E, Machine, Step, step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MACHINES = (H100, TPU_V5E)
_NEVER = 1 << 16
_COLORS = (ORANGE, "#E69F00", PURPLE, GREEN, "#56B4E9", "#8B6B3E", "#6F6F6F", "#F0E442")


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Counts of what was compiled, and of more devices by the laws that these obey."""

    counts: Counts
    all: tuple[Count, ...]
    """Those compiled, then those extrapolated."""
    laws: Laws | None
    """None where too few were compiled; then nothing is extrapolated."""

    def step(self, machine: Machine, of: Count) -> Step:
        """How long a step would take."""
        return step(
            machine,
            bfloat16=self.counts.bfloat16,
            flops=of.flops,
            full_precision=of.full_precision,
            moved=of.moved,
            sent=of.sent(),
        )

    def grown(self, machine: Machine, of: Count) -> float | None:
        """The share of a step without overlap that is owed to what grows with the number of devices.

        None where no law says what grows: before both axes of the mesh are there, and with a batch that stays.
        """
        if self.laws is None or self.counts.batch == "stays" or of.devices < 2 * self.laws.last.fsdp or of.devices < 2:
            return None
        full, steady = (self.step(machine, self.laws(of.devices, growing)).most for growing in (True, False))
        return max(0.0, 1.0 - steady / full)

    def dominated(self, machine: Machine) -> int | None:
        """The least number of devices, a power of 2, from which on what grows takes most of a step; None beyond 65,536."""
        if self.laws is None or self.counts.batch == "stays":
            return None
        devices = max(2, 2 * self.laws.last.fsdp)
        while devices <= _NEVER:
            share = self.grown(machine, self.laws(devices))
            if share is not None and share > 0.5:
                return devices
            devices *= 2
        return None


def scaled(counts: Counts, largest: int) -> Scaling:
    """Extrapolates to so many devices."""
    found, last = laws(counts), counts.compiled[-1]
    more, devices = [], 2 * last.devices
    while found is not None and devices <= largest and (counts.batch == "grows" or last.batch % devices == 0):
        more.append(found(devices))
        devices *= 2
    return Scaling(counts, (*counts.compiled, *more), found)


def counted(scaling: Scaling) -> list[list[str]]:
    """Rows of text, the first of which is the header: what a step costs one device."""
    ways = sorted({way for each in scaling.all for way in each.traffic})
    fsdp = any(each.fsdp > 1 for each in scaling.all)
    rows = [["devices", *(["of these fsdp"] if fsdp else []), "batch", "GFLOP", "GB moved", "GiB held"]]
    rows[0] += [way.title for way in ways]
    for each in scaling.all:
        row = [f"{each.devices}{'' if each.compiled else ' *'}", *([str(each.fsdp)] if fsdp else []), f"{each.batch:,}"]
        row += [f"{each.flops / 1e9:.4g}", f"{each.moved / 1e9:.4g}", f"{each.memory / 2**30:.3g}"]
        for way in ways:
            traffic = each.traffic.get(way)
            row.append(f"{traffic.bytes / 2**20:.3g} MiB in {traffic.number}" if traffic is not None and traffic.number else "")
        rows.append(row)
    return rows


def predicted(scaling: Scaling, machine: Machine) -> list[list[str]]:
    """Rows of text, the first of which is the header: how long a step would take on one machine."""
    kinds = sorted({way.kind for each in scaling.all for way in each.traffic})
    header = ["devices", "computes", *kinds, "step", "efficiency", "images/s"]
    weak = scaling.counts.batch == "grows"
    rows = [[*header, *(["grows"] if weak else [])]]
    alone = scaling.step(machine, scaling.all[0])
    for each in scaling.all:
        taken = scaling.step(machine, each)
        ideal = alone.busy / (1 if weak else each.devices / scaling.all[0].devices)
        row = [f"{each.devices}{'' if each.compiled else ' *'}", _ms(taken.busy)]
        for kind in kinds:
            spent = _spent(each, taken, kind)
            row.append(_ms(spent) if spent else "")
        row.append(_range(_ms(taken.least), _ms(taken.most)))
        row.append(_range(f"{100 * ideal / taken.most:.0f}", f"{100 * ideal / taken.least:.0f}") + " %")
        row.append(_range(_three(each.batch / taken.most), _three(each.batch / taken.least)))
        share = scaling.grown(machine, each)
        grows = "" if share is None else f"{100 * share:.1f} %"
        rows.append([*row, *([grows] if weak else [])])
    return rows


def notes(scaling: Scaling) -> list[str]:
    """Sentences a reader of the tables must know."""
    counts, said = scaling.counts, []
    last = counts.compiled[-1]
    batch = "each device has the config's batch (weak scaling)"
    said.append(batch if counts.batch == "grows" else "all devices share the config's batch (strong scaling)")
    said[0] = f"{said[0][0].upper()}{said[0][1:]}. Rows with * are extrapolated; the others are read from compiled programs."
    if (errors := checked(counts)) is not None:
        worst = ", ".join(f"{_names(name)} {100 * error:.2g} %" for name, error in errors.items())
        said.append(f"Check of the extrapolation: {last.devices} devices predicted from those before, relative error: {worst}.")
    elif scaling.laws is None:
        said.append("Too few numbers of devices were compiled to extrapolate: compile for more with --compiled.")
    if counts.batch == "grows" and scaling.laws is not None:
        for machine in MACHINES:
            at, at_last = scaling.dominated(machine), scaling.grown(machine, scaling.all[-1])
            when = f"from {at:,} devices on" if at is not None else f"at no number of devices up to {_NEVER:,}"
            now = f"; with {scaling.all[-1].devices} it is {100 * at_last:.1f} %" if at_last is not None else ""
            said.append(
                f"What grows with the number of devices (the embeddings that all gather, the matrix of all pairs) takes most "
                f"of a step on {machine.name} {when}{now}."
            )
    for machine in MACHINES:
        if too_much := [each.devices for each in scaling.all if each.memory > machine.memory]:
            held = max(each.memory for each in scaling.all)
            said.append(
                f"Up to {held / 1e9:.3g} GB are held on a device, and {machine.name} has {machine.memory / 1e9:.3g} GB: too "
                f"much with {_listed(too_much)} devices. XLA for a CPU holds more than for an accelerator, and bfloat16 as "
                "float32."
            )
    return said


def assumptions(scaling: Scaling) -> list[str]:
    """What the predicted times rest on."""
    kind = "bfloat16" if scaling.counts.bfloat16 else "float32 at JAX's default precision"
    return [
        "Predicted, not measured. Arithmetic or memory, whichever takes longer, then the collectives one after another: the "
        "longer of the two times of a step is without any overlap, the shorter with all that there can be. Waiting for data "
        "and for each other, and the start of kernels, are left out.",
        f"Products are of {kind}, but for those that ask for the highest precision, as the losses' do. "
        f"{100 * H100.of_peak:.0f} % of the FLOP/s and {100 * H100.of_bandwidth:.0f} % of every bandwidth are reached.",
        "FLOPs, bytes and collectives are those of XLA's program for a CPU, which computes and sends bfloat16 as float32 and "
        "fuses less: memory traffic is an upper bound, and an accelerator's compiler may choose other collectives for the same "
        "sums.",
        f"A loop whose length only its data decide counts {scaling.counts.rounds} times (in the triplet loss once for each "
        "positive of an anchor; --rounds says otherwise).",
        "All-reduces: bandwidth of a ring, latency of a tree, among the devices of a node and then between nodes. All-gathers, "
        "reduce-scatters: rings at both levels. The fsdp axis has devices that are next to each other.",
        *(f"{machine.name}: {machine.source}." for machine in MACHINES),
    ]


def markdown(scaling: Scaling, title: str) -> str:
    """Everything of it, to be read."""
    parts = [f"# Scaling of {title}", *notes(scaling), "## What a step costs each device", _grid(counted(scaling))]
    for machine in MACHINES:
        parts += [f"## Predicted on {machine.name}: milliseconds", _grid(predicted(scaling, machine))]
    return "\n\n".join([*parts, "## Assumptions", "\n".join(f"- {each}" for each in assumptions(scaling))]) + "\n"


def to_json(scaling: Scaling, title: str) -> dict[str, Any]:
    """Everything of it, to be read by a program: bytes, FLOPs and seconds."""
    rows = []
    for each in scaling.all:
        row: dict[str, Any] = {
            field.name: getattr(each, field.name) for field in dataclasses.fields(each) if field.name != "traffic"
        }
        row["collectives"] = [{**way._asdict(), **traffic._asdict()} for way, traffic in each.traffic.items()]
        row["seconds"] = {}
        for machine in MACHINES:
            taken = scaling.step(machine, each)
            row["seconds"][machine.name] = {
                "arithmetic": taken.arithmetic,
                "memory": taken.memory,
                "collectives": list(taken.collectives),
                "least": taken.least,
                "most": taken.most,
                "grows": scaling.grown(machine, each),
            }
        rows.append(row)
    return {
        "config": title,
        "batch": scaling.counts.batch,
        "bfloat16": scaling.counts.bfloat16,
        "rounds": scaling.counts.rounds,
        "counts": rows,
        "extrapolation_errors": checked(scaling.counts),
        "machines": [dataclasses.asdict(machine) for machine in MACHINES],
        "assumptions": assumptions(scaling),
    }


def figure(scaling: Scaling, title: str) -> "Figure":
    """Draws step time against devices, one panel a machine: computation and on it each collective, without any overlap.

    The line below is a step in which all overlaps that can, the dashed one an ideal. A batch that stays is drawn as the time of
    all devices together, which is ideally the same for any number.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, wspace=0.04)
    drawing = Figure(figsize=(11.0, 5.0), dpi=PIXELS_PER_INCH, layout=layout)
    for axes, machine in zip(drawing.subplots(1, len(MACHINES)), MACHINES, strict=True):
        _panel(axes, scaling, machine)
    together = scaling.counts.batch == "stays"
    drawing.axes[0].set_ylabel("Step × devices, ms" if together else "Step, ms", fontsize=10.5, color=INK)
    drawing.suptitle(f"Predicted scaling of {title}", x=0.012, ha="left", fontsize=13, color=INK, fontweight="bold")
    handles, labels = drawing.axes[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=10, frameon=False)
    return drawing


def _panel(axes: "Axes", scaling: Scaling, machine: Machine) -> None:
    devices = [each.devices for each in scaling.all]
    taken = [scaling.step(machine, each) for each in scaling.all]
    factor = [1e3 * (n if scaling.counts.batch == "stays" else 1) for n in devices]
    kinds = sorted({way.kind for each in scaling.all for way in each.traffic})
    spent = [[_spent(of, t, kind) for of, t in zip(scaling.all, taken, strict=True)] for kind in kinds]
    layers = [[f * t.busy for f, t in zip(factor, taken, strict=True)]]
    layers += [[f * s for f, s in zip(factor, row, strict=True)] for row in spent]
    colors = [BLUE, *(_COLORS[i % len(_COLORS)] for i in range(len(kinds)))]
    axes.stackplot(devices, *layers, colors=colors, labels=["computation", *kinds], alpha=0.75, linewidth=0)
    axes.plot(
        devices, [f * t.least for f, t in zip(factor, taken, strict=True)], color=INK, linewidth=2, label="if all overlaps"
    )
    ideal = 1e3 * taken[0].busy * (devices[0] if scaling.counts.batch == "stays" else 1)
    axes.axhline(ideal, color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label="ideal")
    compiled = scaling.counts.compiled[-1].devices
    if compiled < devices[-1]:
        axes.axvline(compiled, color="#767676", linewidth=1, linestyle=":")
        axes.annotate(
            "extrapolated →", (compiled, 1), (5, -4), xycoords=("data", "axes fraction"), textcoords="offset points",
            va="top", fontsize=9, color="#555555",
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xticks(devices, [str(n) for n in devices])
    axes.minorticks_off()
    axes.set_xlim(devices[0], max(devices[-1], devices[0] + 1))
    axes.set_ylim(0, 1.18 * max(sum(layer[i] for layer in layers) for i in range(len(devices))))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)
    axes.tick_params(color=PALE, labelcolor=INK, labelsize=10)
    axes.set_title(machine.name, loc="left", fontsize=11, color=INK, pad=8)
    axes.set_xlabel("Devices", fontsize=10.5, color=INK)


def _spent(of: Count, taken: Step, kind: str) -> float:
    """Seconds of one kind of collective."""
    return sum((s for way, s in zip(of.traffic, taken.collectives, strict=True) if way.kind == kind), 0.0)


def _grid(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---:|" * len(rows[0]), *lines[1:]])


def _names(name: str) -> str:
    return {"flops": "FLOPs", "moved": "bytes moved", "memory": "memory"}.get(name, name)


def _listed(numbers: Sequence[int]) -> str:
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}"


def _three(number: float) -> str:
    power = 0 if number < 1e4 else 1 if number < 1e6 else 2
    shown = float(f"{number:.3g}") / 1000**power
    digits = f"{shown:.3g}" if power and shown < 1000 else f"{shown:,.0f}"
    return f"{digits}{('', 'k', 'M')[power]}"


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low}-{high}"
