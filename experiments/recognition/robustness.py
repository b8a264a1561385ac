"""What a recognizer bears: its error rates on images that are made worse, and whether it knows which of them it will err on."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from likeness.experiments.display.phases import telling
from likeness.experiments.recognition.protocols import EvaluatedSet, Verification
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
from likeness.research.data.images import Images
from likeness.research.metrics import verification
from likeness.research.metrics.image_quality import sharpness
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.rejection import RejectCurve, error_versus_reject, knowing_the_errors
from likeness.research.types import Float, UInt8

__all__ = ["AS_THEY_ARE", "KINDS", "MADE_WORSE", "REJECTS", "Bearing", "QualityCurve", "Robustness", "robustness"]

KINDS: Mapping[str, tuple[Degradation, ...]] = {
    "resolution": tuple(LowResolution(side=side) for side in (56, 32, 20, 12)),
    "blur": tuple(Blur(sigma=sigma) for sigma in (1.0, 2.0, 4.0, 6.0)),
    "compression": tuple(JpegCompression(quality=quality) for quality in (30, 15, 8, 4)),
    "occlusion": tuple(Occlusion(share=share) for share in (0.05, 0.1, 0.2, 0.4)),
    "noise": tuple(PixelNoise(sigma=sigma) for sigma in (10.0, 20.0, 40.0, 80.0)),
    "light": tuple(Darkness(factor=factor) for factor in (0.5, 0.25, 0.1, 0.05)),
}
"""The steps of each kind, from mild to severe."""
REJECTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of the images that are rejected for their quality."""
AS_THEY_ARE, MADE_WORSE = "as they are", "made worse by a step at random"
_BATCH = 256
_SHOWN = 9
"""Images of falling quality that are kept to be shown."""
_KEPT = 2_000
"""Images made worse that are held, at most, to be shown by."""


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


@dataclasses.dataclass(frozen=True, eq=False)
class QualityCurve:
    """How the errors at τ change as the images that a quality thinks worst are rejected."""

    images: str
    """Which: :data:`AS_THEY_ARE` or :data:`MADE_WORSE`."""
    quality: str
    """What it is called: ``norm``, ``sharpness`` or ``the errors themselves``."""
    curve: RejectCurve

    def to_json(self) -> dict[str, Any]:
        """As it is kept in a file."""
        rates = {name: [dataclasses.asdict(each) for each in getattr(self.curve, name)] for name in ("fnmr", "fmr")}
        area = None if np.isnan(self.curve.area) else self.curve.area
        return {"images": self.images, "quality": self.quality, "reject": self.curve.reject.tolist(), **rates, "area": area}


@dataclasses.dataclass(frozen=True, eq=False)
class Robustness:
    """What was measured of a recognizer."""

    steps: tuple[Bearing, ...]
    """The images as they are, and then each step of each kind."""
    qualities: tuple[QualityCurve, ...]
    """Error versus reject, of the images as they are and of those made worse."""
    example: tuple[UInt8[np.ndarray, "h w c"], ...]
    """One image at each of the steps: that of the longest embedding."""
    falling: tuple[UInt8[np.ndarray, "h w c"], ...]
    """Images made worse, from the longest embedding to the shortest."""
    without_norm: str = ""
    """Why there is no curve by the norm, as a sentence; empty where there is one."""

    def to_json(self) -> dict[str, Any]:
        """Numbers only."""
        return {
            "steps": [one.to_json() for one in self.steps],
            "error_versus_reject": [one.to_json() for one in self.qualities],
        }


