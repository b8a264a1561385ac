"""Does what is stated hold? Thresholds are calibrated, and rates measured, again and again where the truth is known.

    python -m likeness.experiments.benchmarks.thresholds
    python -m likeness.experiments.benchmarks.thresholds --studies 200 --population.variety 0.5

The truth is known of distances that are uniform, where a threshold is its own false-accept rate, and of simulated people:
points that scatter around a center of their own, some people's more than others'. A study draws a few of them, chooses τ for
a false-accept rate and measures everything with its 95 % interval. The first two tables say how many new strangers τ
accepts, on average over the studies, against what was asked for and against what is stated; the last how often the
intervals hold the truth, and how wide they are. Few people are one study's luck: no interval holds the truth in exactly
95 % of cases whatever the people are, so look at several populations. Where six people make no mistake, in one study of
ten, say, nothing varies between them: an interval holds the truth in all of these studies or in none, so that it must be
wider than need be. Some minutes on one core.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tyro

from likeness.experiments.recognition.recognition import few
from likeness.research.metrics import identification as open_set
from likeness.research.metrics import roc as curves
from likeness.research.metrics.calibration import threshold_at_far
from likeness.research.metrics.identification import identification
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.one_shot import draw_trials, one_shot
from likeness.research.metrics.pairs import all_pairs
from likeness.research.metrics.verification import at_threshold, rate_name, verification

FARS = (1e-1, 1e-2)
FPIR = 1e-1
WAYS = 3


@dataclasses.dataclass(frozen=True)
class Population:
    """Embeddings of people who differ in how far their images scatter."""

    dimension: int = 16
    noise: float = 0.6
    """How far images scatter around their person, people scattering by 1 around their mean."""
    variety: float = 0.3
    """Deviation between people of the scatter's logarithm."""

    def draw(self, rng: np.random.Generator, people: int, images: int) -> np.ndarray:
        """Embeddings (people, images, dimension)."""
        spread = self.noise * np.exp(self.variety * rng.normal(size=(people, 1, 1)))
        centers = rng.normal(size=(people, 1, self.dimension))
        return centers + spread * rng.normal(size=(people, images, self.dimension))

    def strangers(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Rising distances of so many pairs of people who are in no other pair."""
        parts = [min(50_000, count - start) for start in range(0, count, 50_000)]
        drawn = [((self.draw(rng, n, 1) - self.draw(rng, n, 1)) ** 2).sum(axis=(1, 2)) for n in parts]
        return np.sort(np.concatenate(drawn))


@dataclasses.dataclass(frozen=True)
class Promise:
    """What thresholds do to strangers, over many calibrations."""

    true: float
    """Rate of accepted strangers."""
    stated: float
    """What is stated of it."""
    held: float
    """How often the interval holds the true rate of its threshold."""


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How often intervals hold the truth, and how wide they are."""

    truth: float
    value: float
    held: float
    width: float


def independent(pairs: int, far: float, studies: int, seed: int = 0) -> Promise:
    """Calibrates on pairs that share nobody. Their distances are uniform; any others would give the same."""
    rng, same = np.random.default_rng(seed), np.arange(pairs + 2) < 2
    found = [threshold_at_far(rng.random(pairs + 2), same, far) for _ in range(studies)]
    return _promise([each.threshold for each in found], [each.far for each in found])


def crowded(population: Population, people: int, images: int, far: float, studies: int, seed: int = 0) -> Promise:
    """Calibrates on all pairs of a few people's images."""
    rng = np.random.default_rng(seed)
    strangers = population.strangers(rng, 400_000)
    labels = np.repeat(np.arange(people), images)
    true, stated = [], []
    for study in range(studies):
        pairs = all_pairs(_distances(*[population.draw(rng, people, images).reshape(len(labels), -1)] * 2), labels)
        found = threshold_at_far(pairs.distances, pairs.same, far, pairs.people, seed=study)
        true.append(np.searchsorted(strangers, found.threshold, side="right") / len(strangers))
        stated.append(found.far)
    return _promise(true, stated)


def coverage(population: Population, people: int, images: int, studies: int, seed: int = 0) -> dict[str, Coverage]:
    """Measures a few people, half of them enrolled where somebody is to be named, again and again."""
    rng = np.random.default_rng(seed)
    truth, tau = _truth(population, people // 2, rng)
    labels = np.repeat(np.arange(people), images)
    measured: dict[str, list[Estimate]] = {name: [] for name in truth}
    for study in range(studies):
        points = population.draw(rng, people, images).reshape(len(labels), -1)
        for name, estimate in _measure(points, labels, tau, study).items():
            if estimate.resolved:
                measured[name].append(estimate)
    return {name: _covered(truth[name], estimates) for name, estimates in measured.items() if estimates}


def _measure(points: np.ndarray, labels: np.ndarray, tau: float, seed: int) -> dict[str, Estimate]:
    distances = _distances(points, points)
    pairs = all_pairs(distances, labels)
    rates = at_threshold(pairs.distances, pairs.same, tau, pairs.people, seed)
    who = open_set.protocol(labels, seed=seed)
    probes = np.concatenate([who.probes, who.unknowns])
    trials = draw_trials(labels, WAYS, count=100, seed=seed)
    nearest = distances[trials.query[:, None], trials.support[:, :, 0]]
    return {
        **verification(pairs.distances, pairs.same, pairs.people, FARS, seed),
        "threshold/far": rates.far,
        "threshold/tar": rates.tar,
        **identification(distances[np.ix_(probes, who.gallery)], labels[probes], labels[who.gallery], (FPIR,), seed),
        **one_shot(nearest, trials.answers, trials.people, seed),
    }


def _truth(population: Population, enrolled: int, rng: np.random.Generator) -> tuple[dict[str, float], float]:
    """What the metrics of unendingly many people are, and a τ that one in fifty strangers is within."""
    first, second = np.moveaxis(population.draw(rng, 50_000, 2), 1, 0)
    own = ((first - second) ** 2).sum(axis=-1)
    others = np.concatenate([((first - np.roll(second, shift, axis=0)) ** 2).sum(axis=-1) for shift in range(1, 6)])
    curve = curves.roc(np.concatenate([own, others]), np.arange(len(own) + len(others)) < len(own))
    tau = float(np.quantile(others, 0.02))
    truth = {"verification/eer": float(curves.eer(curve)), "verification/auc": float(curves.auc(curve))}
    tars = zip(FARS, curves.tar_at_far(curve, np.asarray(FARS)).tolist(), strict=True)
    truth |= {f"verification/tar@far={rate_name(far)}": tar for far, tar in tars}
    truth["verification/accuracy"] = float(((curve.tar + 1 - curve.far) / 2).max())
    truth |= {"threshold/far": float((others <= tau).mean()), "threshold/tar": float((own <= tau).mean())}
    mated, named, unknown, missed = [], [], [], []
    for _ in range(20_000 // enrolled):
        known, again = np.moveaxis(population.draw(rng, enrolled, 2), 1, 0)
        distances = _distances(again, known)
        mated.append(distances.min(axis=1))
        named.append(distances.argmin(axis=1) == np.arange(enrolled))
        unknown.append(_distances(population.draw(rng, enrolled, 1)[:, 0], known).min(axis=1))
        few = population.draw(rng, WAYS, 2)
        missed.append(_distances(few[:1, 1], few[:, 0]).argmin(axis=1) != 0)
    right = np.concatenate(named)
    reach = np.quantile(np.concatenate(unknown), FPIR)
    truth["identification/rank1"] = float(right.mean())
    truth[f"identification/fnir@fpir={rate_name(FPIR)}"] = float(1 - (right & (np.concatenate(mated) <= reach)).mean())
    truth["one_shot/error"] = float(np.concatenate(missed).mean())
    return truth, tau


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)
    return np.maximum(squares - 2 * first @ second.T, 0)


def _promise(true: Sequence[float], stated: Sequence[Estimate]) -> Promise:
    held = [estimate.interval[0] <= rate <= estimate.interval[1] for rate, estimate in zip(true, stated, strict=True)]
    values = [estimate.value for estimate in stated if estimate.value is not None]
    return Promise(float(np.mean(true)), float(np.mean(values)), float(np.mean(held)))


def _covered(truth: float, estimates: Sequence[Estimate]) -> Coverage:
    low, high = np.array([estimate.interval for estimate in estimates]).T
    value = float(np.mean([estimate.value for estimate in estimates if estimate.value is not None]))
    return Coverage(truth, value, float(((low <= truth) & (truth <= high)).mean()), float((high - low).mean()))


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """How large the simulation is."""

    studies: int = 1000
    """Calibrations of each line, and measurements of six people; fewer of more people, which take longer."""
    population: Population = Population()
    """Whom the people are drawn from."""


def main() -> None:
    """Print the tables."""
    options = tyro.cli(Benchmark, description=__doc__)
    print(f"{'calibrated on':<28}{'asked':>8}{'true':>9}{'stated':>9}{'true/asked':>12}{'true/stated':>13}{'held':>8}")
    for pairs, far in ((100, 1e-2), (200, 1e-2), (1000, 1e-2), (1000, 1e-3)):
        _print_promise(f"{pairs:,} independent pairs", far, independent(pairs, far, 5 * options.studies))
    for people, images, share in ((6, 10, 1), (12, 10, 4), (40, 4, 5)):
        found = crowded(options.population, people, images, 1e-2, max(1, options.studies // share))
        _print_promise(f"{people} people, {images} images each", 1e-2, found)
    for people, images, share in ((6, 10, 1), (12, 10, 4), (40, 4, 5)):
        studies = max(1, options.studies // share)
        print("".join(f"\n{sentence}." for sentence in few(people)))
        print(f"{f'{people} people, {images} images each':<32}{'truth':>9}{'mean':>9}{'held':>9}{'width':>9}")
        _print_coverage(coverage(options.population, people, images, studies))


def _print_promise(what: str, far: float, found: Promise) -> None:
    ratios = f"{found.true / far:>12.2f}{found.true / found.stated:>13.2f}{100 * found.held:>6.1f} %"
    print(f"{what:<28}{far:>8g}{found.true:>9.5f}{found.stated:>9.5f}{ratios}", flush=True)


def _print_coverage(found: Mapping[str, Coverage]) -> None:
    for name, each in found.items():
        print(f"{name:<32}{each.truth:>9.3f}{each.value:>9.3f}{100 * each.held:>7.1f} %{each.width:>9.3f}", flush=True)


if __name__ == "__main__":
    main()
