"""What a recognizer bears: its error rates on images that are made worse, kind by kind and step by step."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.recognition.protocols import Verification, evaluate
from likeness.experiments.recognition.recognizer import Recognizer
from likeness.research.data.degradations import (
    Blur,
    Darkness,
    Degradation,
    JpegCompression,
    LowResolution,
    Occlusion,
    PixelNoise,
)
from likeness.research.data.images import ArrayReader, Images
from likeness.research.metrics import verification
from likeness.research.metrics.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["KINDS", "Bearing", "robustness", "robustness_figure"]

KINDS: Mapping[str, tuple[Degradation, ...]] = {
    "resolution": tuple(LowResolution(side=side) for side in (56, 32, 20, 12)),
    "blur": tuple(Blur(sigma=sigma) for sigma in (1.0, 2.0, 4.0, 6.0)),
    "compression": tuple(JpegCompression(quality=quality) for quality in (30, 15, 8, 4)),
    "occlusion": tuple(Occlusion(share=share) for share in (0.05, 0.1, 0.2, 0.4)),
    "noise": tuple(PixelNoise(sigma=sigma) for sigma in (10.0, 20.0, 40.0, 80.0)),
    "light": tuple(Darkness(factor=factor) for factor in (0.5, 0.25, 0.1, 0.05)),
}
"""The steps of each kind, from mild to severe."""


@dataclasses.dataclass(frozen=True)
class Bearing:
    """What was measured of one step."""

    kind: str
    """Empty for the images as they are."""
    title: str
    eer: Estimate
    tar: Estimate
    """The share of pairs of one person that the recognizer's τ accepts."""
    far: Estimate
    """The share of pairs of two people that it accepts."""

    def to_json(self) -> dict[str, Any]:
        """As it is kept in a file."""
        return dataclasses.asdict(self)


def robustness(
    recognizer: Recognizer, images: Images, kinds: Mapping[str, Sequence[Degradation]] | None = None, seed: int = 0
) -> list[Bearing]:
    """Measures a recognizer on images as they are, and on all of them made worse in the same way.

    Args:
        recognizer: with a threshold τ.
        images: of people, as its preprocessing makes them: of photographs the crops of their faces.
        kinds: the steps of each kind; :data:`KINDS` unless given.
        seed: of what is random of a degradation.

    Raises:
        UserError: there is no τ.
    """
    tau = recognizer.threshold.tau
    steps: list[tuple[str, Degradation | None]] = [("", None)]
    steps += [(kind, one) for kind, several in (KINDS if kinds is None else kinds).items() for one in several]
    measured = []
    for kind, one in tracked("making images worse", steps):
        evaluated = evaluate(recognizer.embedder, images if one is None else _worse(images, one, seed))
        pairs = Verification().pairs(evaluated)
        rates = verification.verification(pairs.distances, pairs.same, pairs.people, (), seed)
        at = verification.at_threshold(pairs.distances, pairs.same, tau, pairs.people)
        title = "as they are" if one is None else one.title
        measured.append(Bearing(kind, title, rates["verification/eer"], at.tar, at.far))
    return measured


def robustness_figure(measured: Sequence[Bearing], title: str) -> "Figure":
    """True and false accepts at τ over the steps of each kind, with their intervals; on the left the images as they are."""
    from matplotlib.figure import Figure

    from likeness.experiments.display.figures import BLUE, INK, ORANGE

    kinds = list(dict.fromkeys(one.kind for one in measured if one.kind))
    clean = [one for one in measured if not one.kind]
    columns = min(3, len(kinds))
    rows = -(-len(kinds) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.7 * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, kind in zip(panels, kinds, strict=False):
        steps = clean + [one for one in measured if one.kind == kind]
        _curve(axes, [one.tar for one in steps], BLUE, "one person: true accepts")
        _curve(axes, [one.far for one in steps], ORANGE, "two people: false accepts")
        names = ["none", *(one.title.removeprefix(kind).removeprefix("JPEG quality").strip() for one in steps[1:])]
        axes.set_xticks(range(len(steps)), names, fontsize=8)
        axes.set_ylim(-4, 104)
        axes.set_title(kind, fontsize=11, color=INK, loc="left", fontweight="bold")
        axes.tick_params(labelsize=8, colors=INK)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    for axes in panels[len(kinds) :]:
        axes.set_axis_off()
    for row in range(rows):
        panels[row * columns].set_ylabel("accepted at τ, %", fontsize=9, color=INK)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(f"What {title} bears", fontsize=12, color=INK, fontweight="bold")
    return figure


def _curve(axes: "Axes", rates: Sequence[Estimate], color: str, label: str) -> None:
    values, lows, highs = (
        [100 * (default if number is None else number) for number in numbers]
        for numbers, default in (
            ([one.value for one in rates], np.nan),
            ([one.low for one in rates], 0.0),
            ([one.high for one in rates], 1.0),
        )
    )
    axes.fill_between(range(len(rates)), lows, highs, color=color, alpha=0.18, linewidth=0)
    axes.plot(range(len(rates)), values, color=color, marker="o", markersize=4, linewidth=2, label=label)


def _worse(images: Images, one: Degradation, seed: int) -> Images:
    draw = np.random.default_rng(seed)
    pixels = images.read(np.arange(len(images)))
    made = np.stack([one(image, draw) for image in pixels])
    return dataclasses.replace(images, read=ArrayReader(made), content=None, digests=None)
