"""Who is this? A name, or "unknown"."""

import dataclasses

import numpy as np

from research.errors import UserError
from research.gallery.records import Codes
from research.gallery.search import Distance, Index, squared_euclidean
from research.gallery.threshold import Threshold
from research.types import AnyArray, Float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """A person and the distance to their nearest embedding."""

    name: str
    distance: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identification:
    """The answer to "who of the enrolled people is this?"."""

    name: str | None
    """The nearest person if within τ; ``None`` is "unknown"."""
    nearest: Candidate
    """The nearest person, whether within τ or not."""
    runner_up: Candidate | None
    """The second nearest; ``None`` when one person is enrolled."""
    threshold: Threshold
    """τ, and the error rates measured at it."""
    people: int
    """K, how many people are enrolled with at least one embedding."""
    comparisons: int
    """How many embeddings the picture was compared with: K when each person has one."""

    @property
    def distance(self) -> float:
        """To the nearest person."""
        return self.nearest.distance

    @property
    def stranger_accepted(self) -> float:
        """The chance that somebody not enrolled is given a name: ``1 − (1 − FAR)^N`` over the N comparisons."""
        return self.threshold.false_accept_of(self.comparisons)

    def __str__(self) -> str:
        """One line for people to read."""
        people = "1 person" if self.people == 1 else f"{self.people} people"
        second = f", then {self.runner_up.name} at {self.runner_up.distance:.4g}" if self.runner_up else ""
        return (
            f"{self.name or 'unknown'}: nearest is {self.nearest.name} at distance {self.distance:.4g}{second}; "
            f"τ {self.threshold.tau:.4g}, false accepts per comparison {self.threshold.far.text()}, "
            f"a stranger among {people} gets a name in about {100 * self.stranger_accepted:.2g} % of cases"
        )


class Identifier:
    """Compares pictures with everybody enrolled, by codes computed once at enrollment.

    The answer is the one that encoding both pictures and comparing them would give.

    Example:
        >>> from research.metrics.intervals import Estimate
        >>> rate = Estimate(0.01, 0.008, 0.012, 9900)
        >>> threshold = Threshold(tau=0.5, target_far=0.01, far=rate, tar=rate, people=10, fingerprint="abc")
        >>> codes = Codes(("Ada", "Bob"), np.eye(2, dtype=np.float32), np.arange(2), np.arange(2))
        >>> [answer.name for answer in Identifier(codes, threshold)(np.asarray([[0.9, 0.1], [-1, 0]], np.float32))]
        ['Ada', None]
    """

    def __init__(
        self,
        codes: Codes,
        threshold: Threshold,
        *,
        distance: Distance = squared_euclidean,
        euclidean: bool = True,
    ) -> None:
        """Prepares the search.

        Args:
            codes: of a gallery.
            threshold: calibrated for the gallery's model and this distance.
            distance: the one that the threshold was calibrated on.
            euclidean: whether it orders pairs as the Euclidean distance does.

        Raises:
            UserError: nobody is enrolled.
        """
        if not codes.names:
            raise UserError(
                "The gallery is empty: nobody is enrolled, so nobody can be identified. Enroll at least one person first."
            )
        self.codes = codes
        self.threshold = threshold
        self._index = Index.of(codes, distance=distance, euclidean=euclidean)

    def __call__(self, embeddings: Float[AnyArray, "q d"]) -> tuple[Identification, ...]:
        """Identifies each embedding.

        Args:
            embeddings: (q, d), of the gallery's model.

        Raises:
            UserError: an embedding is not finite.
        """
        embeddings = np.asarray(embeddings, np.float32)
        finite = np.isfinite(embeddings).all(axis=1)
        if not finite.all():
            raise UserError(
                f"Picture {int(np.flatnonzero(~finite)[0])} gives an embedding that is not finite, so it cannot be "
                "compared. Check it for NaN values, and the model's weights."
            )
        neighbors = self._index.nearest(embeddings, k=2)
        return tuple(map(self._answer, neighbors.people, neighbors.distances))

    def _answer(self, people: np.ndarray, distances: np.ndarray) -> Identification:
        nearest, *others = [
            Candidate(name=self.codes.names[person], distance=float(distance))
            for person, distance in zip(people, distances, strict=True)
            if person >= 0
        ]
        return Identification(
            name=nearest.name if self.threshold.decide(nearest.distance) else None,
            nearest=nearest,
            runner_up=others[0] if others else None,
            threshold=self.threshold,
            people=len(self.codes.names),
            comparisons=len(self.codes.vectors),
        )
