"""Verification and identification of the people of a table, by pairs and galleries that are drawn from it."""

import dataclasses
from collections.abc import Callable

import numpy as np

from likeness.experiments.recognition.protocols.base import EvaluatedSet, Metrics
from likeness.research.metrics import identification as open_set
from likeness.research.metrics import verification
from likeness.research.metrics.pairs import Pairs, pair_rows

_PAIRS = 1 << 14
"""Pairs that are compared at once."""
_ROWS = 512
"""Images that are compared with all others at once."""


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
        paired = evaluated.embedder.paired if 4 * len(rows) < len(labels) ** 2 else None
        distances = _of_blocks(evaluated, rows) if paired is None else _of_pairs(paired, evaluated.embeddings, rows)
        people = labels[rows].reshape(-1, 2)
        return Pairs(distances, people[:, 0] == people[:, 1], people, rows)

    def metrics(self, evaluated: EvaluatedSet) -> Metrics:
        pairs = self.pairs(evaluated)
        return verification.verification(pairs.distances, pairs.same, pairs.people, self.fars, self.seed)


def _of_pairs(paired: Callable[..., np.ndarray], embeddings: np.ndarray, rows: np.ndarray) -> np.ndarray:
    distances = np.empty(len(rows))
    for start in range(0, len(rows), _PAIRS):
        part = rows[start : start + _PAIRS]
        distances[start : start + _PAIRS] = paired(embeddings[part[:, 0]], embeddings[part[:, 1]])
    return distances


def _of_blocks(evaluated: EvaluatedSet, rows: np.ndarray) -> np.ndarray:
    distances, embeddings = np.empty(len(rows)), evaluated.embeddings
    # Pairs come in lexicographic order: a block of first images against all is computed, then picked from.
    for start in range(0, len(embeddings), _ROWS):
        chosen = slice(*np.searchsorted(rows[:, 0], [start, start + _ROWS]))
        if chosen.start < chosen.stop:
            block = evaluated.embedder.distance(embeddings[start : start + _ROWS], embeddings)
            distances[chosen] = block[rows[chosen, 0] - start, rows[chosen, 1]]
    return distances


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