def robustness(
    recognizer: Recognizer, images: Images, kinds: Mapping[str, Sequence[Degradation]] | None = None, seed: int = 0
) -> Robustness:
    """Measures a recognizer on images as they are, and on all of them made worse in the same way.

    A camera makes some images worse and others not. So in another set each image is made worse by one of the steps at random,
    or left. On it and on the images as they are it is measured how the errors at τ change as the images of lowest quality are
    rejected. The length of an embedding before it is normalized is the quality that costs nothing; sharpness is one that knows
    no network; and the errors themselves are what no quality can know.

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
    sweep = _Sweep(recognizer, images, len(steps), seed)
    measured = []
    for number, (kind, one) in enumerate(steps):
        evaluated = sweep.embed(number, one)
        pairs = Verification().pairs(evaluated)
        rates = verification.verification(pairs.distances, pairs.same, pairs.people, (), seed)
        at = verification.at_threshold(pairs.distances, pairs.same, tau, pairs.people)
        title = AS_THEY_ARE if one is None else one.title
        measured.append(Bearing(kind, title, rates["verification/eer"], at.tar, at.far))
    curves, without = [], ""
    for title, codes, qualities in sweep.sets():
        found, without = _curves(title, EvaluatedSet(recognizer.embedder, images, codes), qualities, tau, seed)
        curves += found
    return Robustness(tuple(measured), tuple(curves), sweep.example(steps), sweep.falling(), without)


def _curves(
    title: str, evaluated: EvaluatedSet, qualities: Mapping[str, np.ndarray], tau: float, seed: int
) -> tuple[list[QualityCurve], str]:
    pairs = Verification().pairs(evaluated)
    ideal = knowing_the_errors(pairs.distances, pairs.same, pairs.rows, len(evaluated.images), tau)
    curves, without = [], ""
    for name, quality in {**qualities, "the errors themselves": ideal}.items():
        if np.ptp(quality) <= 1e-5 * np.abs(quality).max(initial=0.0):
            if name == "norm":
                without = "The encoder brings its embeddings to unit length, so that their norms say nothing."
            continue
        curve = error_versus_reject(
            pairs.distances,
            pairs.same,
            pairs.rows,
            quality,
            rejects=REJECTS,
            people_pairs=pairs.people,
            seed=seed,
            threshold=tau,
        )
        curves.append(QualityCurve(title, name, curve))
    return curves, without


class _Sweep:
    """Embeds images step by step, and puts together on the way what each image was in the step that chance gave it."""

    def __init__(self, recognizer: Recognizer, images: Images, steps: int, seed: int) -> None:
        self._recognizer, self._images, self._seed = recognizer, images, seed
        count = len(images)
        self._step_of = np.random.default_rng(seed).integers(0, steps, count)
        self._total = steps * count
        self._tell = telling("making images worse and embedding them")
        self._tell(0, self._total)
        self._clean = self._mixed = np.zeros((count, 0), np.float32)
        # Of the images as they are, and of those made worse.
        self._norms, self._sharp = np.zeros((2, count)), np.zeros((2, count))
        self._every = max(1, count // _KEPT)
        self._kept: dict[int, np.ndarray] = {}

    def embed(self, number: int, one: Degradation | None) -> EvaluatedSet:
        """All images in one step; the first is that of the images as they are."""
        draw = np.random.default_rng(self._seed)
        count, parts = len(self._images), []
        for start in range(0, count, _BATCH):
            rows = np.arange(start, min(start + _BATCH, count))
            pixels = self._images.read(rows)
            made = pixels if one is None else np.stack([one(image, draw) for image in pixels])
            parts.append(self._recognizer.embedder.embed(made))
            if one is None:
                self._see(0, rows, made)
            chosen = self._step_of[rows] == number
            if chosen.any():
                self._see(1, rows[chosen], made[chosen])
                self._kept |= {int(row): made[row - start] for row in rows[chosen] if row % self._every == 0}
            self._tell(number * count + int(rows[-1]) + 1, self._total)
        codes = np.concatenate(parts)
        if one is None:
            self._clean, self._mixed = codes, codes.copy()
        mine = self._step_of == number
        self._mixed[mine] = codes[mine]
        return EvaluatedSet(self._recognizer.embedder, self._images, codes)

    def _see(self, which: int, rows: np.ndarray, made: UInt8[np.ndarray, "b h w c"]) -> None:
        self._norms[which, rows] = self._recognizer.norms(made)
        self._sharp[which, rows] = [sharpness(image[..., 0] if image.shape[-1] == 1 else image) for image in made]

    def sets(self) -> list[tuple[str, Float[np.ndarray, "n d"], dict[str, np.ndarray]]]:
        """The images as they are and those made worse: their name, embeddings, and qualities."""
        return [
            (title, codes, {"norm": self._norms[which], "sharpness": self._sharp[which]})
            for which, (title, codes) in enumerate(((AS_THEY_ARE, self._clean), (MADE_WORSE, self._mixed)))
        ]

    def example(self, steps: Sequence[tuple[str, Degradation | None]]) -> tuple[UInt8[np.ndarray, "h w c"], ...]:
        """The image of the longest embedding at each of the steps."""
        (image,) = self._images.read(np.array([int(np.argmax(self._norms[0]))]))
        return tuple(image if one is None else one(image, np.random.default_rng(self._seed)) for _, one in steps)

    def falling(self) -> tuple[UInt8[np.ndarray, "h w c"], ...]:
        """Images made worse, evenly spread from the longest embedding to the shortest."""
        rows = np.array(sorted(self._kept, key=lambda row: -self._norms[1, row]))
        places = np.unique(np.round(np.linspace(0, len(rows) - 1, _SHOWN)).astype(int))
        return tuple(self._kept[int(row)] for row in rows[places])
