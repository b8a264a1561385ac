"""Does what is stated of an average precision hold? Detectors are evaluated again and again where the truth is known.

    python -m likeness.experiments.benchmarks.detection_intervals
    python -m likeness.experiments.benchmarks.detection_intervals --of population --population.classes 10

The detectors are simulated: some images are harder than others, objects are found or not, boxes are off, some classes are
confused and some things seen that are not there. The truth is their AP on so many images that it hardly varies. A study shows a
few images, measures AP and AP50 with 95 % intervals, and compares two detectors that are equally good, and one with a
better one. The table says how far the numbers are above the truth on average (AP of few images is too high), how often
intervals hold the truth and how wide they are, beside the plain percentiles of the same resamples, and how often a
difference is called significant at 5 %: where there is none, and where there is one. Of classes that are in few images the
truth is the mean over those that are in the study. Some minutes on one core.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import tyro

from likeness.research.metrics.detection import AREAS, CocoEvaluation, CocoEvaluator, GroundTruth, Predictions
from likeness.research.metrics.detection.resampling import ImageResampler
from likeness.research.metrics.detection.uncertainty import compare, with_intervals

NAMES = ("AP", "AP50")
EVALUATOR = CocoEvaluator(areas=AREAS[:1], max_detections=(100,))
_GRID, _CELL = 8, 100.0


@dataclasses.dataclass(frozen=True)
class Detectors:
    """Images with a few objects, and what a detector says of them."""

    classes: int = 3
    objects: float = 2.5
    """In an image, on average."""
    rarer: float = 0.0
    """Each class is exp(-rarer) times as frequent as the one before."""
    quality: float = 1.0
    """How often objects are found, and how well boxes fit."""
    spread: float = 0.7
    """How much harder some images are than others."""
    ghosts: float = 1.0
    """Things in an image that are seen and not there, on average."""

    def draw(
        self, rng: np.random.Generator, images: int, qualities: Sequence[float] = (1.0,)
    ) -> tuple[list[GroundTruth], list[list[Predictions]]]:
        """Truths, and for each quality what a detector that is so many times as good says of them."""
        share = np.exp(-self.rarer * np.arange(self.classes))
        ease = self.spread * rng.normal(size=images)
        count = np.minimum(rng.poisson(self.objects, images), _GRID**2)
        cells = np.argsort(rng.random((images, _GRID**2)), axis=1)
        image = np.repeat(np.arange(images), count)
        cell = cells[image, np.arange(len(image)) - np.repeat(np.cumsum(count) - count, count)]
        corner = np.stack([cell % _GRID, cell // _GRID], axis=1) * _CELL + 10
        boxes = np.concatenate([corner, corner + 20 + 60 * rng.random((len(image), 2))], axis=1)
        classes = rng.choice(self.classes, len(image), p=share / share.sum())
        truths = [GroundTruth(box, each) for box, each in zip(_split(boxes, count), _split(classes, count), strict=True)]
        said = [self._say(rng, image, boxes, classes, ease, self.quality * one, share / share.sum()) for one in qualities]
        return truths, said

    def _say(
        self,
        rng: np.random.Generator,
        image: np.ndarray,
        boxes: np.ndarray,
        classes: np.ndarray,
        ease: np.ndarray,
        quality: float,
        share: np.ndarray,
    ) -> list[Predictions]:
        n, own = len(image), ease[image]
        found = rng.random(n) < _sigmoid(1.5 * quality + own + 0.5 * rng.normal(size=n))
        off = 0.08 / quality * np.exp(-0.5 * own)[:, None] * rng.normal(size=(n, 4))
        near = boxes + off * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        confused = rng.random(n) < 0.07
        label = np.where(confused, rng.choice(self.classes, n, p=share), classes)
        score = _sigmoid(1 + own + rng.normal(size=n))
        ghosts = rng.poisson(self.ghosts * np.exp(-0.5 * ease))
        m = int(ghosts.sum())
        corner = rng.random((m, 2)) * _GRID * _CELL
        whole = (
            np.concatenate([image[found], np.repeat(np.arange(len(ease)), ghosts)]),
            np.concatenate([near[found], np.concatenate([corner, corner + 20 + 60 * rng.random((m, 2))], axis=1)]),
            np.concatenate([score[found], _sigmoid(rng.normal(size=m) - 1)]),
            np.concatenate([label[found], rng.choice(self.classes, m, p=share)]),
        )
        order = np.argsort(whole[0], kind="stable")
        count = np.bincount(whole[0], minlength=len(ease))
        parts = [_split(each[order], count) for each in whole[1:]]
        return [Predictions(box, each, label) for box, each, label in zip(*parts, strict=True)]


@dataclasses.dataclass(frozen=True)
class Held:
    """What became of one number, over many studies."""

    truth: float
    above: float
    """By how much it is above the truth on average."""
    held: float
    """How often the interval holds the truth."""
    width: float
    percentiles: float
    """How often plain percentiles of the resamples do."""
    false_alarms: float
    """How often two equal detectors are called different."""
    power: float
    """How often a better one is."""


def simulate(
    population: Detectors, images: int, studies: int, better: float = 1.15, many: int = 60_000, seed: int = 0
) -> dict[str, Held]:
    """Evaluates detectors on a few images, again and again.

    Args:
        population: what they are shown.
        images: how many, in each study.
        studies: how many.
        better: how many times as good the better detector is.
        many: images that the truth is measured on.
        seed: of all.
    """
    rng, labels = np.random.default_rng(seed), np.arange(population.classes)
    truths, said = population.draw(rng, many)
    exact = EVALUATOR(truths, said[0], labels).precision[:, :, :, 0, 0].mean(axis=1)
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in NAMES}
    for study in range(studies):
        truths, said = population.draw(rng, images, (1.0, 1.0, better))
        one, other, third = (EVALUATOR(truths, each, labels) for each in said)
        seen = one.recall[0, :, 0, 0] >= 0
        estimates = with_intervals(one, NAMES, seed=study)
        equal, unequal = compare(one, other, NAMES, seed=study), compare(third, one, NAMES, seed=study)
        resamples = _percentiles(one, study)
        for name, steps in (("AP", slice(None)), ("AP50", slice(0, 1))):
            truth, (low, high) = exact[steps][:, seen].mean(), estimates[name].interval
            left, right = resamples[name]
            tests = equal[name].p_value < 0.05, unequal[name].p_value < 0.05
            above = one.numbers[name] - truth
            rows[name].append((truth, above, low <= truth <= high, high - low, left <= truth <= right, *tests))
    return {name: Held(*np.mean(each, axis=0).tolist()) for name, each in rows.items()}


def _percentiles(evaluation: CocoEvaluation, seed: int) -> dict[str, tuple[float, float]]:
    n = evaluation.matches.images
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=200)
    ap = np.nanmean(ImageResampler(evaluation)(weights)[0], axis=2)
    return {name: tuple(np.quantile(each, [0.025, 0.975])) for name, each in (("AP", ap.mean(axis=1)), ("AP50", ap[:, 0]))}


def _split(table: np.ndarray, count: np.ndarray) -> list[np.ndarray]:
    return np.split(table, np.cumsum(count)[:-1])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@dataclasses.dataclass(frozen=True)
class Options:
    """How large the simulation is."""

    studies: int = 400
    """Of each line."""
    images: tuple[int, ...] = ()
    """Of a study; as the table below has them by default."""
    of: Literal["several", "population"] = "several"
    """Several populations, or the one that follows."""
    population: Detectors = Detectors()
    """What detectors are shown."""


USUAL = (
    ("three classes", Detectors(), (30, 72, 300)),
    ("one class", Detectors(classes=1), (72,)),
    ("a good detector", Detectors(quality=2.5, ghosts=0.3), (72, 300)),
    ("one that hardly errs", Detectors(quality=4.0, ghosts=0.05, spread=0.3), (72,)),
    ("a poor one", Detectors(quality=0.5), (72,)),
    ("many false alarms", Detectors(ghosts=5.0), (100,)),
    ("ten classes, some rare", Detectors(classes=10, rarer=0.4), (72, 300)),
)


def main() -> None:
    """Print the table."""
    options = tyro.cli(Options, description=__doc__)
    usual = USUAL if options.of == "several" else (("as given", options.population, (72,)),)
    heads = ("truth", "above", "held", "width", "percentiles", "false alarms", "power")
    print(f"{'':<24}{'images':>7}{'':>6}" + "".join(f"{head:>{len(head) + 3}}" for head in heads))
    for name, population, images in usual:
        for n in options.images or images:
            for number, found in simulate(population, n, options.studies).items():
                values = (
                    f"{found.truth:>8.3f}{found.above:>+8.3f}{100 * found.held:>6.1f}%{found.width:>8.3f}",
                    f"{100 * found.percentiles:>13.1f}%{100 * found.false_alarms:>14.1f}%{100 * found.power:>7.1f}%",
                )
                print(f"{name:<24}{n:>7}{number:>6}" + "".join(values), flush=True)


if __name__ == "__main__":
    main()
