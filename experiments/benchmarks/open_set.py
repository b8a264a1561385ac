"""How often galleries of 100 to 100,000 people give a stranger a name, against what T(N) promises.

    python -m likeness.experiments.benchmarks.open_set
    python -m likeness.experiments.benchmarks.open_set --embeddings lfw.npz --sizes 100 1000

The people are procedural faces of 24 × 24 gray pixels, which are drawn, embedded and forgotten a few thousand at a time. The
encoder is Fisherfaces: principal components of the pixels and a linear discriminant analysis, fitted in seconds to a thousand
people who are none of the others. It is no good encoder, and need not be: T(N) is to hold whatever the encoder. One set of
people is the cohort that T(N) comes from. Strangers of another are looked for in galleries of a third, as many galleries of N
as its people fill, so that what is measured is of galleries and no estimate from a formula.

With ``--embeddings``, a file of ``likeness embed``, its people are used instead, half of them as the cohort, and half of the
others as strangers.
"""

import dataclasses
import resource
import time
from collections.abc import Callable

import numpy as np
import tyro

from likeness.experiments.recognition.protocols import open_embeddings
from likeness.research.data.synthetic_faces import Faces
from likeness.research.distances import Cosine, Distance, SquaredEuclidean
from likeness.research.gallery import Index
from likeness.research.metrics.intervals import Estimate, wilson_interval
from likeness.research.metrics.pair_stream import compare_blocks
from likeness.research.metrics.sized_thresholds import SizedThreshold, thresholds_by_size
from likeness.research.synthetic.faces import render

_PART = 4096
_LEARNED, _COHORT, _GALLERY, _STRANGERS = 11, 12, 13, 14
"""Seeds: no person is in two of the sets."""
_APART = 10


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    """People in a gallery."""
    fpir: float = 0.01
    """The share of strangers that is aimed at."""
    strangers: int = 5_000
    """Who choose T(N), and as many others who are counted."""
    seed: int = 0
    """Of the procedural people: with another there is nobody of before."""
    embeddings: str = ""
    """An .npz file of people to take instead of procedural faces."""


@dataclasses.dataclass(frozen=True, eq=False)
class People:
    """Embeddings, one row for each person but of the cohort, where people may have several."""

    cohort: np.ndarray
    cohort_labels: np.ndarray
    gallery: np.ndarray
    strangers: np.ndarray
    distance: Distance


