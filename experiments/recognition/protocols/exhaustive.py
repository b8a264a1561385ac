"""Protocols that leave no pair out: all pairs of a table, BLUFR's trials, retrieval, and galleries of several sizes."""

import dataclasses

from likeness.experiments.display.phases import tracked
from likeness.experiments.preprocessing import preprocessing_of
from likeness.experiments.recognition.protocols.base import EvaluatedSet, Metrics
from likeness.research.data.blufr import BlufrTrial, read_blufr
from likeness.research.data.pair_lists import rows_by_name
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.data.protocols import Source
from likeness.research.metrics.all_pairs import FARS, verify_all_pairs
from likeness.research.metrics.blufr import FAR, FPIR, blufr
from likeness.research.metrics.gallery_size import SIZES, by_gallery_size
from likeness.research.metrics.retrieval import retrieval


@dataclasses.dataclass(frozen=True, kw_only=True)
class EveryPair:
    """1:1 over every pair of the table, however many: exact, in constant memory, see
    :mod:`likeness.research.metrics.all_pairs`."""

    fars: tuple[float, ...] = FARS
    """False-accept rates to report the true-accept rate and the threshold at."""

    def __post_init__(self) -> None:
        if not all(0 < far < 1 for far in self.fars):
            raise ValueError(f"EveryPair.fars are {self.fars}: give rates between 0 and 1")

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        return verify_all_pairs(evaluated.embeddings, evaluated.images.labels, evaluated.compared_by, self.fars, track=tracked)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blufr:
    """BLUFR on Labeled Faces in the Wild: ten trials of some 47 million pairs, and of open-set identification among 1,000
    people.

    See :mod:`likeness.research.metrics.blufr`. The lists come from the benchmark's ``blufr_lfw_config.mat``.
    """

    lists: str
    """The file of the trials, see :func:`~likeness.research.data.blufr.read_blufr`."""
    images: Source | None = None
    """Where the 13,233 images of the lists are; None: among those that are evaluated."""
    far: float = FAR
    """False-accept rate of verification, and that promised by the training people."""
    fpir: float = FPIR
    """Share of the strangers who are taken for somebody in identification."""
    trials: int = 10
    """How many of them are run, from the first on; the published figures are of all ten."""

    def __post_init__(self) -> None:
        if not 0 < self.far < 1 or not 0 < self.fpir < 1 or self.trials < 1:
            raise ValueError(
                f"Blufr has far {self.far}, fpir {self.fpir} and trials {self.trials}: give rates between 0 and 1, and 1 "
                "or more trials"
            )

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How the images of the lists are read, where it has its own."""
        return preprocessing_of(self.images)

    def check(self) -> None:
        """Reads the lists."""
        read_blufr(self.lists)

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        lists = read_blufr(self.lists)
        found = evaluated.of(self.images)
        rows = rows_by_name(found.images.names, lists.names)
        trials = [BlufrTrial(*(rows[each] for each in trial)) for trial in lists.trials[: self.trials]]
        labels = found.images.labels.copy()
        labels[rows] = lists.labels
        return blufr(found.embeddings, labels, trials, found.compared_by, far=self.far, fpir=self.fpir, track=tracked).metrics


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retrieval:
    """P@1, R-precision and MAP@R: every image is a query among all others, see :mod:`likeness.research.metrics.retrieval`."""

    seed: int = 0
    """Of resampling classes."""

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        return retrieval(evaluated.embeddings, evaluated.images.labels, evaluated.compared_by, self.seed, tracked)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GallerySizes:
    """Open-set identification in galleries of several sizes, each with the threshold of its size.

    See :mod:`likeness.research.metrics.gallery_size`.
    """

    sizes: tuple[int, ...] = SIZES
    """People in the gallery; those that the table has too few people for are said to be unresolvable."""
    fpir: float = 1e-2
    """Share of the strangers who are taken for somebody."""
    strangers: float = 0.2
    """Share of the people who are never enrolled."""
    max_probes: int = 10_000
    """Images of enrolled people that look for them, at most."""
    seed: int = 0
    """Of the choice of people and images."""

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 1 or not 0 < self.fpir < 1 or not 0 < self.strangers < 1 or self.max_probes < 1:
            raise ValueError(
                f"GallerySizes has sizes {self.sizes}, fpir {self.fpir}, strangers {self.strangers} and max_probes "
                f"{self.max_probes}: "
                "give sizes and probes from 1 on, and shares between 0 and 1"
            )

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        return by_gallery_size(
            evaluated.embeddings,
            evaluated.images.labels,
            evaluated.compared_by,
            sizes=self.sizes,
            fpir=self.fpir,
            strangers=self.strangers,
            max_probes=self.max_probes,
            seed=self.seed,
            track=tracked,
        )
