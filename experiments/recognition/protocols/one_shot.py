"""One-shot recognition: which of N is this, of each of whom few images are known?"""

import dataclasses

import numpy as np

from likeness.experiments.recognition.protocols.base import EvaluatedSet, Metrics
from likeness.research.data.omniglot import OmniglotRuns
from likeness.research.data.preprocessing import Preprocessing
from likeness.research.errors import UserError
from likeness.research.metrics import one_shot


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
    name: str = ""
    """Tells several in one experiment apart: the metric is ``one_shot/error@name``. Empty for ``one_shot/error``."""

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
        found = one_shot.one_shot(distances, drawn.answers, drawn.people, self.seed)
        return {f"{metric}@{self.name}" if self.name else metric: value for metric, value in found.items()}


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