def fisherfaces(
    people: int = 1_000, images: int = 6, components: int = 120, dimension: int = 64
) -> Callable[[Faces], np.ndarray]:
    """Fits the encoder, and returns what embeds everybody of a set.

    Belhumeur, Hespanha and Kriegman, "Eigenfaces vs. Fisherfaces", PAMI 1997.

    Args:
        people: whom it learns from.
        images: of each.
        components: of the pixels that are kept.
        dimension: of an embedding.
    """
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    learned = _faces(people, _LEARNED, images)
    rows = np.arange(people * images)
    pixels = _pixels(learned, rows)
    projection = PCA(components, random_state=0).fit(pixels)
    discriminant = LinearDiscriminantAnalysis(n_components=dimension).fit(projection.transform(pixels), rows // images)

    def embed(faces: Faces) -> np.ndarray:
        every = np.arange(faces.people * faces.images)
        parts = [every[start : start + _PART] for start in range(0, len(every), _PART)]
        coded = [discriminant.transform(projection.transform(_pixels(faces, part))) for part in parts]
        return np.concatenate(coded).astype(np.float32)

    return embed


def _faces(people: int, seed: int, images: int = 1) -> Faces:
    return Faces(people=people, images=images, size=24, channels=1, seed=seed, cache=0)


def _pixels(faces: Faces, rows: np.ndarray) -> np.ndarray:
    drawn = render(*faces.vectors(rows), faces.size, faces.channels)
    return drawn.reshape(len(rows), -1).astype(np.float32) / 255


def drawn(asked: Benchmark) -> People:
    """Procedural people, one image each."""
    embed, most, seed = fisherfaces(), max(asked.sizes), _APART * asked.seed
    return People(
        cohort=embed(_faces(most + 1, _COHORT + seed)),
        cohort_labels=np.arange(most + 1),
        gallery=embed(_faces(most, _GALLERY + seed)),
        strangers=embed(_faces(asked.strangers, _STRANGERS + seed)),
        distance=SquaredEuclidean(),
    )


def photographed(asked: Benchmark) -> People:
    """The people of a file, by the cosine distance: half of them are the cohort, a quarter strangers."""
    evaluated = open_embeddings(asked.embeddings)
    labels = np.asarray(evaluated.images.labels)
    people, firsts = np.unique(labels, return_index=True)
    order = np.random.default_rng(0).permutation(len(people))
    half, quarter = len(order) // 2, 3 * len(order) // 4
    inside = np.flatnonzero(np.isin(labels, people[order[:half]]))
    return People(
        cohort=evaluated.embeddings[inside],
        cohort_labels=labels[inside],
        gallery=evaluated.embeddings[firsts[order[half:quarter]]],
        strangers=evaluated.embeddings[firsts[order[quarter:]]],
        distance=Cosine(),
    )


def measured(people: People, chosen: SizedThreshold, cohort_strangers: int) -> Estimate:
    """The share of strangers whom galleries of N name at T(N), over as many galleries as there are people for.

    Its interval is of the strangers, of those whom they meet, and of both in the cohort that chose T(N).
    """
    galleries = len(people.gallery) // chosen.size
    named = np.zeros(len(people.strangers))
    for number in range(galleries):
        rows = people.gallery[number * chosen.size : (number + 1) * chosen.size]
        for start in range(0, len(named), _PART):
            part = slice(start, start + _PART)
            least = np.full(len(people.strangers[part]), np.inf)
            for column in range(0, len(rows), _PART):
                apart = compare_blocks(people.strangers[part], rows[column : column + _PART], people.distance)
                least = np.minimum(least, apart.min(axis=1))
            named[part] += least <= chosen.tau
    named /= galleries
    rate, cohort = float(named.mean()), len(np.unique(people.cohort_labels))
    # In the cohort strangers are met by others too, see SizedThreshold.measured.
    variance = float(named.var()) * (1 / len(named) + 1 / (galleries * chosen.size) + 1 / cohort_strangers + 3 / cohort)
    worth = rate * (1 - rate) / variance if variance else len(named)
    return Estimate.around(rate, wilson_interval(rate, worth), len(named))


def unchanged(people: People) -> bool:
    """Whether everybody of a gallery gets the same answer, to the bit, once somebody has come."""
    asked = people.gallery[: min(1_000, len(people.gallery) - 1)] + np.float32(0.01)
    rows = people.gallery[:-1]
    before = Index(rows, np.arange(len(rows)), distance=people.distance).nearest(asked, 2)
    after = Index(people.gallery, np.arange(len(rows) + 1), distance=people.distance).nearest(asked, 3)
    stayed = after.people != len(rows)
    kept = [row[keep][:2] for row, keep in zip(after.distances, stayed, strict=True)]
    names = [row[keep][:2] for row, keep in zip(after.people, stayed, strict=True)]
    return bool((np.array(kept) == before.distances).all() and (np.array(names) == before.people).all())


def main() -> None:
    """Measures and prints."""
    asked = tyro.cli(Benchmark, description=__doc__)
    start = time.perf_counter()
    people = photographed(asked) if asked.embeddings else drawn(asked)
    print(
        f"people: {len(np.unique(people.cohort_labels)):,} of the cohort, {len(people.gallery):,} to be enrolled and", end=" "
    )
    print(f"{len(people.strangers):,} strangers, {time.perf_counter() - start:.0f} s")
    thresholds = thresholds_by_size(
        people.cohort, people.cohort_labels, people.distance, sizes=asked.sizes, fpirs=(asked.fpir,), strangers=asked.strangers
    )
    strangers = min(asked.strangers, len(np.unique(people.cohort_labels)))
    print(f"{'N':>8}  {'T(N)':>9}  {'galleries':>9}  strangers who are given a name (aimed at {100 * asked.fpir:g} %)")
    for chosen in thresholds:
        if chosen.size > len(people.gallery):
            print(f"{chosen.size:>8,}  there are {len(people.gallery):,} people to enroll")
            continue
        rate = measured(people, chosen, strangers)
        holds = rate.low is not None and rate.high is not None and rate.low <= asked.fpir <= rate.high
        said = "within" if holds else "OUTSIDE"
        print(
            f"{chosen.size:>8,}  {chosen.tau:>9.4f}  {len(people.gallery) // chosen.size:>9,}  {rate.text()}: {said}",
            flush=True,
        )
    print(f"answers after adding a person: {'unchanged to the bit' if unchanged(people) else 'CHANGED'}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{time.perf_counter() - start:.0f} s, at most {memory:.2f} GiB")


if __name__ == "__main__":
    main()
