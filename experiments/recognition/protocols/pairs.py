"""Verification over lists of pairs: Labeled Faces in the Wild's View 2, any list of paths, and InsightFace's binary sets."""

import dataclasses
from typing import Literal, get_args

import numpy as np

from likeness.experiments.display.phases import tracked
from likeness.experiments.preprocessing import preprocessing_of
from likeness.experiments.recognition.protocols.base import EvaluatedSet, Metrics
from likeness.research.data.pair_lists import PairList, read_pairs
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.data.protocols import Source
from likeness.research.data.verification_bin import VerificationBin
from likeness.research.errors import UserError
from likeness.research.metrics.folds import contiguous_folds
from likeness.research.metrics.listed_pairs import FARS, accuracy_at, listed_pairs, unrestricted_folds
from likeness.research.metrics.pair_stream import compare_pairs
from likeness.research.metrics.roc import best_threshold

Setting = Literal["restricted", "unrestricted"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListedPairs:
    """Verification over the pairs of a list: accuracy on folds with its standard error, TAR at FAR, EER and AUC.

    Labeled Faces in the Wild, View 2, is ``ListedPairs(pairs="$LIKENESS_DATA/lfw/pairs.txt",
    images=Folder("$LIKENESS_DATA/lfw"))``. The form of deepface's tables is ``ListedPairs(pairs=".../pairsDevTest.txt")``:
    their figure is ``accuracy@best``, whose threshold is chosen on the very pairs that it is counted on. What a threshold of
    other pairs reaches on them is ``ListedPairs(pairs=".../pairsDevTest.txt", threshold_from=".../pairsDevTrain.txt")``.
    """

    pairs: str
    """The list, see :func:`~likeness.research.data.pair_lists.read_pairs`."""
    images: Source | None = None
    """Where the images of the list are; None: among those that are evaluated."""
    setting: Setting = "restricted"
    """What the threshold of a fold may be chosen on: the listed pairs of the others, or all pairs of their images."""
    folds: int = 10
    """So many contiguous ones, where the list says nothing of folds."""
    fars: tuple[float, ...] = FARS
    """False-accept rates to report the true-accept rate at."""
    threshold_from: str = ""
    """Another list, whose pairs choose a threshold that is then counted on these (``accuracy@chosen``)."""
    name: str = "pairs"
    """What the names of the metrics begin with; lists that are evaluated together have different ones."""
    seed: int = 0
    """Of resampling people."""

    def __post_init__(self) -> None:
        if self.setting not in get_args(Setting):
            raise ValueError(f"ListedPairs.setting is {self.setting!r}: choose of {', '.join(get_args(Setting))}")
        if self.folds < 2 or not all(0 < far < 1 for far in self.fars) or not self.name:
            raise ValueError(
                f"ListedPairs has folds {self.folds}, fars {self.fars} and name {self.name!r}: give 2 or more folds, "
                "rates between 0 "
                "and 1, and a name"
            )

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How the images of the list are read, where it has its own."""
        return preprocessing_of(self.images)

    def check(self) -> None:
        """Reads the lists."""
        for path in filter(None, (self.pairs, self.threshold_from)):
            read_pairs(path)

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        chosen = read_pairs(self.threshold_from) if self.threshold_from else None
        return _of_list(self, read_pairs(self.pairs), evaluated.of(self.images), chosen)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BinaryPairs:
    """InsightFace's verification sets, ``lfw.bin``, ``cfp_fp.bin``, ``agedb_30.bin``, …: ten folds in the order of the file.

    Nothing says whom their images show, so that pairs count as independent, and intervals are narrower than those of a list
    with names.
    """

    bin: VerificationBin
    """The file, and how its images are read."""
    folds: int = 10
    """So many contiguous ones."""
    fars: tuple[float, ...] = FARS
    """False-accept rates to report the true-accept rate at."""
    name: str = "bin"
    """What the names of the metrics begin with; sets that are evaluated together have different ones."""
    seed: int = 0
    """Of resampling."""

    def __post_init__(self) -> None:
        if self.folds < 2 or not all(0 < far < 1 for far in self.fars) or not self.name:
            raise ValueError(
                f"BinaryPairs has folds {self.folds}, fars {self.fars} and name {self.name!r}: give 2 or more folds, "
                "rates between 0 "
                "and 1, and a name"
            )

    @property
    def preprocessing(self) -> Preprocessing:
        """How the images of the file are read."""
        return self.bin.preprocessing

    def check(self) -> None:
        """Reads the file."""
        self.bin.pairs()

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        found, pairs = evaluated.of(self.bin), self.bin.pairs()
        distances = compare_pairs(found.embeddings, *pairs.rows_of(found.images.names), found.compared_by)
        return listed_pairs(distances, pairs.same, self.folds, None, self.fars, self.seed, name=self.name)


def _of_list(protocol: ListedPairs, pairs: PairList, evaluated: EvaluatedSet, chosen: PairList | None) -> Metrics:
    first, second = pairs.rows_of(evaluated.images.names)
    labels = evaluated.images.labels
    people = np.stack([labels[first], labels[second]], axis=1)
    distances = compare_pairs(evaluated.embeddings, first, second, evaluated.compared_by)
    folds = contiguous_folds(len(pairs), protocol.folds) if pairs.folds is None else pairs.folds
    # Where the list calls two images of one folder different, say, nobody knows whose they are: its pairs are independent.
    known = people if ((people[:, 0] == people[:, 1]) == pairs.same).all() else None
    measured = folds
    if protocol.setting == "unrestricted":
        if known is None:
            raise UserError(
                f"{protocol.pairs} and the images disagree on whom they show, and the unrestricted setting goes by that: "
                "give it "
                "images in folders of people, or choose the restricted setting."
            )
        measured = unrestricted_folds(
            evaluated.embeddings, labels, first, second, distances, folds, evaluated.compared_by, track=tracked
        )
    found = listed_pairs(distances, pairs.same, measured, known, protocol.fars, protocol.seed, name=protocol.name)
    if chosen is None:
        return found
    others = compare_pairs(evaluated.embeddings, *chosen.rows_of(evaluated.images.names), evaluated.compared_by)
    threshold, _ = best_threshold(others, chosen.same)
    rate = accuracy_at(distances, pairs.same, threshold, known, protocol.seed)
    return {**found, f"{protocol.name}/accuracy@chosen": rate, f"{protocol.name}/threshold@chosen": threshold}
