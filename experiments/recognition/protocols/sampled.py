"""How a recognizer is evaluated: each protocol turns a subject and a table of images into metrics."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from likeness.experiments.preprocessing import ModelInputs, preprocessing_of
from likeness.experiments.recognition.embedders import Embedder
from likeness.research.data.images import Images
from likeness.research.data.omniglot import OmniglotRuns
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.errors import UserError
from likeness.research.metrics import identification as open_set
from likeness.research.metrics import one_shot, verification
from likeness.research.metrics.intervals import Estimate
from likeness.research.metrics.pairs import Pairs, pair_rows

Metrics = Mapping[str, float | Estimate]


@dataclasses.dataclass(frozen=True, eq=False)
class EvaluatedSet:
    """A subject's embeddings of a table, computed once for all protocols."""

    embedder: Embedder
    images: Images
    embeddings: np.ndarray
    pairs: dict[tuple[int, int], Pairs] = dataclasses.field(default_factory=dict, init=False, repr=False)
    """What :meth:`Verification.pairs` has measured so far, by how the pairs were drawn."""


def evaluate(embedder: Embedder, images: Images) -> EvaluatedSet:
    """Embeds a table for the protocols."""
    return EvaluatedSet(embedder, images, embedder.embed_all(images))


@runtime_checkable
class EvaluationProtocol(Protocol):
    """A frozen dataclass that turns embeddings into metrics by path."""

    def metrics(self, evaluated: EvaluatedSet) -> Metrics: ...


def check_protocol(protocol: EvaluationProtocol, inputs: ModelInputs) -> None:
    """Refuses a protocol that reads files of its own otherwise than those were read that the network learns from.

    Such a protocol says how it reads them by a field or property ``preprocessing``; others have none.

    Raises:
        UserError: saying what differs.
    """
    its, ours = preprocessing_of(protocol), inputs.preprocessing
    if its is None:
        return
    if ours is None:
        what = "" if its.shape == inputs.shape else f"images of {its.shape} instead of {inputs.shape}"
    else:
        fields = [(field.name, getattr(its, field.name), getattr(ours, field.name)) for field in dataclasses.fields(its)]
        what = "; ".join(f"{name} {here} instead of {there}" for name, here, there in fields if here != there)
    if what:
        raise UserError(
            f"{type(protocol).__name__} reads its files otherwise than those of {inputs.source} are read, which are learned "
            f"from: {what}. Set both alike."
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification:
    """1:1, same or different, over the pairs of the table."""

    fars: tuple[float, ...] = (1e-1, 1e-2, 1e-3)
    """False-accept rates to report the true-accept rate at."""
    max_pairs: int = 100_000
    """Different-person pairs beyond this many are sampled."""
    seed: int = 0
    """Of sampling, folds and bootstrap."""

    def __post_init__(self) -> None:
        if not all(0 < far < 1 for far in self.fars):
            raise ValueError(f"Verification.fars are {self.fars}: give rates between 0 and 1")
        if self.max_pairs < 1:
            raise ValueError(f"Verification.max_pairs is {self.max_pairs}: give 1 or more")

    def pairs(self, evaluated: EvaluatedSet) -> Pairs:
        """The pairs that are evaluated, with their distances; measured once, however many ask."""
        drawn = (self.max_pairs, self.seed)
        if drawn not in evaluated.pairs:
            evaluated.pairs[drawn] = self._measure(evaluated)
        return evaluated.pairs[drawn]

    def _measure(self, evaluated: EvaluatedSet) -> Pairs:
        labels = evaluated.images.labels
        rows = pair_rows(labels, self.max_pairs, self.seed)
        distances = np.empty(len(rows))
        # Pairs come in lexicographic order: a block of first images against all is computed, then picked from.
        for start in range(0, len(labels), 512):
            chosen = slice(*np.searchsorted(rows[:, 0], [start, start + 512]))
            if chosen.start == chosen.stop:
                continue
            block = evaluated.embedder.distance(evaluated.embeddings[start : start + 512], evaluated.embeddings)
            distances[chosen] = block[rows[chosen, 0] - start, rows[chosen, 1]]
        people = labels[rows].reshape(-1, 2)
        return Pairs(distances, people[:, 0] == people[:, 1], people, rows)

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        pairs = self.pairs(evaluated)
        return verification.verification(pairs.distances, pairs.same, pairs.people, self.fars, self.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identification:
    """1:K with unknowns: some people are enrolled, the others knock at the door too."""

    shots: int = 1
    """Images enrolled per person."""
    enrolled: float = 0.5
    """Fraction of the people who are enrolled."""
    fpirs: tuple[float, ...] = (1e-1, 1e-2)
    """False-positive identification rates to report the false-negative rate at."""
    seed: int = 0
    """Of the choice of people and images."""

    def __post_init__(self) -> None:
        if self.shots < 1 or not 0 < self.enrolled <= 1 or not all(0 < fpir < 1 for fpir in self.fpirs):
            raise ValueError(
                f"Identification has shots {self.shots}, enrolled {self.enrolled} and fpirs {self.fpirs}: give 1 or more "
                "shots, a fraction in (0, 1] and rates between 0 and 1"
            )

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        labels = evaluated.images.labels
        who = open_set.protocol(labels, self.shots, self.enrolled, self.seed)
        probes = np.concatenate([who.probes, who.unknowns])
        distances = evaluated.embedder.distance(evaluated.embeddings[probes], evaluated.embeddings[who.gallery])
        return open_set.identification(distances, labels[probes], labels[who.gallery], self.fpirs, self.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneShot:
    """N-way K-shot trials: which of N people is this? A way's distance is that of its nearest image."""

    ways: int = 20
    """People to choose from."""
    shots: int = 1
    """Images of each."""
    trials: int = 400
    """How many to draw."""
    within_group: bool = False
    """Draw all ways of a trial from one group, such as an alphabet."""
    seed: int = 0
    """Of the draw."""

    def __post_init__(self) -> None:
        if self.ways < 2 or self.shots < 1 or self.trials < 1:
            raise ValueError(
                f"OneShot has ways {self.ways}, shots {self.shots} and trials {self.trials}: give 2 or more ways and 1 or "
                "more of the others"
            )

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        groups = evaluated.images.groups if self.within_group else None
        if self.within_group and groups is None:
            raise UserError("OneShot.within_group needs data whose people come in groups, such as Omniglot's alphabets.")
        drawn = one_shot.draw_trials(evaluated.images.labels, self.ways, self.shots, self.trials, self.seed, groups)
        distances = np.empty((len(drawn), self.ways))
        for trial, (support, query) in enumerate(zip(drawn.support, drawn.query, strict=True)):
            flat = evaluated.embeddings[support.reshape(-1)]
            row = evaluated.embedder.distance(evaluated.embeddings[query][None], flat)[0]
            distances[trial] = row.reshape(self.ways, self.shots).min(axis=1)
        return one_shot.one_shot(distances, drawn.answers, drawn.people, self.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfficialOmniglot:
    """The official Omniglot one-shot test: 20 runs of 20 trials within an alphabet (Lake et al., 2015)."""

    runs: OmniglotRuns
    """Where the runs are and how their images are read; the table that is otherwise evaluated is not used."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How the drawings of the runs are read."""
        return self.runs.preprocessing

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        distances, answers = [], []
        for run in self.runs.open():
            support, tests = evaluated.embedder.embed(run.support), evaluated.embedder.embed(run.test)
            distances.append(evaluated.embedder.distance(tests, support))
            answers.append(run.truth)
        return one_shot.omniglot_runs(np.stack(distances), np.stack(answers))
